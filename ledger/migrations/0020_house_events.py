"""Entries of the fleet's own events have an origin of their own."""

from pathlib import Path

from django.db import migrations, models


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0019_batch_totals")]
    operations = [
        migrations.RunSQL(sql("0020_house_events.sql"), sql("0020_house_events.reverse.sql")),
        migrations.AlterField(
            model_name="entryheader",
            name="origin",
            field=models.CharField(
                max_length=12,
                choices=[
                    ("POSTING", "Driver posting"),
                    ("TRIP", "Trip"),
                    ("DTR", "Net pay handed over or returned"),
                    ("LOAN", "Loan paid out or forgiven"),
                    ("DEPOSIT", "Deposit refunded"),
                    ("TRANSFER", "Transfer"),
                    ("MANUAL", "Manual journal"),
                    ("BATCH", "Bulk batch"),
                    ("RECON", "Reconciliation"),
                    ("HOUSE", "Event of the fleet"),
                ],
            ),
        ),
    ]
