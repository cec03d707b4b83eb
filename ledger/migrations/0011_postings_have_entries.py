"""Every posting with its entry, in one statement; see `sql/0011_postings_have_entries.sql`."""

from pathlib import Path

from django.db import migrations


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0010_backfill_entries")]
    operations = [
        migrations.RunSQL(
            sql("0011_postings_have_entries.sql"), sql("0011_postings_have_entries.reverse.sql")
        ),
    ]
