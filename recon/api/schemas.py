"""What the endpoints of reconciliation take and answer, for checking and for the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from batconnect.api.fields import BodyFlagField, BodyIdField, DateField, FlagField, TextField
from batconnect.api.pagination import PageQuery, Sorts, page_schema
from ledger.services.reasons import LONGEST_REASON

from ..models import CurbFetch, Outcome, ReconJob, ReconMatch, SettlementStatus, Side
from ..services.decisions import LONGEST_NOTE
from ..services.files import LONGEST_PATH

MONEY = {"type": "string", "pattern": r"^-?[0-9]{1,14}(\.[0-9]{1,6})?$", "example": "25.00"}
REASON: Any = {"max_length": LONGEST_REASON, "help_text": "Why, in 10 characters or more."}


@extend_schema_field(MONEY)
class MoneyField(serializers.CharField):
    """An amount in the source's currency, with its decimals."""


class Counts(serializers.Serializer[Any]):
    """Rows of one side by how they ended. `waiting`: unmatched, and their partner may still come."""

    rows = serializers.IntegerField()
    matched = serializers.IntegerField()
    suggested = serializers.IntegerField()
    ambiguous = serializers.IntegerField()
    unmatched = serializers.IntegerField()
    waiting = serializers.IntegerField()


class JobCounts(serializers.Serializer[Any]):
    external = Counts(required=False)
    ledger = Counts(required=False)
    new_rows = serializers.IntegerField(required=False)
    repeated_rows = serializers.IntegerField(required=False)


