"""The shapes of journals: what a client sends, and entries and manual journals as they are answered."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from batconnect.api.fields import DateField, TextField

from ..models import EntryLine, ManualJournal, Origin
from ..services.journal_lines import FEWEST_LINES, MOST_LINES
from ..services.journals import LONGEST_DESCRIPTION, LONGEST_REFERENCE
from ..services.reasons import LONGEST_REASON, SHORTEST_REASON

JOURNAL_AMOUNT = r"^[0-9]{1,14}(\.[0-9]{1,6})?$"
MOST_NOTES = 20


@extend_schema_field({"type": "string", "pattern": JOURNAL_AMOUNT, "example": "125.00"})
class JournalAmountField(serializers.CharField):
    """Money in an answer: a string with the currency's decimals."""


@extend_schema_field(
    {
        "anyOf": [
            {"type": "string", "pattern": JOURNAL_AMOUNT, "example": "125.00"},
            {"type": "number", "exclusiveMinimum": True, "minimum": 0},
        ]
    }
)
class GivenAmountField(serializers.Field):
    """Money in a request, a string or a JSON number; the service says of which line it is wrong."""

    def to_internal_value(self, data: Any) -> Any:
        return data


class Notes(serializers.DictField):
    """A client's own notes: text by name."""

    child = TextField(max_length=200, allow_blank=True)

    def run_child_validation(self, data: Any) -> Any:
        if len(data) > MOST_NOTES:
            raise serializers.ValidationError(f"At most {MOST_NOTES} notes.")
        name = TextField(max_length=60)
        return {
            name.run_validation(str(key)): value for key, value in super().run_child_validation(data).items()
        }


class LineRequest(serializers.Serializer[Any]):
    account = TextField(max_length=40, help_text="The account's code in the chart.")
    side = serializers.ChoiceField(choices=EntryLine.Side.choices)
    amount = GivenAmountField(help_text="Above zero, with at most the currency's decimals.")
    currency = TextField(max_length=3, required=False, help_text="The account's own, if it is given.")
    fund = TextField(max_length=10, required=False, help_text="Without one, the account's.")

    def to_internal_value(self, data: Any) -> Any:
        unknown = [str(name) for name in data if name not in self.fields] if isinstance(data, dict) else []
        if unknown:
            known = ", ".join(self.fields)
            raise serializers.ValidationError({name: [f"Unknown; known are: {known}."] for name in unknown})
        return super().to_internal_value(data)


@extend_schema_serializer(component_name="NewJournal")
class JournalRequest(serializers.Serializer[Any]):
    je_date = DateField(
        required=False, help_text="Its accounting date, in an open week and month; default today."
    )
    description = TextField(max_length=LONGEST_DESCRIPTION)
    reference = TextField(max_length=LONGEST_REFERENCE, required=False, allow_blank=True, default="")
    lines = LineRequest(many=True, min_length=FEWEST_LINES, max_length=MOST_LINES)  # type: ignore[call-arg]
    metadata = Notes(required=False, help_text=f"At most {MOST_NOTES} notes of your own: text by name.")


@extend_schema_serializer(component_name="JournalApproval")
class ApprovalRequest(serializers.Serializer[Any]):
    note = TextField(max_length=LONGEST_REASON, required=False, allow_blank=True, default="")


@extend_schema_serializer(component_name="JournalRejection")
class RejectionRequest(serializers.Serializer[Any]):
    note = TextField(max_length=LONGEST_REASON, help_text=f"Why, in {SHORTEST_REASON} characters or more.")


@extend_schema_serializer(component_name="JournalReversal")
class JournalReversalRequest(serializers.Serializer[Any]):
    reason = TextField(max_length=LONGEST_REASON, help_text=f"Why, in {SHORTEST_REASON} characters or more.")
    je_date = DateField(required=False, help_text="The reversal's accounting date; default today.")


class JournalLine(serializers.Serializer[Any]):
    line_number = serializers.IntegerField()
    account = serializers.CharField()
    account_name = serializers.CharField()
    side = serializers.ChoiceField(choices=EntryLine.Side.choices)
    amount = JournalAmountField()
    currency = serializers.CharField()
    fund = serializers.CharField()


class JournalTotal(serializers.Serializer[Any]):
    currency = serializers.CharField()
    fund = serializers.CharField()
    debits = JournalAmountField()
    credits = JournalAmountField()


@extend_schema_serializer(component_name="ManualJournal")
class ManualJournalAnswer(serializers.Serializer[Any]):
    number = serializers.CharField()
    status = serializers.ChoiceField(choices=ManualJournal.Status.choices)
    je_number = serializers.CharField(allow_null=True, help_text="Its entry, once it is approved.")
    je_date = serializers.DateField()
    description = serializers.CharField()
    reference = serializers.CharField()
    reason = serializers.CharField(help_text="Of a reversal.")
    reverses = serializers.CharField(allow_null=True, help_text="The entry that it takes back.")
    lines = JournalLine(many=True)
    totals = JournalTotal(many=True)
    metadata = serializers.DictField(allow_null=True)
    created_at = serializers.DateTimeField()
    created_by_name = serializers.CharField()
    decided_at = serializers.DateTimeField(allow_null=True)
    decided_by_name = serializers.CharField(allow_null=True)
    decision_note = serializers.CharField()


class SourceRow(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    source = serializers.CharField()  # type: ignore[assignment]
    source_rowid = serializers.CharField()
    file_name = serializers.CharField()
    row_number = serializers.IntegerField()


class JournalEntry(serializers.Serializer[Any]):
    je_number = serializers.CharField()
    je_date = serializers.DateField(help_text="The accounting date.")
    event_on = serializers.DateField(help_text="The day it happened.")
    origin = serializers.ChoiceField(choices=Origin.choices)
    description = serializers.CharField()
    reference = serializers.CharField()
    template = serializers.CharField(
        allow_null=True, help_text="Code and version of the template it was made by."
    )
    posting_id = serializers.UUIDField(allow_null=True)
    posting_reference = serializers.CharField(
        allow_null=True, help_text="Category and reference of the posting."
    )
    source_row = SourceRow(allow_null=True)
    dtr_number = serializers.CharField(allow_null=True)
    manual_journal = serializers.CharField(allow_null=True)
    reverses = serializers.CharField(allow_null=True)
    reversed_by = serializers.CharField(allow_null=True)
    reversal_waiting = serializers.CharField(
        allow_null=True, help_text="The manual journal that would reverse it and waits for approval."
    )
    lines = JournalLine(many=True)
    totals = JournalTotal(many=True)
    metadata = serializers.DictField(allow_null=True)
    created_at = serializers.DateTimeField()
    created_by_name = serializers.CharField()


JournalAnswer = PolymorphicProxySerializer(
    component_name="Journal",
    serializers=[JournalEntry, ManualJournalAnswer],
    resource_type_field_name=None,
)
