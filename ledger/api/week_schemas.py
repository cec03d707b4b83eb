"""The shapes of weekly runs: how one is started, and weeks as they are answered."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from batconnect.api.fields import AmountField, BodyFlagField, DateField
from batconnect.api.pagination import PageQuery, Sorts, page_schema
from batconnect.jobs.models import JobRun

from ..models import WeeklyRun
from .batch_schemas import BatchError, JobProgress

SUNDAY = "The Sunday the week starts on."


@extend_schema_serializer(component_name="NewWeeklyRun")
class RunRequest(serializers.Serializer[Any]):
    week = DateField(required=False, help_text=f"{SUNDAY} Not given: the next one to run.")
    dry_run = BodyFlagField(
        required=False,
        default=False,
        help_text="Work the whole week out, say what it gives, and keep nothing.",
    )


class WeeksQuery(PageQuery):
    sorts: Sorts = {"week": "week", "started_at": "started_at", "closed_at": "closed_at"}
    status = serializers.ChoiceField(choices=WeeklyRun.Status.choices, required=False)


class WeekResult(serializers.Serializer[Any]):
    leases = serializers.IntegerField()
    installments_posted = serializers.IntegerField()
    earnings = AmountField(help_text="Card earnings.")
    taxes = AmountField()
    allocated = AmountField(help_text="What went to debts; net pay is not in it.")
    net_pay = AmountField()
    open_receivables = AmountField(help_text="What drivers still owe.")
    dtrs = serializers.IntegerField()


class WeekRow(serializers.Serializer[Any]):
    week = serializers.DateField(help_text=SUNDAY)
    ends_on = serializers.DateField(help_text="Its Saturday.")
    status = serializers.ChoiceField(
        choices=WeeklyRun.Status.choices, allow_null=True, help_text="Null: no run of it was started."
    )
    installments_posted = serializers.IntegerField()
    started_by_name = serializers.CharField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    result = WeekResult(allow_null=True, help_text="Once it is closed.")


class WeekJob(JobProgress):
    started_by_name = serializers.CharField()
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    error = BatchError(allow_null=True)
    result = WeekResult(allow_null=True, help_text="What it gave; of a dry run, what it would give.")


class WeekWarning(serializers.Serializer[Any]):
    what = serializers.CharField(help_text="What it is about: `import`, `journal`, `parked`, …")
    message = serializers.CharField()


class WeekDetail(WeekRow):
    warnings = WeekWarning(many=True, help_text="What to look at before it is run. They hold nothing up.")
    run = WeekJob(allow_null=True, help_text="The last run of this week that somebody started.")
    preview = WeekJob(allow_null=True, help_text="The last dry run of this week.")
    at_work = JobProgress(
        allow_null=True,
        help_text="The run or dry run that waits or works at this moment, of whichever week; the scheduled ones too.",
    )


class WeekStarted(serializers.Serializer[Any]):
    week = serializers.DateField(help_text=SUNDAY)
    dry_run = serializers.BooleanField()
    job_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=JobRun.Status.choices)
    message = serializers.CharField()


WeekPage = page_schema(WeekRow, "WeekPage")