class JobError(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()


@extend_schema_serializer(component_name="ReconJob")
class JobRow(serializers.Serializer[Any]):
    job_id = serializers.IntegerField()
    source = serializers.CharField()  # type: ignore[assignment]
    date = serializers.DateField()
    status = serializers.ChoiceField(choices=ReconJob.Status.choices)
    error = JobError(allow_null=True)
    file_name = serializers.CharField()
    currency = serializers.CharField()
    counts = JobCounts()
    external_total = MoneyField(allow_null=True)
    ledger_total = MoneyField(allow_null=True)
    variance = MoneyField(allow_null=True, help_text="Outside less ledger.")
    oldest_unmatched = serializers.DateField(allow_null=True)
    model_version = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(component_name="ReconStatusAnswer")
class StatusAnswer(serializers.Serializer[Any]):
    date = serializers.DateField()
    items = JobRow(many=True)


@extend_schema_serializer(component_name="ReconSummary")
class Summary(JobRow):
    open_exceptions = serializers.IntegerField(help_text="Rows of it that still need a person.")
    waiting = serializers.IntegerField(help_text="Rows whose partner may still come.")


@extend_schema_serializer(component_name="ReconDaySummary")
class DaySummary(serializers.Serializer[Any]):
    date = serializers.DateField()
    items = Summary(many=True)


@extend_schema_serializer(component_name="ReconRun")
class RunRequest(serializers.Serializer[Any]):
    source = TextField(max_length=40)  # type: ignore[assignment]
    date = DateField()
    file_path = TextField(
        max_length=LONGEST_PATH, required=False, help_text="A file below the server's import folder."
    )


@extend_schema_serializer(component_name="ReconUpload")
class UploadRequest(serializers.Serializer[Any]):
    source = TextField(max_length=40)  # type: ignore[assignment]
    date = DateField()
    file = serializers.FileField()


@extend_schema_serializer(component_name="ReconStarted")
class Started(serializers.Serializer[Any]):
    message = serializers.CharField()
    job_id = serializers.IntegerField()
    source = serializers.CharField()  # type: ignore[assignment]
    date = serializers.DateField()
    status = serializers.ChoiceField(choices=ReconJob.Status.choices)


@extend_schema_serializer(component_name="ReconLogRow")
class LogRow(serializers.Serializer[Any]):
    log_id = serializers.IntegerField()
    job_id = serializers.IntegerField()
    source = serializers.CharField()  # type: ignore[assignment]
    date = serializers.DateField()
    side = serializers.ChoiceField(choices=Side.choices)
    key = serializers.CharField(help_text="The outside id, or the journal line as JE-201903-17/2.")
    amount = MoneyField(help_text="As the outside writes it, on both sides.")
    currency = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    reference = serializers.CharField()
    description = serializers.CharField()
    outcome = serializers.ChoiceField(choices=Outcome.choices)
    rule = serializers.CharField()
    score = serializers.CharField(allow_null=True)
    reasons = serializers.CharField()
    partners = serializers.ListField(child=serializers.CharField())
    nearest = serializers.CharField(help_text="Of an unmatched row: the key that comes closest.")
    failed = serializers.CharField(help_text="What stands between it and the nearest.")
    difference = MoneyField(allow_null=True)
    delay_seconds = serializers.IntegerField(allow_null=True)
    waiting = serializers.BooleanField(help_text="Its partner may still come.")
    age_days = serializers.IntegerField()


@extend_schema_serializer(component_name="ReconNote")
class NoteRow(serializers.Serializer[Any]):
    text = serializers.CharField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()


@extend_schema_serializer(component_name="ReconExceptionDetail")
class ExceptionDetail(LogRow):
    turned_down = serializers.BooleanField(help_text="A person rejected what was suggested for it.")
    candidates = LogRow(many=True, help_text="What it is suggested with, or comes nearest to.")
    notes = NoteRow(many=True)


class LogsQuery(PageQuery):
    sorts: Sorts = {"id": "pk", "amount": "amount", "occurred_at": "occurred_at", "score": "score"}
    source = TextField(max_length=40, required=False)  # type: ignore[assignment]
    date = DateField(required=False)
    matched = FlagField(required=False, help_text="Whether the row has its partner.")
    outcome = serializers.ChoiceField(choices=Outcome.choices, required=False)
    side = serializers.ChoiceField(choices=Side.choices, required=False)


class ExceptionsQuery(PageQuery):
    sorts: Sorts = {"id": "pk", "amount": "amount", "occurred_at": "occurred_at", "score": "score"}
    source = TextField(max_length=40, required=False)  # type: ignore[assignment]
    date = DateField(required=False, help_text="The job's; without it, the last job of each source.")
    outcome = serializers.ChoiceField(choices=Outcome.choices, required=False)
    side = serializers.ChoiceField(choices=Side.choices, required=False)
    waiting = FlagField(
        required=False, help_text="Only those whose partner may still come, or only the others."
    )


LogPage = page_schema(LogRow, "ReconLogPage")
ExceptionPage = page_schema(LogRow, "ReconExceptionPage")


@extend_schema_serializer(component_name="ReconAccept")
class AcceptRequest(serializers.Serializer[Any]):
    partner = TextField(max_length=160, required=False, help_text="Of an ambiguous row: which it belongs to.")
    note = TextField(max_length=LONGEST_REASON, required=False, allow_blank=True)


@extend_schema_serializer(component_name="ReconReject")
class RejectRequest(serializers.Serializer[Any]):
    partner = TextField(max_length=160, required=False)
    reason = TextField(**REASON)


@extend_schema_serializer(component_name="ReconWriteOff")
class WriteOffRequest(serializers.Serializer[Any]):
    reason = TextField(**REASON)
    with_partner = BodyFlagField(
        required=False, help_text="Only the difference to what it is suggested with, and match them."
    )
    partner = TextField(max_length=160, required=False)


@extend_schema_serializer(component_name="ReconComment")
class CommentRequest(serializers.Serializer[Any]):
    text = TextField(max_length=LONGEST_NOTE)


@extend_schema_serializer(component_name="ReconMatchByHand")
class HandRequest(serializers.Serializer[Any]):
    source = TextField(max_length=40)  # type: ignore[assignment]
    external = serializers.ListField(child=TextField(max_length=160), min_length=1, max_length=100)
    ledger = serializers.ListField(child=TextField(max_length=160), min_length=1, max_length=100)
    reason = TextField(**REASON)


@extend_schema_serializer(component_name="ReconUndo")
class UndoRequest(serializers.Serializer[Any]):
    match_id = BodyIdField()
    reason = TextField(**REASON)


@extend_schema_serializer(component_name="ReconMatch")
class MatchAnswer(serializers.Serializer[Any]):
    match_id = serializers.IntegerField()
    status = serializers.ChoiceField(choices=ReconMatch.Status.choices)
    rule = serializers.CharField()
    score = serializers.CharField(allow_null=True)
    difference = MoneyField(help_text="Outside less ledger; 0 once written off.")
    external = serializers.ListField(child=serializers.CharField())
    ledger = serializers.ListField(child=serializers.CharField())
    je_number = serializers.CharField(allow_null=True, help_text="The entry of a write-off.")
    note = serializers.CharField()


class ImportedTrips(serializers.Serializer[Any]):
    batch_id = serializers.IntegerField()
    accepted = serializers.IntegerField()
    rejected = serializers.IntegerField(help_text="Parked for a person.")
    duplicates = serializers.IntegerField(help_text="Loaded before with the same figures.")
    card_earnings = serializers.CharField()
    taxes = serializers.CharField()


@extend_schema_serializer(component_name="CurbFetch")
class FetchRow(serializers.Serializer[Any]):
    fetch_id = serializers.IntegerField()
    to = serializers.DateTimeField()
    status = serializers.ChoiceField(choices=CurbFetch.Status.choices)
    pages = serializers.IntegerField()
    rows = serializers.IntegerField()
    sha256 = serializers.CharField(help_text="Of the file of what was fetched.")
    imported = ImportedTrips(allow_null=True)
    error = JobError(allow_null=True)
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.DateTimeField(), **super().get_fields()}


