"""Voided postings are few among many; their list is found by an index of their own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0028_payouts")]
    operations = [
        migrations.AddIndex(
            model_name="ledgerposting",
            index=models.Index(
                fields=["id"], condition=models.Q(("status", "VOIDED")), name="ledger_posting_voided_idx"
            ),
        ),
    ]
