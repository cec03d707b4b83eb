"""No more of a deposit is applied than was collected. The rule is explained in `sql/0024_deposits.sql`."""

from pathlib import Path

from django.db import migrations, models
from django.db.models import Q


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0022_desk_policy")]
    operations = [
        migrations.AddIndex(
            model_name="ledgerposting",
            index=models.Index(
                condition=Q(category__in=["DEPOSIT", "DEPOSIT_APPLIED"]),
                fields=["account"],
                name="ledger_posting_deposit_idx",
            ),
        ),
        migrations.RunSQL(sql("0024_deposits.sql"), sql("0024_deposits.reverse.sql")),
    ]
