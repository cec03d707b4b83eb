"""A transfer between two accounts, in one statement; see `sql/0012_transfers.sql`."""

from pathlib import Path

from django.db import migrations


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0011_postings_have_entries")]
    operations = [migrations.RunSQL(sql("0012_transfers.sql"), sql("0012_transfers.reverse.sql"))]
