"""When scheduled work runs. Rows that exist are left alone: the schedule is edited in the admin."""

from zoneinfo import ZoneInfo

from django.db import migrations

SUNDAY_TASKS = (
    ("Post scheduled installments", "ledger.tasks.post_scheduled_installments", "0"),
    ("Apply earnings and make DTRs", "ledger.tasks.apply_earnings_for_dtr", "10"),
)
SWEEP = ("Take up waiting and lost jobs", "batconnect.jobs.tasks.sweep_jobs")


def schedule(apps, schema_editor):
    CrontabSchedule = apps.get_model("django_celery_beat", "CrontabSchedule")
    IntervalSchedule = apps.get_model("django_celery_beat", "IntervalSchedule")
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    for name, task, minute in SUNDAY_TASKS:
        crontab, _ = CrontabSchedule.objects.get_or_create(
            minute=minute,
            hour="5",
            day_of_week="0",
            day_of_month="*",
            month_of_year="*",
            timezone=ZoneInfo("America/New_York"),
        )
        PeriodicTask.objects.get_or_create(name=name, defaults={"task": task, "crontab": crontab})
    every_minute, _ = IntervalSchedule.objects.get_or_create(every=1, period="minutes")
    PeriodicTask.objects.get_or_create(
        # A sweep that waited longer than its minute is overtaken by the next one.
        name=SWEEP[0], defaults={"task": SWEEP[1], "interval": every_minute, "expire_seconds": 55}
    )


def unschedule(apps, schema_editor):
    tasks = [task for _, task, _ in SUNDAY_TASKS] + [SWEEP[1]]
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(task__in=tasks).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0004_category_ranks"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [migrations.RunPython(schedule, unschedule)]
