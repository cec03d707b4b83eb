"""Bulk runs: their tables, what is staged for them, and the steps by which they come into the journal."""

from pathlib import Path

import django.db.models.deletion
import django.db.models.expressions
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


def run_sql(name: str) -> migrations.RunSQL:
    return migrations.RunSQL(sql(f"{name}.sql"), sql(f"{name}.reverse.sql"))


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0014_posting_dates'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # Far beyond what is drawn online, a block of numbers to each shard.
        migrations.RunSQL(
            "CREATE SEQUENCE ledger_batch_entry_id_seq AS bigint START 1000000262144 INCREMENT 262144",
            "DROP SEQUENCE ledger_batch_entry_id_seq",
        ),
        migrations.CreateModel(
            name='BatchAccountTotal',
            fields=[
                ('pk', models.CompositePrimaryKey('batch_id', 'je_date', 'account_id', 'fund', blank=True, editable=False, primary_key=True, serialize=False)),
                ('batch_id', models.BigIntegerField()),
                ('je_date', models.DateField()),
                ('account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.account')),
                ('fund', models.CharField(max_length=10)),
                ('debits', models.DecimalField(decimal_places=6, max_digits=40)),
                ('credits', models.DecimalField(decimal_places=6, max_digits=40)),
            ],
            options={
                'db_table': 'batch_account_total',
                'ordering': ['batch_id', 'je_date', 'account_id', 'fund'],
            },
        ),
        migrations.CreateModel(
            name='JournalRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('pack', models.CharField(max_length=40)),
                ('origin', models.CharField(choices=[('TRIP', 'Trip'), ('BATCH', 'Bulk batch')], max_length=12)),
                ('month', models.DateField(null=True)),
                ('state', models.CharField(choices=[('PENDING', 'Being staged'), ('STAGED', 'Staged'), ('VALIDATED', 'Validated'), ('POSTED', 'Posted'), ('FAILED', 'Failed or discarded')], default='PENDING', max_length=9)),
                ('dry_run', models.BooleanField(default=False)),
                ('accept_valid', models.BooleanField(default=False)),
                ('large', models.BooleanField(null=True)),
                ('shard_rows', models.PositiveIntegerField(default=100000)),
                ('policy_version', models.BigIntegerField()),
                ('floor_date', models.DateField(null=True)),
                ('source_rows', models.BigIntegerField(default=0)),
                ('entries', models.BigIntegerField(default=0)),
                ('lines', models.BigIntegerField(default=0)),
                ('rejects', models.BigIntegerField(default=0)),
                ('skipped', models.BigIntegerField(default=0)),
                ('debits', models.DecimalField(decimal_places=6, default=0, max_digits=40)),
                ('layers', models.JSONField(default=dict)),
                ('timings', models.JSONField(default=dict)),
                ('error_code', models.CharField(blank=True, default='', max_length=60)),
                ('error', models.TextField(blank=True, default='')),
                ('reason', models.CharField(blank=True, default='', max_length=500)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('staged_at', models.DateTimeField(null=True)),
                ('validated_at', models.DateTimeField(null=True)),
                ('posted_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'journal_run',
                'ordering': ['-id'],
                'verbose_name': 'bulk run',
                'permissions': [('post_batch', 'Can start, resume and discard bulk runs'), ('reverse_batch', 'Can reverse bulk runs')],
            },
        ),
        migrations.CreateModel(
            name='JournalShard',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('txn_month', models.DateField()),
                ('first_source_id', models.BigIntegerField()),
                ('last_source_id', models.BigIntegerField()),
                ('source_rows', models.PositiveIntegerField()),
                ('entry_base', models.BigIntegerField(db_default=models.Func(models.Value('ledger_batch_entry_id_seq'), function='nextval'), unique=True)),
                ('state', models.CharField(choices=[('PENDING', 'Being staged'), ('STAGED', 'Staged'), ('VALIDATED', 'Validated'), ('POSTED', 'Posted')], default='PENDING', max_length=9)),
                ('entries', models.PositiveIntegerField(default=0)),
                ('lines', models.PositiveIntegerField(default=0)),
                ('rejects', models.PositiveIntegerField(default=0)),
                ('skipped', models.PositiveIntegerField(default=0)),
                ('source_gross', models.DecimalField(decimal_places=6, default=0, max_digits=40)),
                ('source_ids_sum', models.DecimalField(decimal_places=0, default=0, max_digits=40)),
                ('debits', models.DecimalField(decimal_places=6, default=0, max_digits=40)),
                ('keys_total', models.DecimalField(decimal_places=0, default=0, max_digits=40)),
                ('weighted_total', models.DecimalField(decimal_places=6, default=0, max_digits=40)),
                ('months', models.JSONField(default=list)),
                ('accounts', models.JSONField(default=dict)),
                ('timings', models.JSONField(default=dict)),
                ('worker', models.CharField(blank=True, default='', max_length=100)),
                ('taken_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'journal_run_shard',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='RunReject',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('row_number', models.PositiveIntegerField(null=True)),
                ('source_id', models.BigIntegerField(null=True)),
                ('column', models.CharField(blank=True, default='', max_length=60)),
                ('code', models.CharField(max_length=60)),
                ('message', models.CharField(max_length=500)),
                ('raw', models.JSONField(null=True)),
            ],
            options={
                'db_table': 'journal_run_reject',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='RunTripTotal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account_id', models.BigIntegerField()),
                ('week', models.DateField()),
                ('import_batch_id', models.BigIntegerField()),
                ('amount', models.DecimalField(decimal_places=6, max_digits=20)),
            ],
            options={
                'db_table': 'journal_run_trip_total',
                'ordering': ['id'],
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='sourcerowjournalised',
            name='no_delete',
        ),
        migrations.AddField(
            model_name='entryline',
            name='template_line',
            field=models.SmallIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name='journalrun',
            name='import_batch',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='journal_runs', to='ledger.importbatch'),
        ),
        migrations.AddField(
            model_name='journalrun',
            name='posted_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='journalrun',
            name='reverses_run',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reversals', to='ledger.journalrun'),
        ),
        migrations.AddField(
            model_name='journalrun',
            name='started_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='journalshard',
            name='run',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='shards', to='ledger.journalrun'),
        ),
        migrations.AddField(
            model_name='runreject',
            name='run',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='reject_rows', to='ledger.journalrun'),
        ),
        migrations.AddField(
            model_name='runreject',
            name='shard',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.journalshard'),
        ),
        migrations.AddField(
            model_name='runtriptotal',
            name='run',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='trip_totals', to='ledger.journalrun'),
        ),
        migrations.AddField(
            model_name='runtriptotal',
            name='shard',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.journalshard'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='batchaccounttotal',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='0786cfa9e499327cc4b5f95a079a51d09a1c7378', operation='DELETE', pgid='pgtrigger_no_delete_5b93d', table='batch_account_total', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='batchaccounttotal',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='ac9b493b42202aad71ac348bcc96241e55370d07', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_d5de6', table='batch_account_total', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='batchaccounttotal',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='2e1356f7c9e2ec9cbc6c205f0e9ece490d5f6a3e', operation='UPDATE', pgid='pgtrigger_no_update_2a7e6', table='batch_account_total', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='journalrun',
            constraint=models.CheckConstraint(condition=models.Q(('month__isnull', False), ('import_batch__isnull', False), _connector='OR'), name='journal_run_has_scope'),
        ),
        migrations.AddConstraint(
            model_name='journalrun',
            constraint=models.CheckConstraint(condition=models.Q(('month__isnull', True), ('month__day', 1), _connector='OR'), name='journal_run_month_is_first_day'),
        ),
        migrations.AddConstraint(
            model_name='journalrun',
            constraint=models.CheckConstraint(condition=models.Q(('origin__in', ['TRIP', 'BATCH'])), name='journal_run_origin'),
        ),
        migrations.AddConstraint(
            model_name='journalrun',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['PENDING', 'STAGED', 'VALIDATED', 'POSTED', 'FAILED'])), name='journal_run_state'),
        ),
        migrations.AddConstraint(
            model_name='journalrun',
            constraint=models.CheckConstraint(condition=models.Q(('shard_rows__gte', 1), ('shard_rows__lte', 262144)), name='journal_run_shard_rows'),
        ),
        migrations.AddConstraint(
            model_name='journalrun',
            constraint=models.UniqueConstraint(condition=models.Q(('month__isnull', False), models.Q(('state__in', ('POSTED', 'FAILED')), _negated=True), models.Q(('dry_run', True), ('state', 'VALIDATED'), _negated=True)), fields=('pack', 'month'), name='journal_run_month_at_once'),
        ),
        migrations.AddConstraint(
            model_name='journalrun',
            constraint=models.UniqueConstraint(condition=models.Q(models.Q(('state__in', ('POSTED', 'FAILED')), _negated=True), models.Q(('dry_run', True), ('state', 'VALIDATED'), _negated=True)), fields=('import_batch',), name='journal_run_file_at_once'),
        ),
        migrations.AddConstraint(
            model_name='journalrun',
            constraint=models.UniqueConstraint(condition=models.Q(models.Q(('state', 'FAILED'), _negated=True), ('dry_run', False)), fields=('reverses_run',), name='journal_run_reversed_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='journalrun',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='1ab00111285c324315edddd97463107e2c7b3253', operation='DELETE', pgid='pgtrigger_no_delete_75310', table='journal_run', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='journalrun',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='c5f8e66de5173be0386ed19c3782f8a13c78963a', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_edb3f', table='journal_run', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='journalshard',
            constraint=models.UniqueConstraint(fields=('run', 'number'), name='journal_run_shard_once'),
        ),
        migrations.AddConstraint(
            model_name='journalshard',
            constraint=models.CheckConstraint(condition=models.Q(('source_rows__gte', 1), ('source_rows__lte', 262144), ('last_source_id__gte', models.F('first_source_id'))), name='journal_run_shard_range'),
        ),
        migrations.AddConstraint(
            model_name='journalshard',
            constraint=models.CheckConstraint(condition=models.Q(('state', 'PENDING'), ('source_rows', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('entries'), '+', models.F('rejects')), '+', models.F('skipped'))), _connector='OR'), name='journal_run_shard_adds_up'),
        ),
        migrations.AddConstraint(
            model_name='journalshard',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['PENDING', 'STAGED', 'VALIDATED', 'POSTED'])), name='journal_run_shard_state'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='journalshard',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='eab66eaacc6970a7255ee7a72dd750fa034389fc', operation='DELETE', pgid='pgtrigger_no_delete_0b7a5', table='journal_run_shard', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='journalshard',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='3b7fa12e9ad2ff9d1d378481b0a652d2f128eebc', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_65a94', table='journal_run_shard', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='runreject',
            index=models.Index(fields=['run', 'id'], name='journal_run_reject_idx'),
        ),
        run_sql("0016_bulk_runs"),
        run_sql("0016_bulk_validation"),
        run_sql("0016_bulk_posting"),
        run_sql("0016_bulk_entries"),
    ]
