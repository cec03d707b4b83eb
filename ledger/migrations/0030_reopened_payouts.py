"""Net pay whose earnings were taken back is not paid, whoever asks. The rule is in `sql/0030_reopened_payouts.sql`."""

from pathlib import Path

from django.db import migrations, models
from django.db.models import Q


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0029_voided_postings")]
    operations = [
        migrations.AddIndex(
            model_name="dtrpayment",
            index=models.Index(
                condition=Q(method="CASH"), fields=["method_reference"], name="dtr_payment_receipt_idx"
            ),
        ),
        migrations.RunSQL(sql("0030_reopened_payouts.sql"), sql("0030_reopened_payouts.reverse.sql")),
    ]
