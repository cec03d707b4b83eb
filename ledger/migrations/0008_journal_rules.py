"""The journal's partitioned tables, and the rules of the journal; see `sql/0008_journal.sql`."""

from pathlib import Path

from django.db import migrations


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0007_journal")]
    operations = [migrations.RunSQL(sql("0008_journal.sql"), sql("0008_journal.reverse.sql"))]
