"""Totals of bulk runs by slices of their shards, for accounts with millions of lines; and totals written anew."""

from pathlib import Path

import pgtrigger.migrations
from django.db import migrations


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0018_archive")]
    operations = [
        # Written by triggers alone from here on, which says more: 0019_batch_totals.sql.
        pgtrigger.migrations.RemoveTrigger(model_name="batchaccounttotal", name="no_delete"),
        pgtrigger.migrations.RemoveTrigger(model_name="batchaccounttotal", name="no_update"),
        migrations.RunSQL(sql("0019_batch_totals.sql"), sql("0019_batch_totals.reverse.sql")),
    ]
