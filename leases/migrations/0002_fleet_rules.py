"""One lease per medallion, one vehicle per medallion, numbered leases, posted installments that stay.

The rules are explained where they are written: `sql/0002_fleet_rules.sql`.
"""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Func, Q


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("leases", "0001_initial")]
    operations = [
        # First, because the column's default below calls a function made here.
        migrations.RunSQL(sql("0002_fleet_rules.sql"), sql("0002_fleet_rules.reverse.sql")),
        migrations.AlterField(
            model_name="historicallease",
            name="number",
            field=models.CharField(
                db_default=Func(function="next_lease_number"), db_index=True, editable=False, max_length=20
            ),
        ),
        migrations.AlterField(
            model_name="lease",
            name="number",
            field=models.CharField(
                db_default=Func(function="next_lease_number"), editable=False, max_length=20, unique=True
            ),
        ),
        migrations.AlterField(
            model_name="leaseinstallment",
            name="lease",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="installments",
                to="leases.lease",
            ),
        ),
        migrations.AlterField(
            model_name="leaseinstallment", name="reference_id", field=models.CharField(max_length=40)
        ),
        migrations.AddConstraint(
            model_name="leaseinstallment",
            constraint=models.UniqueConstraint(
                fields=("reference_id",), name="lease_installment_reference_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="leaseinstallment",
            constraint=models.CheckConstraint(
                condition=Q(
                    week__week_day=1,
                    week__lte=F("period_start"),
                    period_start__lte=F("period_end"),
                    period_end__lte=F("due_on"),
                    due_on=F("week") + 6,
                ),
                name="lease_installment_within_week",
            ),
        ),
    ]
