"""The default payment hierarchy, as data finance may change."""

from django.db import migrations

DEBITS = (
    "TAXES", "EZPASS", "LEASE", "PVB", "TLC", "REPAIR", "LOAN", "MISC", "DEPOSIT", "CANCELLATION_FEE",
    "EARNINGS", "PAYOUT",
)
# Desk payments and earnings are used last, so that what is left at the end is earnings, and is paid out.
CREDIT_RANKS = {"INTERIM_PAYMENT": 2, "EARNINGS": 3}
CATEGORIES = (*DEBITS, "INTERIM_PAYMENT", "DEPOSIT_APPLIED", "ADJUSTMENT", "WRITE_OFF")


def seed(apps, schema_editor):
    CategoryRank = apps.get_model("ledger", "CategoryRank")
    for position, category in enumerate(CATEGORIES, start=1):
        CategoryRank.objects.create(category=category, side="DEBIT", rank=position)
        CategoryRank.objects.create(category=category, side="CREDIT", rank=CREDIT_RANKS.get(category, 1))


def unseed(apps, schema_editor):
    apps.get_model("ledger", "CategoryRank").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_source_partitions")]
    operations = [migrations.RunPython(seed, unseed)]
