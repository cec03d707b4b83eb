"""What the endpoints of paying drivers take and answer. Account numbers come in, and never go out."""

from typing import Any

from rest_framework import serializers

from batconnect.api.fields import AmountField, DateField, FlagField, TextField
from batconnect.api.pagination import PageQuery, Sorts, page_schema
from batconnect.api.views import Query

from ..models import PayoutBatch, PayoutCheck, PayoutHold, PayoutInstruction, PayoutMethod, PayoutReturn
from ..services.reasons import LONGEST_REASON, SHORTEST_REASON

MOST_NUMBERS = 5_000


class PayoutReason(serializers.Serializer[Any]):
    reason = TextField(min_length=SHORTEST_REASON, max_length=LONGEST_REASON)


class PayoutNote(serializers.Serializer[Any]):
    note = TextField(max_length=LONGEST_REASON, required=False, default="", allow_blank=True)


class PayoutDay(serializers.Serializer[Any]):
    on = DateField(required=False, help_text="The day it happened; today when not given, never ahead of it.")


class PayoutWhatToPay(serializers.Serializer[Any]):
    """Either the week whose free DTRs are all paid, or the numbers of those that are."""

    week = DateField(required=False, help_text="The Sunday the week starts on.")
    dtr_numbers = serializers.ListField(
        child=TextField(max_length=24), required=False, max_length=MOST_NUMBERS
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("week" in attrs) == bool(attrs.get("dtr_numbers")):
            raise serializers.ValidationError({"week": ["Give a week, or dtr_numbers, and not both."]})
        return attrs


class PayoutOneDTR(serializers.Serializer[Any]):
    dtr_number = TextField(max_length=24)


class PayoutTakeOut(PayoutReason, PayoutOneDTR):
    pass


class PayoutHoldRequest(PayoutReason, PayoutOneDTR):
    kind = serializers.ChoiceField(choices=PayoutHold.Kind.choices)


class PayoutHeld(serializers.Serializer[Any]):
    dtr_number = serializers.CharField()
    kind = serializers.CharField()
    reason = serializers.CharField()
    held = serializers.BooleanField()


class PayListQuery(Query):
    week = DateField(
        required=False, help_text="The Sunday the week starts on; every unpaid week when not given."
    )
    method = serializers.ChoiceField(choices=PayoutMethod.choices, required=False)
    held = FlagField(
        required=False, help_text="`true`: what is held back alone; `false`: what is free alone."
    )


class PayListRow(serializers.Serializer[Any]):
    number = serializers.CharField()
    week = serializers.DateField()
    driver_id = serializers.IntegerField()
    driver_name = serializers.CharField()
    tlc_license = serializers.CharField()
    lease_number = serializers.CharField()
    amount = AmountField()
    method = serializers.CharField()
    account = serializers.CharField(help_text="The bank account, masked.")
    account_last4 = serializers.CharField()
    held = serializers.CharField()
    held_because = serializers.CharField()


class PayListAnswer(serializers.Serializer[Any]):
    items = PayListRow(many=True)
    free_total = AmountField()
    held_total = AmountField()


class BatchesQuery(PageQuery):
    sorts: Sorts = {"created_at": "pk", "number": "number"}
    state = serializers.ChoiceField(choices=PayoutBatch.State.choices, required=False)


class PayoutBatchRow(serializers.Serializer[Any]):
    number = serializers.CharField()
    state = serializers.CharField()
    payments = serializers.IntegerField()
    total = AmountField()
    created_by = serializers.CharField()
    approved_by = serializers.CharField(allow_null=True)
    effective_on = serializers.DateField(allow_null=True)
    sent_on = serializers.DateField(allow_null=True)
    settled_on = serializers.DateField(allow_null=True)
    file_sha256 = serializers.CharField()
    reverse_reason = serializers.CharField()


class PayoutBatchEntry(serializers.Serializer[Any]):
    dtr_number = serializers.CharField()
    driver_name = serializers.CharField()
    account = serializers.CharField(help_text="Masked.")
    amount = AmountField()
    state = serializers.CharField()
    trace_number = serializers.CharField(allow_null=True)


class PayoutBatchDetail(PayoutBatchRow):
    entries = PayoutBatchEntry(many=True)


BatchPage = page_schema(PayoutBatchRow, "PayoutBatchPage")


class PayoutMethodRequest(serializers.Serializer[Any]):
    method = serializers.ChoiceField(choices=PayoutMethod.choices)
    # Write-only: an answer has the last four digits, and an error not even these.
    routing_number = TextField(max_length=20, required=False, default="", allow_blank=True, write_only=True)
    account_number = TextField(max_length=40, required=False, default="", allow_blank=True, write_only=True)
    account_type = serializers.ChoiceField(
        choices=PayoutInstruction.AccountType.choices, required=False, default="", allow_blank=True
    )


class PayoutMethodRow(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    driver_id = serializers.IntegerField()
    method = serializers.CharField()
    account = serializers.CharField(help_text="Masked.")
    state = serializers.CharField()
    requested_by = serializers.CharField()
    decided_by = serializers.CharField(allow_null=True)
    blocked_why = serializers.CharField()


class PayoutMethodList(serializers.Serializer[Any]):
    items = PayoutMethodRow(many=True)


class ChecksQuery(PageQuery):
    sorts: Sorts = {"number": "number", "issued_on": "issued_on", "amount": "amount"}
    state = serializers.ChoiceField(choices=PayoutCheck.State.choices, required=False)
    stale = FlagField(required=False, help_text="`true`: out for longer than a bank has to honour it.")


class PayoutCheckRow(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    dtr_number = serializers.CharField()
    payee = serializers.CharField()
    amount = AmountField()
    issued_on = serializers.DateField()
    state = serializers.CharField()
    cleared_on = serializers.DateField(allow_null=True)
    voided_on = serializers.DateField(allow_null=True)
    void_reason = serializers.CharField()
    reissue_of = serializers.IntegerField(allow_null=True)


class PayoutCheckList(serializers.Serializer[Any]):
    items = PayoutCheckRow(many=True)


CheckPage = page_schema(PayoutCheckRow, "PayoutCheckPage")


class PayoutCheckbookRequest(serializers.Serializer[Any]):
    first_number = serializers.IntegerField(min_value=1, max_value=2**31 - 1)


class PayoutCheckbookRow(serializers.Serializer[Any]):
    first_number = serializers.IntegerField()


class PayoutCashReceipt(serializers.Serializer[Any]):
    receipt_number = serializers.CharField()
    dtr_number = serializers.CharField()
    amount = AmountField()
    paid_on = serializers.DateField()


class ReturnsQuery(PageQuery):
    sorts: Sorts = {"created_at": "pk"}
    state = serializers.ChoiceField(choices=PayoutReturn.State.choices, required=False)
    kind = serializers.ChoiceField(choices=PayoutReturn.Kind.choices, required=False)


class PayoutReturnRow(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    kind = serializers.CharField()
    code = serializers.CharField()
    meaning = serializers.CharField()
    dtr_number = serializers.CharField(allow_null=True)
    trace_number = serializers.CharField()
    amount = AmountField()
    state = serializers.CharField()
    problem = serializers.CharField()
    blocked = serializers.BooleanField()
    handled_note = serializers.CharField()


ReturnPage = page_schema(PayoutReturnRow, "PayoutReturnPage")


class PayoutReturnRequest(PayoutDay, PayoutOneDTR):
    code = TextField(max_length=3, help_text="R01 to R34.")


class PayoutReturnFileAnswer(serializers.Serializer[Any]):
    file_name = serializers.CharField()
    applied = serializers.IntegerField()
    for_a_person = serializers.IntegerField()
    returns = PayoutReturnRow(many=True)


class PayoutReturnsUpload(serializers.Serializer[Any]):
    file = serializers.FileField(help_text="A NACHA file of returns and notifications of change.")
