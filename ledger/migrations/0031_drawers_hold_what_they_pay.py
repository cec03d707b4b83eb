"""Cash is paid out of what a drawer holds. The rule is in `sql/0031_drawers_hold_what_they_pay.sql`."""

from pathlib import Path

from django.db import migrations


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0030_reopened_payouts")]
    operations = [
        migrations.RunSQL(
            sql("0031_drawers_hold_what_they_pay.sql"), sql("0031_drawers_hold_what_they_pay.reverse.sql")
        ),
    ]