class FetchesQuery(PageQuery):
    sorts: Sorts = {"fetch_id": "pk", "from": "window_from", "rows": "rows"}
    status = serializers.ChoiceField(choices=CurbFetch.Status.choices, required=False)


FetchPage = page_schema(FetchRow, "CurbFetchPage")


@extend_schema_serializer(component_name="CurbFetchRequest")
class FetchRequest(serializers.Serializer[Any]):
    to = serializers.DateTimeField(required=False, help_text="Default: now.")

    def get_fields(self) -> dict[str, Any]:
        begin = serializers.DateTimeField(
            required=False, help_text="Default: some hours before the end of the last fetch that succeeded."
        )
        return {"from": begin, **super().get_fields()}


@extend_schema_serializer(component_name="CurbFetchStarted")
class FetchStarted(serializers.Serializer[Any]):
    message = serializers.CharField()
    job_id = serializers.UUIDField()


@extend_schema_serializer(component_name="CardSettlement")
class SettlementRow(serializers.Serializer[Any]):
    settlement_pk = serializers.IntegerField()
    settlement_id = serializers.CharField(help_text="The processor's.")
    source = serializers.CharField()  # type: ignore[assignment]
    trip_date = serializers.DateField()
    settled_on = serializers.DateField()
    gross = serializers.CharField()
    fees = serializers.CharField()
    net = serializers.CharField()
    trips = serializers.IntegerField()
    status = serializers.ChoiceField(choices=SettlementStatus.choices)
    held_because = serializers.CharField()
    ledger_trips = serializers.IntegerField(help_text="Card trips of that day in the ledger.")
    ledger_amount = serializers.CharField()
    difference = serializers.CharField(help_text="This settlement's gross less the ledger's.")
    je_number = serializers.CharField(allow_null=True)


class SettlementsQuery(PageQuery):
    sorts: Sorts = {"settled_on": "settled_on", "trip_date": "trip_date", "gross": "gross"}
    source = TextField(max_length=40, required=False)  # type: ignore[assignment]
    status = serializers.ChoiceField(choices=SettlementStatus.choices, required=False)
    trip_date = DateField(required=False)


SettlementPage = page_schema(SettlementRow, "CardSettlementPage")


@extend_schema_serializer(component_name="CardSettlementDecision")
class SettlementDecision(serializers.Serializer[Any]):
    reason = TextField(**REASON)
