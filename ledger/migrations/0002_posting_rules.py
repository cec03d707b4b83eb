"""Triggers that hold the rules of the sub-ledger; see `sql/0002_posting_rules.sql`."""

from pathlib import Path

from django.db import migrations


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial"), ("leases", "0001_initial"), ("common", "0001_initial")]
    operations = [
        migrations.RunSQL(sql("0002_posting_rules.sql"), sql("0002_posting_rules.reverse.sql")),
    ]
