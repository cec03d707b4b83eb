"""The shapes of bulk runs: how one is started, and runs, uploads and rejects as they are answered."""

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from batconnect.api.fields import BodyFlagField, DateField, FlagField, IntegerField, MonthField, TextField
from batconnect.api.pagination import PageQuery, Sorts, page_schema
from batconnect.api.views import Query
from batconnect.jobs.models import JobRun

from ..models import Origin, RunState
from ..selectors.batch_standing import Standing
from ..services.reasons import LONGEST_REASON, SHORTEST_REASON

STRICT = "Without it one rejected row is enough, and nothing is posted; with it the valid rows are posted."
DRY_RUN = "Do everything but post: validation, and the effect as a trial balance."
SUM = r"^-?[0-9]{1,34}(\.[0-9]{1,6})?$"


@extend_schema_field({"type": "string", "pattern": SUM, "example": "1250000.00"})
class SumField(serializers.CharField):
    """A sum over a run: a string, which may have more digits than an amount."""


# --- what is asked ------------------------------------------------------------------------------------------


@extend_schema_serializer(component_name="NewBatch")
class MonthRequest(serializers.Serializer[Any]):
    pack = TextField(max_length=40, help_text="Whose rows and templates: `taxi`, `takaful`.")
    month = MonthField(help_text="The rows of this month that have no entry.")
    dry_run = BodyFlagField(required=False, default=False, help_text=DRY_RUN)
    accept_valid = BodyFlagField(required=False, default=False, help_text=STRICT)


@extend_schema_serializer(component_name="NewBatchFromFile")
class FileRequest(serializers.Serializer[Any]):
    pack = TextField(max_length=40, help_text="Whose rows and templates: `taxi`, `takaful`.")
    file = serializers.FileField(
        help_text="Source rows, CSV or Parquet. Rows that were loaded before stay as they are."
    )
    dry_run = FlagField(
        required=False, default=False, help_text=f"{DRY_RUN} The rows are loaded all the same."
    )
    accept_valid = FlagField(required=False, default=False, help_text=STRICT)


@extend_schema_serializer(component_name="BatchReversal")
class ReverseRequest(serializers.Serializer[Any]):
    reason = TextField(max_length=LONGEST_REASON, help_text=f"Why, in {SHORTEST_REASON} characters or more.")
    on = DateField(
        required=False,
        help_text="The accounting date, default today. Trips take their own day, or the first open one after it.",
    )


@extend_schema_serializer(component_name="BatchDiscard")
class DiscardRequest(serializers.Serializer[Any]):
    reason = TextField(max_length=LONGEST_REASON, help_text=f"Why, in {SHORTEST_REASON} characters or more.")


@extend_schema_serializer(component_name="BatchResume")
class ResumeRequest(serializers.Serializer[Any]):
    """Nothing has to be said."""


class RunsQuery(PageQuery):
    sorts: Sorts = {"run_id": "pk", "month": "month", "entries": "entries", "rejects": "rejects"}
    pack = TextField(max_length=40, required=False)
    state = serializers.ChoiceField(choices=RunState.choices, required=False)
    month = MonthField(required=False)


class RejectsQuery(Query):
    """`format=csv` answers with all of them as a file; `page` and `per_page` are of the list alone."""

    page = IntegerField(min_value=1, max_value=2**31 - 1, default=1)
    per_page = IntegerField(min_value=1, max_value=100, default=25)
    format = serializers.ChoiceField(choices=["json", "csv", "excel"], default="json")


# --- what is answered ---------------------------------------------------------------------------------------


class JobProgress(serializers.Serializer[Any]):
    job_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=JobRun.Status.choices)
    step = serializers.CharField()
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    percent = serializers.IntegerField()
    attempts = serializers.IntegerField(help_text="Above 1 it was taken up again, after it lost its worker.")


