"""Entries for what was posted, driven and paid out before; see `sql/0010_backfill_entries.sql`."""

from pathlib import Path

from django.db import migrations, models


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0009_accounting_policy")]
    operations = [
        migrations.RunSQL(sql("0010_backfill_entries.sql"), migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name='triptotal',
            constraint=models.CheckConstraint(condition=models.Q(('settled_week__isnull', True), ('journalised', models.F('earnings')), _connector='OR'), name='trip_total_settled_is_journalised'),
        ),
    ]
