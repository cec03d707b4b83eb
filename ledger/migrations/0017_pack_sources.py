"""Source rows of other packs than the fleet's, and the rejects of their files."""

from pathlib import Path

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0016_bulk_runs")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(sql("0017_pack_sources.sql"), sql("0017_pack_sources.reverse.sql")),
            ],
            state_operations=[
                migrations.AddField(
                    model_name='sourcetransaction',
                    name='admin_amount',
                    field=models.DecimalField(decimal_places=6, max_digits=20, null=True),
                ),
                migrations.AddField(
                    model_name='sourcetransaction',
                    name='invest_amount',
                    field=models.DecimalField(decimal_places=6, max_digits=20, null=True),
                ),
                migrations.AddField(
                    model_name='sourcetransaction',
                    name='policy_no',
                    field=models.CharField(max_length=40, null=True),
                ),
                migrations.AddField(
                    model_name='sourcetransaction',
                    name='tabarru_amount',
                    field=models.DecimalField(decimal_places=6, max_digits=20, null=True),
                ),
                migrations.AddField(
                    model_name='sourcetransaction',
                    name='tanahud_amount',
                    field=models.DecimalField(decimal_places=6, max_digits=20, null=True),
                ),
                migrations.AddField(
                    model_name='sourcetransaction',
                    name='ujroh_amount',
                    field=models.DecimalField(decimal_places=6, max_digits=20, null=True),
                ),
                migrations.AlterField(
                    model_name='sourcetransaction',
                    name='account',
                    field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='trips', to='ledger.driveraccount'),
                ),
                migrations.AlterField(
                    model_name='sourcetransaction',
                    name='airport_fee',
                    field=models.DecimalField(decimal_places=2, max_digits=14, null=True),
                ),
                migrations.AlterField(
                    model_name='sourcetransaction',
                    name='cbd_toll',
                    field=models.DecimalField(decimal_places=2, max_digits=14, null=True),
                ),
                migrations.AlterField(
                    model_name='sourcetransaction',
                    name='congestion_fee',
                    field=models.DecimalField(decimal_places=2, max_digits=14, null=True),
                ),
                migrations.AlterField(
                    model_name='sourcetransaction',
                    name='driver',
                    field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='trips', to='leases.driver'),
                ),
                migrations.AlterField(
                    model_name='sourcetransaction',
                    name='ended_at',
                    field=models.DateTimeField(null=True),
                ),
                migrations.AlterField(
                    model_name='sourcetransaction',
                    name='extras',
                    field=models.DecimalField(decimal_places=2, max_digits=14, null=True),
                ),
                migrations.AlterField(
                    model_name='sourcetransaction',
                    name='fare',
                    field=models.DecimalField(decimal_places=2, max_digits=14, null=True),
                ),
                migrations.AlterField(
                    model_name='sourcetransaction',
                    name='improvement_surcharge',
                    field=models.DecimalField(decimal_places=2, max_digits=14, null=True),
                ),
                migrations.AlterField(
                    model_name='sourcetransaction',
                    name='lease',
                    field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='trips', to='leases.lease'),
                ),
                migrations.AlterField(
                    model_name='sourcetransaction',
                    name='medallion',
                    field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='trips', to='leases.medallion'),
                ),
                migrations.AlterField(
                    model_name='sourcetransaction',
                    name='mta_tax',
                    field=models.DecimalField(decimal_places=2, max_digits=14, null=True),
                ),
                migrations.AlterField(
                    model_name='sourcetransaction',
                    name='started_at',
                    field=models.DateTimeField(null=True),
                ),
                migrations.AlterField(
                    model_name='sourcetransaction',
                    name='tips',
                    field=models.DecimalField(decimal_places=2, max_digits=14, null=True),
                ),
                migrations.AlterField(
                    model_name='sourcetransaction',
                    name='tolls',
                    field=models.DecimalField(decimal_places=2, max_digits=14, null=True),
                ),
                migrations.AlterField(
                    model_name='sourcetransaction',
                    name='vehicle',
                    field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='trips', to='leases.vehicle'),
                ),
                migrations.AlterField(
                    model_name='sourcetransaction',
                    name='week',
                    field=models.DateField(null=True),
                ),
            ],
        ),
        migrations.AddField(
            model_name='importbatch',
            name='first_source_id',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='importbatch',
            name='last_source_id',
            field=models.BigIntegerField(null=True),
        ),
        migrations.CreateModel(
            name='SourceReject',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('row_number', models.PositiveIntegerField()),
                ('column', models.CharField(max_length=40)),
                ('code', models.CharField(max_length=40)),
                ('message', models.CharField(max_length=500)),
                ('raw', models.JSONField()),
                ('batch', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='rejects', to='ledger.importbatch')),
            ],
            options={
                'db_table': 'source_reject',
                'ordering': ['id'],
                'indexes': [models.Index(fields=['batch', 'id'], name='source_reject_batch_idx')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sourcereject',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='ec9836aba60bad186af8b1bdd8fe58c2fcdd16a6', operation='DELETE', pgid='pgtrigger_no_delete_0f73d', table='source_reject', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sourcereject',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='9f6d5ba351d499ce57f7b42af4de01fb24fc9b07', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_790fd', table='source_reject', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sourcereject',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='a6a88c0b41c3e5978d6831886a43637092885772', operation='UPDATE', pgid='pgtrigger_no_update_4a7e3', table='source_reject', when='BEFORE')),
        ),
    ]