class BatchError(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()


class BatchRow(serializers.Serializer[Any]):
    run_id = serializers.IntegerField()
    pack = serializers.CharField()
    origin = serializers.ChoiceField(choices=Origin.choices)
    month = MonthField(allow_null=True)
    import_batch = serializers.IntegerField(allow_null=True)
    file_name = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(choices=RunState.choices)
    standing = serializers.ChoiceField(
        choices=[each.name for each in Standing],
        help_text="As people say it. STOPPED waits to be resumed or discarded; TRIED is a dry run that has ended.",
    )
    dry_run = serializers.BooleanField()
    accept_valid = serializers.BooleanField()
    reverses_run = serializers.IntegerField(allow_null=True)
    source_rows = serializers.IntegerField()
    entries = serializers.IntegerField()
    lines = serializers.IntegerField()
    rejects = serializers.IntegerField(help_text="Rows that the templates rejected.")
    skipped = serializers.IntegerField(help_text="Rows that belong into no journal.")
    debits = SumField(help_text="Of all entries, and as much in credits.")
    error = BatchError(allow_null=True)
    reason = serializers.CharField()
    started_by_name = serializers.CharField()
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class BatchProgress(serializers.Serializer[Any]):
    step = serializers.CharField()
    done = serializers.IntegerField(help_text="Source rows the step has done.")
    total = serializers.IntegerField()
    percent = serializers.IntegerField()
    shards = serializers.DictField(child=serializers.IntegerField(), help_text="How many are in each state.")


class BatchEffect(serializers.Serializer[Any]):
    account = serializers.CharField()
    name = serializers.CharField()
    fund = serializers.CharField()
    currency = serializers.CharField()
    debits = SumField()
    credits = SumField()


class BatchDetail(BatchRow):
    large = serializers.BooleanField(
        allow_null=True, help_text="Whether its entries lie in partitions of their own."
    )
    reversed_by = serializers.IntegerField(allow_null=True)
    staged_at = serializers.DateTimeField(allow_null=True)
    validated_at = serializers.DateTimeField(allow_null=True)
    posted_at = serializers.DateTimeField(allow_null=True)
    progress = BatchProgress()
    job = JobProgress(
        allow_null=True, help_text="The last job that worked on it; null: the command line did."
    )
    layers = serializers.DictField(
        help_text="Counts and hash totals of `source`, `frame`, `staging` and `ledger`; the last three agree."
    )
    timings = serializers.DictField(
        child=serializers.FloatField(),
        help_text="Seconds by step, summed over workers; `wall` from planning to the end; `peak_mib` of memory.",
    )
    effect = BatchEffect(
        many=True,
        allow_null=True,
        help_text="What it brings to the accounts; null while it is at work, and where it brought nothing.",
    )


class BatchStarted(serializers.Serializer[Any]):
    run_id = serializers.IntegerField(
        allow_null=True, help_text="Null until a file is loaded: see its upload."
    )
    upload_id = serializers.UUIDField(
        allow_null=True, help_text="Of a file: where its loading can be followed."
    )
    job_id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=RunState.choices)
    message = serializers.CharField()


class BatchUpload(serializers.Serializer[Any]):
    upload_id = serializers.UUIDField()
    pack = serializers.CharField()
    dry_run = serializers.BooleanField()
    accept_valid = serializers.BooleanField()
    job = JobProgress()
    error = BatchError(allow_null=True)
    import_batch = serializers.IntegerField(allow_null=True)
    rows = serializers.IntegerField(allow_null=True)
    accepted = serializers.IntegerField(allow_null=True)
    rejected = serializers.IntegerField(allow_null=True)
    duplicates = serializers.IntegerField(allow_null=True)
    run_id = serializers.IntegerField(allow_null=True, help_text="Once it is loaded and planned.")
    created_at = serializers.DateTimeField()


class BatchReject(serializers.Serializer[Any]):
    file = serializers.CharField(allow_null=True)
    row_number = serializers.IntegerField(
        allow_null=True, help_text="In the file, where its header is row 1."
    )
    source_rowid = serializers.CharField(allow_null=True)
    column = serializers.CharField(help_text="Empty where it is the row as a whole.")
    value = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


BatchPage = page_schema(BatchRow, "BatchPage")
BatchRejectPage = page_schema(BatchReject, "BatchRejectPage")
