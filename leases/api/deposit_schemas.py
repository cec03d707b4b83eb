"""What deposits look like over HTTP: rows, details, the preview of a release, and what requests carry."""

from typing import Any

from rest_framework import serializers

from batconnect.api.fields import (
    AmountField,
    BodyIdField,
    DateField,
    FlagField,
    IdField,
    PositiveAmountField,
    TextField,
)
from batconnect.api.pagination import PageQuery, Sorts
from leases.deposit_models import MOST_PARTS, DepositStatus, RefundMethod
from leases.services.deposits.refunds import LONGEST_METHOD_REFERENCE
from ledger.models import InstallmentStatus
from ledger.services.reasons import LONGEST_REASON

from .fields import DayField


class DepositRow(serializers.Serializer[Any]):
    lease_id = serializers.IntegerField()
    lease_number = serializers.CharField()
    driver_id = serializers.IntegerField()
    driver_name = serializers.CharField()
    tlc_license = serializers.CharField()
    medallion_no = serializers.CharField()
    status = serializers.ChoiceField(choices=DepositStatus.choices, help_text="Follows the ledger.")
    agreed = AmountField(help_text="What is charged and what is still to be charged.")
    scheduled = AmountField(help_text="Not charged yet.")
    charged = AmountField(help_text="As it stands after corrections.")
    collected = AmountField(help_text="What of it was paid.")
    open_amount = AmountField(help_text="Charged, and not paid.")
    applied = AmountField(help_text="What paid the debts of the lease at the release.")
    refunded = AmountField()
    held = AmountField(help_text="Collected, less applied, less refunded.")
    to_refund = AmountField(help_text="Left after the release, to be paid back.")
    due_on = serializers.DateField(
        allow_null=True, help_text="When the hold ends; null while the lease is open."
    )
    released_on = serializers.DateField(allow_null=True)


class DepositPartRow(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    reference_id = serializers.CharField()
    amount = AmountField(help_text="As it was agreed.")
    due_on = serializers.DateField()
    status = serializers.ChoiceField(choices=InstallmentStatus.choices, help_text="Follows the ledger.")
    charged = AmountField(allow_null=True, help_text="As it stands after corrections.")
    open_amount = AmountField(allow_null=True)
    posting_id = serializers.UUIDField(allow_null=True)
    current_posting_id = serializers.UUIDField(
        allow_null=True, help_text="The posting of its last correction, or its own."
    )


class DepositReleaseRow(serializers.Serializer[Any]):
    released_on = serializers.DateField()
    reason = serializers.CharField(help_text="Where it was released before the hold ended.")
    fell_due = AmountField(help_text="What was charged ahead of its day.")
    cancelled = AmountField(help_text="Charged, never paid and taken back.")
    collected = AmountField()
    applied = AmountField()
    refundable = AmountField()
    posting_id = serializers.UUIDField(allow_null=True)


class DepositRefundRow(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    amount = AmountField()
    paid_on = serializers.DateField()
    method = serializers.ChoiceField(choices=RefundMethod.choices)
    method_reference = serializers.CharField()
    returns_id = serializers.IntegerField(allow_null=True, help_text="The refund that came back.")
    reason = serializers.CharField(help_text="Why it came back.")


class DepositDetailRow(DepositRow):
    parts = DepositPartRow(many=True)
    release = DepositReleaseRow(allow_null=True)
    refunds = DepositRefundRow(many=True)


class DepositPayment(serializers.Serializer[Any]):
    credit_category = serializers.CharField()
    credit_reference = serializers.CharField()
    category = serializers.CharField()
    reference_id = serializers.CharField()
    amount = AmountField()
    open_after = AmountField(help_text="Of the debt, when the whole release is done.")


class DepositReleasePreview(serializers.Serializer[Any]):
    early = serializers.BooleanField(help_text="A release today needs a reason.")
    hold_ends_on = serializers.DateField()
    fell_due = AmountField()
    cancelled = AmountField()
    collected = AmountField()
    applied = AmountField()
    refundable = AmountField()
    owed_before = AmountField(help_text="The driver's balance on this lease.")
    owed_after = AmountField()
    from_credits = DepositPayment(many=True, help_text="What open credits pay first.")
    from_deposit = DepositPayment(many=True)


class DepositTermsRequest(serializers.Serializer[Any]):
    amount = PositiveAmountField(help_text="The whole deposit.")
    due_on = serializers.ListField(
        child=DayField(),
        max_length=MOST_PARTS,
        help_text="One day for the whole, or two, the earlier first, for its halves. "
        "In a change: of what is not charged yet.",
    )


class DepositReleaseRequest(serializers.Serializer[Any]):
    reason = TextField(
        max_length=LONGEST_REASON,
        required=False,
        allow_blank=True,
        default="",
        help_text="Before the hold ends: why, in 10 characters or more.",
    )


class DepositRefundRequest(serializers.Serializer[Any]):
    method = serializers.ChoiceField(choices=RefundMethod.choices)
    method_reference = TextField(
        max_length=LONGEST_METHOD_REFERENCE, help_text="Check number or ACH reference."
    )
    paid_on = DateField(required=False, help_text="Today, unless it was paid before.")


class DepositReturnRequest(serializers.Serializer[Any]):
    reason = TextField(max_length=LONGEST_REASON, help_text="Why it came back, in 10 characters or more.")
    paid_on = DateField(required=False, help_text="The day it came back; today, if none is given.")
    refund_id = BodyIdField(
        required=False, help_text="Which of the refunds came back; needed where more than one is out."
    )


class DepositsQuery(PageQuery):
    sorts: Sorts = {"id": "pk", "lease_number": "lease__number", "driver_name": "lease__driver__name"}
    status = serializers.ChoiceField(choices=DepositStatus.choices, required=False)
    to_refund = FlagField(required=False, help_text="Whether something is left to be paid back.")
    lease_id = IdField(required=False)
    lease_number = TextField(max_length=20, required=False)
    driver_id = IdField(required=False)
    driver_name = TextField(max_length=120, required=False, help_text="A part of the name, in any case.")
    tlc_license = TextField(max_length=20, required=False)
    medallion_no = TextField(max_length=10, required=False)
    due_from = DateField(required=False, help_text="First day on which the hold ends, included.")
    due_to = DateField(required=False, help_text="Last day on which the hold ends, included.")
