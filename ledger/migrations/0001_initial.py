from pathlib import Path

import django.contrib.postgres.fields
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import simple_history.models
from django.conf import settings
from django.db import migrations, models



def sql(name: str) -> str:
    return (Path(__file__).parent / 'sql' / name).read_text()


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('leases', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(sql('0001_ids.sql'), sql('0001_ids.reverse.sql')),
        migrations.CreateModel(
            name='LedgerPosting',
            fields=[
                ('id', models.UUIDField(db_default=models.Func(function='uuid7', output_field=models.UUIDField()), editable=False, primary_key=True, serialize=False)),
                ('seq', models.BigIntegerField(db_default=models.Func(models.Value('ledger_posting_seq'), function='nextval'))),
                ('category', models.CharField(choices=[('TAXES', 'Taxes'), ('EZPASS', 'E-ZPass tolls'), ('LEASE', 'Lease'), ('PVB', 'Parking violations'), ('TLC', 'TLC tickets'), ('REPAIR', 'Repairs'), ('LOAN', 'Loans'), ('MISC', 'Miscellaneous'), ('DEPOSIT', 'Deposit'), ('CANCELLATION_FEE', 'Cancellation fee'), ('EARNINGS', 'Card earnings'), ('INTERIM_PAYMENT', 'Payment at the desk'), ('DEPOSIT_APPLIED', 'Deposit applied'), ('ADJUSTMENT', 'Adjustment'), ('WRITE_OFF', 'Write-off'), ('PAYOUT', 'Net pay')], max_length=20)),
                ('amount', models.DecimalField(decimal_places=2, max_digits=14)),
                ('entry_type', models.GeneratedField(db_persist=True, expression=models.Case(models.When(amount__gt=0, then=models.Value('DEBIT')), default=models.Value('CREDIT')), output_field=models.CharField(choices=[('DEBIT', 'Debit'), ('CREDIT', 'Credit')], max_length=6))),
                ('status', models.CharField(choices=[('POSTED', 'Posted'), ('VOIDED', 'Voided')], db_default='POSTED', max_length=6)),
                ('reference_id', models.CharField(max_length=80)),
                ('product', models.CharField(blank=True, db_default='', max_length=40)),
                ('components', models.JSONField(null=True)),
                ('description', models.CharField(blank=True, db_default='', max_length=160)),
                ('effective_on', models.DateField()),
                ('event_on', models.DateField()),
                ('due_on', models.DateField(null=True)),
                ('run_week', models.DateField(null=True)),
                ('reason', models.CharField(blank=True, db_default='', max_length=500)),
                ('created_at', models.DateTimeField(db_default=models.Func(function='statement_timestamp'))),
            ],
            options={
                'db_table': 'ledger_posting',
                'ordering': ['-id'],
                'permissions': [('void_posting', 'Can void a posting'), ('reverse_settlement', "Can reverse a week's settlement"), ('export_ledger', 'Can export the ledger')],
            },
        ),
        migrations.CreateModel(
            name='TripTotal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('week', models.DateField()),
                ('earnings', models.DecimalField(decimal_places=2, max_digits=14)),
                ('card_trips', models.PositiveIntegerField()),
                ('cash_trips', models.PositiveIntegerField()),
                ('other_trips', models.PositiveIntegerField()),
                ('mta_tax', models.DecimalField(decimal_places=2, max_digits=14)),
                ('mta_trips', models.PositiveIntegerField()),
                ('improvement_surcharge', models.DecimalField(decimal_places=2, max_digits=14)),
                ('improvement_trips', models.PositiveIntegerField()),
                ('congestion_fee', models.DecimalField(decimal_places=2, max_digits=14)),
                ('congestion_trips', models.PositiveIntegerField()),
                ('airport_fee', models.DecimalField(decimal_places=2, max_digits=14)),
                ('airport_trips', models.PositiveIntegerField()),
                ('cbd_toll', models.DecimalField(decimal_places=2, max_digits=14)),
                ('cbd_trips', models.PositiveIntegerField()),
                ('settled_week', models.DateField(null=True)),
            ],
            options={
                'db_table': 'trip_total',
            },
        ),
        migrations.CreateModel(
            name='WeeklyRun',
            fields=[
                ('week', models.DateField(primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('OPEN', 'Started'), ('INSTALLMENTS_POSTED', 'Installments posted'), ('CLOSED', 'Closed')], default='OPEN', max_length=20)),
                ('started_at', models.DateTimeField(auto_now_add=True)),
                ('installments_posted', models.PositiveIntegerField(default=0)),
                ('closed_at', models.DateTimeField(null=True)),
                ('result', models.JSONField(null=True)),
            ],
            options={
                'db_table': 'weekly_run',
                'ordering': ['-week'],
                'permissions': [('run_week', 'Can preview and run the weekly settlement')],
            },
        ),
        migrations.CreateModel(
            name='CategoryRank',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('category', models.CharField(choices=[('TAXES', 'Taxes'), ('EZPASS', 'E-ZPass tolls'), ('LEASE', 'Lease'), ('PVB', 'Parking violations'), ('TLC', 'TLC tickets'), ('REPAIR', 'Repairs'), ('LOAN', 'Loans'), ('MISC', 'Miscellaneous'), ('DEPOSIT', 'Deposit'), ('CANCELLATION_FEE', 'Cancellation fee'), ('EARNINGS', 'Card earnings'), ('INTERIM_PAYMENT', 'Payment at the desk'), ('DEPOSIT_APPLIED', 'Deposit applied'), ('ADJUSTMENT', 'Adjustment'), ('WRITE_OFF', 'Write-off'), ('PAYOUT', 'Net pay')], max_length=20)),
                ('side', models.CharField(choices=[('DEBIT', 'Debit'), ('CREDIT', 'Credit')], max_length=6)),
                ('rank', models.PositiveSmallIntegerField()),
            ],
            options={
                'db_table': 'category_rank',
                'ordering': ['-side', 'rank', 'category'],
                'permissions': [('change_hierarchy', 'Can change the payment hierarchy')],
                'constraints': [models.UniqueConstraint(fields=('category', 'side'), name='category_rank_once')],
            },
        ),
        migrations.CreateModel(
            name='DriverAccount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('balance', models.DecimalField(db_default=0, decimal_places=2, editable=False, max_digits=14)),
                ('driver', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='accounts', to='leases.driver')),
                ('lease', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='accounts', to='leases.lease')),
            ],
            options={
                'db_table': 'driver_account',
            },
        ),
        migrations.CreateModel(
            name='DTR',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.CharField(max_length=20, unique=True)),
                ('week', models.DateField()),
                ('status', models.CharField(choices=[('DRAFT', 'Draft'), ('FINALIZED', 'Finalized'), ('PAID', 'Paid')], default='FINALIZED', max_length=10)),
                ('gross_earnings', models.DecimalField(decimal_places=2, max_digits=14)),
                ('taxes', models.DecimalField(decimal_places=2, max_digits=14)),
                ('allocated', models.DecimalField(decimal_places=2, max_digits=14)),
                ('net_pay', models.DecimalField(decimal_places=2, max_digits=14)),
                ('open_debits', models.DecimalField(decimal_places=2, max_digits=14)),
                ('open_credits', models.DecimalField(decimal_places=2, max_digits=14)),
                ('still_open', models.JSONField()),
                ('figures', models.JSONField()),
                ('charges', models.JSONField(help_text='One array per charge since the last DTR, in the order of CHARGE_COLUMNS.')),
                ('trip_log', models.TextField(blank=True, help_text='One line per settled trip, in the order of TRIP_COLUMNS.')),
                ('through_posting_seq', models.BigIntegerField()),
                ('through_allocation_id', models.BigIntegerField()),
                ('frozen_at', models.DateTimeField()),
                ('account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='dtrs', to='ledger.driveraccount')),
                ('driver', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='dtrs', to='leases.driver')),
                ('lease', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='dtrs', to='leases.lease')),
            ],
            options={
                'verbose_name': 'DTR',
                'db_table': 'dtr',
                'ordering': ['-week', 'number'],
                'permissions': [('pay_dtr', 'Can record a DTR as paid or returned')],
            },
        ),
        migrations.CreateModel(
            name='DTRPayment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('PAID', 'Paid'), ('RETURNED', 'Returned')], max_length=8)),
                ('method', models.CharField(blank=True, choices=[('CASH', 'Cash'), ('CHECK', 'Check'), ('ACH', 'ACH'), ('CARD', 'Card')], max_length=5)),
                ('method_reference', models.CharField(blank=True, max_length=60)),
                ('amount', models.DecimalField(decimal_places=2, max_digits=14)),
                ('on', models.DateField()),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('dtr', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='ledger.dtr')),
            ],
            options={
                'db_table': 'dtr_payment',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='HistoricalCategoryRank',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('category', models.CharField(choices=[('TAXES', 'Taxes'), ('EZPASS', 'E-ZPass tolls'), ('LEASE', 'Lease'), ('PVB', 'Parking violations'), ('TLC', 'TLC tickets'), ('REPAIR', 'Repairs'), ('LOAN', 'Loans'), ('MISC', 'Miscellaneous'), ('DEPOSIT', 'Deposit'), ('CANCELLATION_FEE', 'Cancellation fee'), ('EARNINGS', 'Card earnings'), ('INTERIM_PAYMENT', 'Payment at the desk'), ('DEPOSIT_APPLIED', 'Deposit applied'), ('ADJUSTMENT', 'Adjustment'), ('WRITE_OFF', 'Write-off'), ('PAYOUT', 'Net pay')], max_length=20)),
                ('side', models.CharField(choices=[('DEBIT', 'Debit'), ('CREDIT', 'Credit')], max_length=6)),
                ('rank', models.PositiveSmallIntegerField()),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical category rank',
                'verbose_name_plural': 'historical category ranks',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='ImportBatch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(max_length=20)),
                ('file_name', models.CharField(max_length=255)),
                ('sha256', models.CharField(max_length=64)),
                ('rows', models.PositiveIntegerField()),
                ('accepted', models.PositiveIntegerField()),
                ('rejected', models.PositiveIntegerField()),
                ('duplicates', models.PositiveIntegerField()),
                ('card_earnings', models.DecimalField(decimal_places=2, max_digits=14)),
                ('taxes', models.DecimalField(decimal_places=2, max_digits=14)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'import batches',
                'db_table': 'import_batch',
                'ordering': ['-id'],
                'permissions': [('import_trips', 'Can import trips')],
            },
        ),
        migrations.CreateModel(
            name='LedgerBalance',
            fields=[
                ('posting', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='open_item', serialize=False, to='ledger.ledgerposting')),
                ('category', models.CharField(choices=[('TAXES', 'Taxes'), ('EZPASS', 'E-ZPass tolls'), ('LEASE', 'Lease'), ('PVB', 'Parking violations'), ('TLC', 'TLC tickets'), ('REPAIR', 'Repairs'), ('LOAN', 'Loans'), ('MISC', 'Miscellaneous'), ('DEPOSIT', 'Deposit'), ('CANCELLATION_FEE', 'Cancellation fee'), ('EARNINGS', 'Card earnings'), ('INTERIM_PAYMENT', 'Payment at the desk'), ('DEPOSIT_APPLIED', 'Deposit applied'), ('ADJUSTMENT', 'Adjustment'), ('WRITE_OFF', 'Write-off'), ('PAYOUT', 'Net pay')], max_length=20)),
                ('reference_id', models.CharField(max_length=80)),
                ('original_amount', models.DecimalField(decimal_places=2, max_digits=14)),
                ('balance', models.DecimalField(decimal_places=2, max_digits=14)),
                ('status', models.GeneratedField(db_persist=True, expression=models.Case(models.When(balance=0, then=models.Value('CLOSED')), default=models.Value('OPEN')), output_field=models.CharField(choices=[('OPEN', 'Open'), ('CLOSED', 'Closed')], max_length=6))),
                ('effective_on', models.DateField()),
                ('due_on', models.DateField(null=True)),
                ('created_at', models.DateTimeField()),
                ('last_allocated_on', models.DateField(null=True)),
                ('applied_payment_refs', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), db_default=models.Value('{}'), size=None)),
            ],
            options={
                'db_table': 'ledger_balance',
                'ordering': ['-posting_id'],
            },
        ),
        migrations.AddField(
            model_name='ledgerposting',
            name='account',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='postings', to='ledger.driveraccount'),
        ),
        migrations.AddField(
            model_name='ledgerposting',
            name='created_by',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='ledgerposting',
            name='driver',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='leases.driver'),
        ),
        migrations.AddField(
            model_name='ledgerposting',
            name='lease',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='leases.lease'),
        ),
        migrations.AddField(
            model_name='ledgerposting',
            name='medallion',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='leases.medallion'),
        ),
        migrations.AddField(
            model_name='ledgerposting',
            name='replaces',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='replacements', to='ledger.ledgerposting'),
        ),
        migrations.AddField(
            model_name='ledgerposting',
            name='reversal_for',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reversals', to='ledger.ledgerposting'),
        ),
        migrations.AddField(
            model_name='ledgerposting',
            name='vehicle',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='leases.vehicle'),
        ),
        migrations.CreateModel(
            name='LedgerAllocation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount', models.DecimalField(decimal_places=2, max_digits=14)),
                ('effective_on', models.DateField()),
                ('created_at', models.DateTimeField(db_default=models.Func(function='statement_timestamp'))),
                ('account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='allocations', to='ledger.driveraccount')),
                ('created_by', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('undoes', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='undone_by', to='ledger.ledgerallocation')),
                ('credit', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='allocated_to', to='ledger.ledgerposting')),
                ('debit', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='paid_by', to='ledger.ledgerposting')),
            ],
            options={
                'db_table': 'ledger_allocation',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='InterimPayment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.CharField(max_length=20, unique=True)),
                ('method', models.CharField(choices=[('CASH', 'Cash'), ('CHECK', 'Check'), ('ACH', 'ACH'), ('CARD', 'Card')], max_length=5)),
                ('method_reference', models.CharField(blank=True, max_length=60, verbose_name='check number or ACH reference')),
                ('amount', models.DecimalField(decimal_places=2, max_digits=14)),
                ('received_on', models.DateField()),
                ('allocations', models.JSONField(help_text='What the receipt says the payment was put to, when it was taken.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='interim_payments', to='ledger.driveraccount')),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('posting', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='interim_payment', to='ledger.ledgerposting')),
            ],
            options={
                'db_table': 'interim_payment',
                'ordering': ['-id'],
                'permissions': [('take_payment', 'Can take a payment at the desk')],
            },
        ),
        migrations.AddField(
            model_name='dtr',
            name='payout',
            field=models.OneToOneField(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='dtr', to='ledger.ledgerposting'),
        ),
        migrations.CreateModel(
            name='ParkedRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(max_length=20)),
                ('source_rowid', models.CharField(max_length=64)),
                ('row_number', models.PositiveIntegerField()),
                ('reason', models.CharField(choices=[('DOES_NOT_ADD_UP', 'Components do not add up to the total'), ('BAD_VALUE', 'A value cannot be read'), ('UNKNOWN_DRIVER', 'No such driver'), ('UNKNOWN_CAB', 'No such cab'), ('NO_LEASE', 'The cab had no lease on that day'), ('NOT_ON_LEASE', "The driver is not on the cab's lease"), ('REVISION', 'Loaded before with other figures'), ('REPEATED_IN_FILE', 'The same row id twice in one file, with other figures')], max_length=20)),
                ('message', models.CharField(max_length=500)),
                ('raw', models.JSONField()),
                ('raw_hash', models.BinaryField(max_length=32)),
                ('status', models.CharField(choices=[('PARKED', 'Waiting for a person'), ('RESOLVED', 'Corrected and loaded'), ('DISMISSED', 'Dismissed')], default='PARKED', max_length=10)),
                ('corrected', models.JSONField(null=True)),
                ('note', models.CharField(blank=True, max_length=500)),
                ('transaction_id', models.BigIntegerField(null=True)),
                ('decided_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('batch', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='parked_rows', to='ledger.importbatch')),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'parked_row',
                'ordering': ['batch_id', 'row_number'],
                'permissions': [('correct_parked_row', 'Can correct and re-submit parked rows')],
            },
        ),
        migrations.CreateModel(
            name='SourceRowSeen',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(max_length=20)),
                ('source_rowid', models.CharField(max_length=64)),
                ('figures_hash', models.BinaryField(max_length=32)),
                ('transaction_id', models.BigIntegerField()),
            ],
            options={
                'db_table': 'source_row_seen',
                'constraints': [models.UniqueConstraint(fields=('source', 'source_rowid'), name='source_row_seen_once')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sourcerowseen',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='94a415a355287b20dca3975dbc4ebd1dc61f6cf9', operation='DELETE', pgid='pgtrigger_no_delete_cf51c', table='source_row_seen', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sourcerowseen',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='703ecfa06764962a455531d67fabb04ef69f31e1', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_cb66e', table='source_row_seen', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sourcerowseen',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='a1a73f2f56488af829bd63c8e4315608bbfdc09f', operation='UPDATE', pgid='pgtrigger_no_update_239ff', table='source_row_seen', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='triptotal',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='trip_totals', to='ledger.driveraccount'),
        ),
        migrations.AddField(
            model_name='triptotal',
            name='batch',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='trip_totals', to='ledger.importbatch'),
        ),
        migrations.AddField(
            model_name='weeklyrun',
            name='started_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='driveraccount',
            constraint=models.UniqueConstraint(fields=('driver', 'lease'), name='driver_account_once'),
        ),
        migrations.AddConstraint(
            model_name='dtrpayment',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='dtr_payment_positive'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='dtrpayment',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='98b941c6d5625810b422ed366272fe7738820d2e', operation='DELETE', pgid='pgtrigger_no_delete_c63d6', table='dtr_payment', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='dtrpayment',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='6c43772cd427e9adc19c5049f364bf84b940fcc8', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_5803d', table='dtr_payment', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='dtrpayment',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='412e665080e8f31d093422be7246783924edfcb3', operation='UPDATE', pgid='pgtrigger_no_update_b5c00', table='dtr_payment', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='ledgerbalance',
            name='account',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='items', to='ledger.driveraccount'),
        ),
        migrations.AddIndex(
            model_name='ledgerposting',
            index=models.Index(fields=['account', 'seq'], name='ledger_posting_account_idx'),
        ),
        migrations.AddConstraint(
            model_name='ledgerposting',
            constraint=models.CheckConstraint(condition=models.Q(('amount', 0), _negated=True), name='ledger_posting_not_zero'),
        ),
        migrations.AddConstraint(
            model_name='ledgerposting',
            constraint=models.CheckConstraint(condition=models.Q(('reference_id', ''), _negated=True), name='ledger_posting_has_reference'),
        ),
        migrations.AddConstraint(
            model_name='ledgerposting',
            constraint=models.CheckConstraint(condition=models.Q(('amount__lt', 0), ('due_on__isnull', False), _connector='OR'), name='ledger_posting_debit_has_due_date'),
        ),
        migrations.AddConstraint(
            model_name='ledgerposting',
            constraint=models.CheckConstraint(condition=models.Q(('reversal_for__isnull', True), ('replaces__isnull', True), _connector='OR'), name='ledger_posting_reverses_or_replaces'),
        ),
        migrations.AddConstraint(
            model_name='ledgerposting',
            constraint=models.UniqueConstraint(condition=models.Q(('reversal_for__isnull', True)), fields=('category', 'reference_id'), name='ledger_posting_reference_once'),
        ),
        migrations.AddConstraint(
            model_name='ledgerposting',
            constraint=models.UniqueConstraint(condition=models.Q(('reversal_for__isnull', False)), fields=('reversal_for',), name='ledger_posting_one_reversal'),
        ),
        migrations.AddConstraint(
            model_name='ledgerposting',
            constraint=models.UniqueConstraint(condition=models.Q(('replaces__isnull', False)), fields=('replaces',), name='ledger_posting_one_replacement'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ledgerposting',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='c7e99d7c0af2428ddbbe4828a2a2781d6bee3aa5', operation='DELETE', pgid='pgtrigger_no_delete_a1d08', table='ledger_posting', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ledgerposting',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='0c3ff3162a4f057a2df21b7f875dd9902110c533', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_8a33f', table='ledger_posting', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='ledgerallocation',
            index=models.Index(fields=['account', 'id'], name='ledger_allocation_account_idx'),
        ),
        migrations.AddConstraint(
            model_name='ledgerallocation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('amount__gt', 0), ('undoes__isnull', True)), models.Q(('amount__lt', 0), ('undoes__isnull', False)), _connector='OR'), name='ledger_allocation_negative_only_to_undo'),
        ),
        migrations.AddConstraint(
            model_name='ledgerallocation',
            constraint=models.UniqueConstraint(condition=models.Q(('undoes__isnull', False)), fields=('undoes',), name='ledger_allocation_undone_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ledgerallocation',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='00c3a0c96d46f93185c701f02d7d8c193c1c11c0', operation='DELETE', pgid='pgtrigger_no_delete_b2081', table='ledger_allocation', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ledgerallocation',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='9be9464ad8a131dff6e92f1e7d0b8cf1e2a80720', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_d7a16', table='ledger_allocation', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ledgerallocation',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='a52da04a4b16aae508f2c6687d3fe6225e085a85', operation='UPDATE', pgid='pgtrigger_no_update_4a117', table='ledger_allocation', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='interimpayment',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='interim_payment_positive'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='interimpayment',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='284534aa78c854c8bbfd9695f9f6e7beb897f726', operation='DELETE', pgid='pgtrigger_no_delete_979b3', table='interim_payment', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='interimpayment',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='344ab94c59b3ea03e8433e5e874052e801b516e7', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_4eedb', table='interim_payment', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='interimpayment',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='679158ad97ea226c405bbb9d8cd071224c2a774d', operation='UPDATE', pgid='pgtrigger_no_update_0ebcd', table='interim_payment', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='dtr',
            index=models.Index(fields=['week', 'number'], name='dtr_week_idx'),
        ),
        migrations.AddIndex(
            model_name='dtr',
            index=models.Index(fields=['lease', 'week'], name='dtr_lease_idx'),
        ),
        migrations.AddConstraint(
            model_name='dtr',
            constraint=models.UniqueConstraint(fields=('account', 'week'), name='dtr_one_per_account_and_week'),
        ),
        migrations.AddConstraint(
            model_name='dtr',
            constraint=models.CheckConstraint(condition=models.Q(('net_pay__gte', 0)), name='dtr_net_pay_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='dtr',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('net_pay', 0), ('payout__isnull', True)), models.Q(('net_pay__gt', 0), ('payout__isnull', False)), _connector='OR'), name='dtr_net_pay_has_payout'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='dtr',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='7b22ca63583128c2c6b0ae096e44e223199a7501', operation='DELETE', pgid='pgtrigger_no_delete_13993', table='dtr', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='dtr',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='83ccc5dcf6dda27cf064d554688defa20574ac73', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_2bc1a', table='dtr', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='parkedrow',
            index=models.Index(condition=models.Q(('status', 'PARKED')), fields=['batch'], name='parked_row_waiting_idx'),
        ),
        migrations.AddConstraint(
            model_name='parkedrow',
            constraint=models.UniqueConstraint(fields=('source', 'source_rowid', 'raw_hash'), name='parked_row_once'),
        ),
        migrations.AddIndex(
            model_name='triptotal',
            index=models.Index(condition=models.Q(('settled_week', None)), fields=['account', 'week'], name='trip_total_open_idx'),
        ),
        migrations.AddIndex(
            model_name='triptotal',
            index=models.Index(fields=['account', 'settled_week'], name='trip_total_settled_idx'),
        ),
        migrations.AddConstraint(
            model_name='triptotal',
            constraint=models.UniqueConstraint(fields=('account', 'week', 'batch'), name='trip_total_once'),
        ),
        migrations.AddConstraint(
            model_name='weeklyrun',
            constraint=models.CheckConstraint(condition=models.Q(('week__week_day', 1)), name='weekly_run_starts_on_sunday'),
        ),
        migrations.AddConstraint(
            model_name='weeklyrun',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'CLOSED'), _negated=True), models.Q(('closed_at__isnull', False), ('result__isnull', False)), _connector='OR'), name='weekly_run_closed_has_result'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='weeklyrun',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='302ec41e6e45372150b683824465db22884b4274', operation='DELETE', pgid='pgtrigger_no_delete_165b2', table='weekly_run', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='weeklyrun',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='b8d9f1835a5182c5af8e15188b6c41b98bd0510a', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_47e8d', table='weekly_run', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='ledgerbalance',
            index=models.Index(condition=models.Q(('status', 'OPEN')), fields=['account'], name='ledger_balance_open_idx'),
        ),
        migrations.AddConstraint(
            model_name='ledgerbalance',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('balance__gte', 0), ('balance__lte', models.F('original_amount')), ('original_amount__gt', 0)), models.Q(('balance__gte', models.F('original_amount')), ('balance__lte', 0), ('original_amount__lt', 0)), _connector='OR'), name='ledger_balance_between_zero_and_original'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ledgerbalance',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='dca0fdcf0087ded1a72478b2167d5f74393e4dac', operation='DELETE', pgid='pgtrigger_no_delete_f7950', table='ledger_balance', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ledgerbalance',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='e79c0f5cb8daf6f8d7d32b031de77b1dca6f1f63', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_604d0', table='ledger_balance', when='BEFORE')),
        ),
    ]
