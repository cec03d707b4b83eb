"""What the endpoints of tolls and violations take and answer."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from batconnect.api.fields import (
    AmountField,
    BodyIdField,
    DateField,
    FlagField,
    IdField,
    IntegerField,
    PositiveAmountField,
    TextField,
)
from batconnect.api.pagination import PageQuery, Sorts, page_schema
from ledger.services.reasons import LONGEST_REASON

from ..models import AgencyDecision, AgencyItem, AgencyKind, MoneyState, Payer, State
from ..models.agency import ASKED
from ..services.agency.holding import MOST_AT_ONCE

ACTIONS = [action for action, _ in ASKED]
TICKET_KINDS = [(kind.value, kind.label) for kind in (AgencyKind.PVB, AgencyKind.TLC)]
SCORE: Any = {"min_value": 0, "max_value": 100, "required": False, "help_text": "Hundredths: 90 is 0.90."}


class ItemRow(serializers.Serializer[Any]):
    item_id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=AgencyKind.choices)
    nature = serializers.ChoiceField(choices=AgencyItem.Nature.choices)
    number = serializers.CharField(help_text="The agency's.")
    version = serializers.IntegerField(help_text="Counts the figures that came under the number.")
    plate = serializers.CharField()
    plate_state = serializers.CharField()
    tag = serializers.CharField()
    occurred_at = serializers.DateTimeField(allow_null=True)
    event_on = serializers.DateField()
    place = serializers.CharField()
    description = serializers.CharField()
    amount = AmountField(help_text="Before anybody paid; a credit is negative.")
    paid = AmountField()
    due = AmountField()
    state = serializers.ChoiceField(choices=State.choices)
    score = serializers.IntegerField(allow_null=True, help_text="Hundredths.")
    reasons = serializers.CharField()
    payer = serializers.ChoiceField(choices=Payer.choices)
    decision_id = serializers.IntegerField(help_text="The decision that stands; send it back as `seen`.")
    suggested_lease_id = serializers.IntegerField(allow_null=True)
    lease_id = serializers.IntegerField(allow_null=True, help_text="On which it is charged.")
    driver_id = serializers.IntegerField(allow_null=True)
    driver_name = serializers.CharField(allow_null=True)
    charged_amount = AmountField(allow_null=True)
    open_amount = AmountField(allow_null=True)
    money = serializers.ChoiceField(choices=MoneyState.choices, help_text="As the ledger has it now.")
    posting_id = serializers.UUIDField(allow_null=True)
    je_number = serializers.CharField(allow_null=True, help_text="The entry of a fleet cost.")


@extend_schema_serializer(component_name="TollRow")
class TollRow(ItemRow):
    pass


@extend_schema_serializer(component_name="ViolationRow")
class ViolationRow(ItemRow):
    pass


@extend_schema_serializer(component_name="AgencyCandidate")
class Candidate(serializers.Serializer[Any]):
    trip_id = serializers.IntegerField()
    trip = serializers.CharField()
    account_id = serializers.IntegerField()
    lease_id = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField()
    score = serializers.IntegerField()
    time = serializers.IntegerField()
    driver = serializers.IntegerField()
    evidence = serializers.IntegerField()
    seconds_away = serializers.IntegerField()
    another_lease = serializers.BooleanField()


@extend_schema_serializer(component_name="AgencyDecision")
class DecisionRow(serializers.Serializer[Any]):
    decision_id = serializers.IntegerField()
    action = serializers.ChoiceField(choices=AgencyDecision.Action.choices)
    state = serializers.ChoiceField(choices=State.choices)
    score = serializers.IntegerField(allow_null=True)
    reasons = serializers.CharField()
    amount = AmountField(allow_null=True)
    posting_id = serializers.UUIDField(allow_null=True)
    counterpart_id = serializers.IntegerField(
        allow_null=True,
        help_text="Of a credit that was given: the toll it went to; of that toll: the credit.",
    )
    counterpart_number = serializers.CharField(allow_null=True)
    decided_by = serializers.CharField()
    decided_at = serializers.DateTimeField()


@extend_schema_serializer(component_name="AgencyItemDetail")
class ItemDetail(ItemRow):
    candidates = Candidate(many=True)
    decisions = DecisionRow(many=True)
    raw = serializers.DictField(help_text="The row as it came.")
    possible = serializers.ListField(
        child=serializers.ChoiceField(choices=ASKED), help_text="What may be decided now."
    )


class _ItemsQuery(PageQuery):
    sorts: Sorts = {
        "id": "pk",
        "event_on": "event_on",
        "amount": "amount",
        "score": "score",
        "number": "number",
    }
    state = serializers.ChoiceField(choices=State.choices, required=False)
    waiting = FlagField(required=False, help_text="Only what waits for a person, or only the rest.")
    number = TextField(max_length=40, required=False)
    plate = TextField(max_length=12, required=False)
    start_date = DateField(required=False, help_text="From this day of the event on.")
    end_date = DateField(required=False)
    score_from = IntegerField(**SCORE)
    score_to = IntegerField(**SCORE)
    driver_id = IdField(required=False, help_text="Charged, or else suggested.")
    lease_id = IdField(required=False)
    file_id = IdField(required=False)


class TollsQuery(_ItemsQuery):
    pass


class ViolationsQuery(_ItemsQuery):
    kind = serializers.ChoiceField(choices=TICKET_KINDS, required=False)


TollPage = page_schema(TollRow, "TollPage")
ViolationPage = page_schema(ViolationRow, "ViolationPage")


@extend_schema_serializer(component_name="AgencyDecisionRequest")
class DecideRequest(serializers.Serializer[Any]):
    """One decision. `assign` and `reassign` need lease_id, `reduce` amount, `credit` toll_number; all but `accept` a
    reason; payer where something was paid already.
    """

    action = serializers.ChoiceField(choices=ASKED)
    seen = BodyIdField(
        required=False, help_text="The decision_id looked at; another one by now is refused with 409."
    )
    reason = TextField(max_length=LONGEST_REASON, required=False, allow_blank=True, default="")
    lease_id = BodyIdField(required=False)
    amount = PositiveAmountField(required=False)
    toll_number = TextField(max_length=40, required=False)
    payer = serializers.ChoiceField(choices=Payer.choices, required=False)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        needed = {"assign": "lease_id", "reassign": "lease_id", "reduce": "amount", "credit": "toll_number"}
        missing = needed.get(given["action"])
        if missing and missing not in given:
            raise serializers.ValidationError({missing: [f"Say it with {given['action']}."]})
        return given


@extend_schema_serializer(component_name="AgencySeen")
class SeenItem(serializers.Serializer[Any]):
    item_id = BodyIdField()
    seen = BodyIdField(required=False)


@extend_schema_serializer(component_name="AgencyAcceptMany")
class AcceptManyRequest(serializers.Serializer[Any]):
    items = serializers.ListField(child=SeenItem(), min_length=1, max_length=MOST_AT_ONCE)
    payer = serializers.ChoiceField(choices=Payer.choices, required=False)


@extend_schema_serializer(component_name="AgencyAccepted")
class AcceptedAnswer(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()
    items = serializers.ListField(child=serializers.IntegerField(), help_text="Their ids.")


@extend_schema_serializer(component_name="AgencyUpload")
class UploadRequest(serializers.Serializer[Any]):
    file = serializers.FileField(help_text="CSV in UTF-8, as the agency exports it.")


class _Ended(serializers.Serializer[Any]):
    rows = serializers.IntegerField()
    amount = AmountField()


class _Reject(serializers.Serializer[Any]):
    row = serializers.IntegerField()
    column = serializers.CharField()
    message = serializers.CharField()


@extend_schema_serializer(component_name="AgencyImport")
class ImportAnswer(serializers.Serializer[Any]):
    file_id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=AgencyKind.choices)
    file_name = serializers.CharField()
    rows = serializers.IntegerField()
    new = serializers.IntegerField()
    repeated = serializers.IntegerField(help_text="Known before, with the same figures.")
    rejected = serializers.IntegerField(help_text="Rows that could not be read.")
    found_again = serializers.IntegerField(help_text="Items from before that could be decided now.")
    known_vehicle = serializers.IntegerField()
    attributed = serializers.IntegerField(help_text="Of these, whose trip is certain.")
    ended = serializers.DictField(child=_Ended(), help_text="The new rows by state.")
    rejects = _Reject(many=True, help_text="The first 20.")
