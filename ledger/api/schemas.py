"""The shapes of the ledger's requests and answers. Rows come from selectors; these document and check them."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from batconnect.api.fields import AmountField, TextField
from batconnect.api.pagination import page_schema

from ..models import DTR, Category, EntryType, LedgerBalance, LedgerPosting, PaymentMethod
from ..payment_data import InterimPaymentRequest as InterimPaymentRequest
from ..services.voids import LONGEST_REASON

PRIOR_BALANCE = (
    "What of the item was open before the allocations of its last allocation date (`last_allocated_on`): its "
    "balance with that day's allocations and undoings taken back, as one movement. Of an item that was never "
    "allocated, its balance. Signed like the item."
)


class _Names(serializers.Serializer[Any]):
    posting_id = serializers.UUIDField()
    driver_id = serializers.IntegerField()
    driver_name = serializers.CharField()
    lease_id = serializers.IntegerField()
    lease_number = serializers.CharField()
    medallion_no = serializers.CharField()
    vehicle_vin = serializers.CharField()
    category = serializers.ChoiceField(choices=Category.choices)
    entry_type = serializers.ChoiceField(choices=EntryType.choices)
    reference_id = serializers.CharField()
    description = serializers.CharField()
    effective_on = serializers.DateField(help_text="The accounting date.")
    due_date = serializers.DateField(allow_null=True)
    created_at = serializers.DateTimeField()


class PostingRow(_Names):
    status = serializers.ChoiceField(choices=LedgerPosting.Status.choices)
    amount = AmountField(help_text="Debits are positive: the driver owes more.")
    product = serializers.CharField()
    event_on = serializers.DateField(help_text="When it happened.")
    run_week = serializers.DateField(allow_null=True, help_text="The weekly run that posted it.")
    reversal_for_id = serializers.UUIDField(allow_null=True)
    replaces_id = serializers.UUIDField(allow_null=True)
    reason = serializers.CharField()
    created_by_name = serializers.CharField()


class BalanceRow(_Names):
    status = serializers.ChoiceField(choices=LedgerBalance.Status.choices)
    original_amount = AmountField(help_text="Debits are positive.")
    prior_balance = AmountField(help_text=PRIOR_BALANCE)
    balance = AmountField(help_text="What is still open, signed like the original amount.")
    last_allocated_on = serializers.DateField(allow_null=True)
    applied_payment_refs = serializers.ListField(
        child=serializers.UUIDField(), help_text="The postings whose allocations to this item are in force."
    )


PostingPage = page_schema(PostingRow, "PostingPage")
BalancePage = page_schema(BalanceRow, "BalancePage")


class _Sums(serializers.Serializer[Any]):
    open_debits = AmountField()
    open_credits = AmountField(help_text="What the driver has in hand; positive.")
    balance = AmountField(help_text="Debits minus credits; positive is owed by the driver.")


class CategoryBalance(_Sums):
    category = serializers.ChoiceField(choices=Category.choices)


class LeaseBalance(_Sums):
    lease_id = serializers.IntegerField()
    lease_number = serializers.CharField()
    categories = CategoryBalance(many=True)


class DriverBalance(_Sums):
    driver_id = serializers.IntegerField()
    driver_name = serializers.CharField()
    as_of = serializers.DateField(allow_null=True, help_text="Null is now.")
    categories = CategoryBalance(many=True)
    leases = LeaseBalance(many=True)


class AgedSums(_Sums):
    not_due = AmountField()
    days_1_7 = AmountField(help_text="Open debits 1 to 7 days past their due date.")
    days_8_14 = AmountField()
    days_15_28 = AmountField()
    days_29_plus = AmountField()


class AgedRow(AgedSums):
    driver_id = serializers.IntegerField()
    driver_name = serializers.CharField()
    lease_id = serializers.IntegerField()
    lease_number = serializers.CharField()


class AgingPage(page_schema(AgedRow, "AgedPage")):  # type: ignore[misc]
    as_of = serializers.DateField(help_text="The day that days past due are counted to.")
    totals = AgedSums(help_text="Over everyone, not only this page.")


@extend_schema_serializer(component_name="Void")
class VoidRequest(serializers.Serializer[Any]):
    reason = TextField(max_length=LONGEST_REASON, help_text="Why, in 10 characters or more.")


class VoidAnswer(serializers.Serializer[Any]):
    message = serializers.CharField()
    original_posting_id = serializers.UUIDField()
    reversal_posting_id = serializers.UUIDField()


@extend_schema_serializer(component_name="SettlementReversal")
class ReversalRequest(VoidRequest):
    pass


class Reversal(serializers.Serializer[Any]):
    category = serializers.ChoiceField(choices=Category.choices)
    amount = AmountField(help_text="Of the reversal: the opposite of the original's.")
    original_posting_id = serializers.UUIDField()
    reversal_posting_id = serializers.UUIDField()


class ReversalAnswer(serializers.Serializer[Any]):
    message = serializers.CharField()
    dtr_number = serializers.CharField()
    week = serializers.DateField()
    reversals = Reversal(many=True)
    balance_after = AmountField(help_text="What the driver then owes on this lease; negative is in hand.")


class ReceiptLine(serializers.Serializer[Any]):
    category = serializers.ChoiceField(choices=Category.choices)
    reference_id = serializers.CharField()
    amount = AmountField()


class Receipt(serializers.Serializer[Any]):
    receipt_number = serializers.CharField()
    posting_id = serializers.UUIDField()
    driver_id = serializers.IntegerField()
    lease_id = serializers.IntegerField()
    payment_method = serializers.ChoiceField(choices=PaymentMethod.choices)
    method_reference = serializers.CharField(allow_blank=True)
    total_payment_amount = AmountField()
    received_on = serializers.DateField()
    allocations = ReceiptLine(many=True)
    unallocated_amount = AmountField(help_text="What stays an open credit.")
    balance_after = AmountField(help_text="What the driver then owes on this lease; negative is in hand.")


class DTRRow(serializers.Serializer[Any]):
    number = serializers.CharField()
    week = serializers.DateField(help_text="Its Sunday.")
    week_end = serializers.DateField()
    driver_id = serializers.IntegerField()
    driver_name = serializers.CharField()
    lease_id = serializers.IntegerField()
    lease_number = serializers.CharField()
    medallion_no = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(choices=DTR.Status.choices)
    gross_earnings = AmountField()
    taxes = AmountField()
    allocated = AmountField()
    net_pay = AmountField()
    open_debits = AmountField()
    open_credits = AmountField()


DTRPage = page_schema(DTRRow, "DTRPage")


class DTRDetail(DTRRow):
    frozen_at = serializers.DateTimeField()
    data = serializers.DictField(  # type: ignore[assignment]
        help_text="Everything the report shows, as it was frozen."
    )
    trips = serializers.ListField(
        child=serializers.ListField(),
        help_text="started, minutes, payment type, fare, extras, tips, tolls, taxes, total, late (0 or 1).",
    )
