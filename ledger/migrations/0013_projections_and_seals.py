"""Seals that can name the row; projections written anew from the log; and the hour at which the ledger is sealed."""

from pathlib import Path
from zoneinfo import ZoneInfo

from django.db import migrations, models

SEAL = ("Seal the ledger", "ledger.tasks.seal_ledger")


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


def schedule(apps, schema_editor):
    crontab, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(
        minute="40",
        hour="3",
        day_of_week="*",
        day_of_month="*",
        month_of_year="*",
        timezone=ZoneInfo("America/New_York"),
    )
    name, task = SEAL
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=name, defaults={"task": task, "crontab": crontab}
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(task=SEAL[1]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0012_transfers"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [
        migrations.AddField(
            model_name="ledgerseal",
            name="batch_id",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="ledgerseal",
            name="marks",
            field=models.BinaryField(default=b""),
            preserve_default=False,
        ),
        migrations.RunSQL(
            sql("0013_projections_and_seals.sql"), sql("0013_projections_and_seals.reverse.sql")
        ),
        migrations.RunPython(schedule, unschedule),
    ]
