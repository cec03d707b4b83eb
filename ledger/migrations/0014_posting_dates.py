"""Totals over a stretch of dates read those days' postings alone; and the task that makes partitions in advance."""

from zoneinfo import ZoneInfo

import django.contrib.postgres.indexes
from django.db import migrations

AHEAD = ("Make the months ahead", "ledger.tasks.make_months_ahead")


def schedule(apps, schema_editor):
    crontab, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(
        minute="20",
        hour="3",
        day_of_week="*",
        day_of_month="*",
        month_of_year="*",
        timezone=ZoneInfo("America/New_York"),
    )
    name, task = AHEAD
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=name, defaults={"task": task, "crontab": crontab}
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(task=AHEAD[1]).delete()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0013_projections_and_seals")]
    operations = [
        migrations.AddIndex(
            model_name="ledgerposting",
            index=django.contrib.postgres.indexes.BrinIndex(
                fields=["effective_on"], name="ledger_posting_effective_brin", autosummarize=True
            ),
        ),
        migrations.RunPython(schedule, unschedule),
    ]
