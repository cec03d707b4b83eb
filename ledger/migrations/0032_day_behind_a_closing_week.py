"""What is posted while its week closes waits for that, and gets the first open day. The rule is in `sql/`."""

from pathlib import Path

from django.db import migrations


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0031_drawers_hold_what_they_pay")]
    operations = [
        migrations.RunSQL(
            sql("0032_day_behind_a_closing_week.sql"), sql("0032_day_behind_a_closing_week.reverse.sql")
        ),
    ]
