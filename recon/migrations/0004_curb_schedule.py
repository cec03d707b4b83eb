"""Trips are fetched every hour. A row that exists is left alone: the schedule is edited in the admin."""

from zoneinfo import ZoneInfo

from django.db import migrations

HOURLY = ("Fetch trips from the card processor", "recon.tasks.fetch_curb_trips")


def schedule(apps, schema_editor):
    crontab, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(
        minute="5",
        hour="*",
        day_of_week="*",
        day_of_month="*",
        month_of_year="*",
        timezone=ZoneInfo("America/New_York"),
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=HOURLY[0], defaults={"task": HOURLY[1], "crontab": crontab}
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(task=HOURLY[1]).delete()


class Migration(migrations.Migration):
    dependencies = [("recon", "0003_curb"), ("django_celery_beat", "0019_alter_periodictasks_options")]
    operations = [migrations.RunPython(schedule, unschedule)]
