"""Source transactions, partitioned by month; Django only knows their shape."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_posting_rules")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(sql("0003_source_partitions.sql"), sql("0003_source_partitions.reverse.sql")),
            ],
            state_operations=[
                migrations.CreateModel(
                    name='SourceTransaction',
                    fields=[
                        ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                        ('txn_month', models.DateField()),
                        ('row_number', models.PositiveIntegerField()),
                        ('source', models.CharField(max_length=20)),
                        ('source_rowid', models.CharField(max_length=64)),
                        ('txn_type', models.CharField(max_length=20)),
                        ('product_code', models.CharField(max_length=20)),
                        ('channel', models.CharField(max_length=20)),
                        ('bank_value_date', models.DateField()),
                        ('currency', models.CharField(max_length=3)),
                        ('gross_amount', models.DecimalField(decimal_places=6, max_digits=20)),
                        ('week', models.DateField()),
                        ('started_at', models.DateTimeField()),
                        ('ended_at', models.DateTimeField()),
                        ('fare', models.DecimalField(decimal_places=2, max_digits=14)),
                        ('extras', models.DecimalField(decimal_places=2, max_digits=14)),
                        ('tips', models.DecimalField(decimal_places=2, max_digits=14)),
                        ('tolls', models.DecimalField(decimal_places=2, max_digits=14)),
                        ('mta_tax', models.DecimalField(decimal_places=2, max_digits=14)),
                        ('improvement_surcharge', models.DecimalField(decimal_places=2, max_digits=14)),
                        ('congestion_fee', models.DecimalField(decimal_places=2, max_digits=14)),
                        ('airport_fee', models.DecimalField(decimal_places=2, max_digits=14)),
                        ('cbd_toll', models.DecimalField(decimal_places=2, max_digits=14)),
                        ('account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='trips', to='ledger.driveraccount')),
                        ('batch', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='transactions', to='ledger.importbatch')),
                        ('driver', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='trips', to='leases.driver')),
                        ('lease', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='trips', to='leases.lease')),
                        ('medallion', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='trips', to='leases.medallion')),
                        ('vehicle', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='trips', to='leases.vehicle')),
                    ],
                    options={
                        'db_table': 'txn_source_parent',
                        'ordering': ['-id'],
                    },
                ),
            ],
        ),
    ]
