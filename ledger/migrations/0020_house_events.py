"""Entries of the fleet's own events have an origin of their own."""

from pathlib import Path

from django.db import migrations


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0019_batch_totals")]
    operations = [
        migrations.RunSQL(sql("0020_house_events.sql"), sql("0020_house_events.reverse.sql")),
    ]
