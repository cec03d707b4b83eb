import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
import simple_history.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0006_imports_are_never_deleted'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Account',
            fields=[
                ('id', models.AutoField(primary_key=True, serialize=False)),
                ('uid', models.UUIDField(db_default=models.Func(function='uuid7'), editable=False, unique=True)),
                ('code', models.CharField(max_length=40, unique=True)),
                ('name', models.CharField(max_length=120)),
                ('type', models.CharField(choices=[('ASSET', 'Asset'), ('LIABILITY', 'Liability'), ('EQUITY', 'Equity'), ('INCOME', 'Income'), ('EXPENSE', 'Expense')], max_length=9)),
                ('fund', models.CharField(db_default='OP', default='OP', max_length=10)),
                ('overdraft_limit', models.DecimalField(blank=True, decimal_places=6, max_digits=20, null=True)),
                ('control_origins', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=12), blank=True, db_default=[], default=list, size=None)),
                ('active', models.BooleanField(db_default=True, default=True)),
                ('metadata', models.JSONField(blank=True, db_default={}, default=dict)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'db_table': 'chart_of_accounts',
                'ordering': ['code'],
                'permissions': [('open_account', 'Can open accounts and transfer between them')],
            },
        ),
        migrations.CreateModel(
            name='AccountingMonth',
            fields=[
                ('month', models.DateField(primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('CLOSED', 'Closed'), ('REOPENED', 'Reopened')], max_length=8)),
            ],
            options={
                'db_table': 'accounting_month',
                'ordering': ['-month'],
                'permissions': [('close_month', 'Can close months'), ('reopen_month', 'Can reopen months')],
            },
        ),
        migrations.CreateModel(
            name='AccountKind',
            fields=[
                ('code', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=60)),
                ('overdraft_limit', models.DecimalField(blank=True, decimal_places=6, max_digits=20, null=True)),
                ('transfer_limit', models.DecimalField(blank=True, decimal_places=6, max_digits=20, null=True)),
            ],
            options={
                'db_table': 'account_kind',
                'ordering': ['code'],
            },
        ),
        migrations.CreateModel(
            name='BalanceSnapshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('month', models.DateField()),
                ('fund', models.CharField(max_length=10)),
                ('opening', models.DecimalField(decimal_places=6, max_digits=20)),
                ('debits', models.DecimalField(decimal_places=6, max_digits=20)),
                ('credits', models.DecimalField(decimal_places=6, max_digits=20)),
                ('closing', models.DecimalField(decimal_places=6, max_digits=20)),
            ],
            options={
                'db_table': 'account_balance_snapshot',
            },
        ),
        migrations.CreateModel(
            name='Currency',
            fields=[
                ('code', models.CharField(max_length=3, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=60)),
                ('exponent', models.PositiveSmallIntegerField()),
            ],
            options={
                'verbose_name_plural': 'currencies',
                'db_table': 'currency',
                'ordering': ['code'],
            },
        ),
        migrations.CreateModel(
            name='EntryReversal',
            fields=[
                ('entry_id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('reversed_by_id', models.BigIntegerField()),
                ('reversed_by_date', models.DateField()),
            ],
            options={
                'db_table': 'ledger_entry_reversal',
            },
        ),
        migrations.CreateModel(
            name='HistoricalAccount',
            fields=[
                ('id', models.IntegerField(blank=True, db_index=True)),
                ('uid', models.UUIDField(db_default=models.Func(function='uuid7'), db_index=True, editable=False)),
                ('code', models.CharField(db_index=True, max_length=40)),
                ('name', models.CharField(max_length=120)),
                ('type', models.CharField(choices=[('ASSET', 'Asset'), ('LIABILITY', 'Liability'), ('EQUITY', 'Equity'), ('INCOME', 'Income'), ('EXPENSE', 'Expense')], max_length=9)),
                ('fund', models.CharField(db_default='OP', default='OP', max_length=10)),
                ('overdraft_limit', models.DecimalField(blank=True, decimal_places=6, max_digits=20, null=True)),
                ('control_origins', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=12), blank=True, db_default=[], default=list, size=None)),
                ('active', models.BooleanField(db_default=True, default=True)),
                ('metadata', models.JSONField(blank=True, db_default={}, default=dict)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical account',
                'verbose_name_plural': 'historical accounts',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalAccountKind',
            fields=[
                ('code', models.CharField(db_index=True, max_length=20)),
                ('name', models.CharField(max_length=60)),
                ('overdraft_limit', models.DecimalField(blank=True, decimal_places=6, max_digits=20, null=True)),
                ('transfer_limit', models.DecimalField(blank=True, decimal_places=6, max_digits=20, null=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical account kind',
                'verbose_name_plural': 'historical account kinds',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='JournalTemplate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=40)),
                ('version', models.PositiveIntegerField()),
                ('pack', models.CharField(db_default='taxi', default='taxi', max_length=20)),
                ('description', models.CharField(max_length=160)),
                ('status', models.CharField(choices=[('DRAFT', 'Draft'), ('ACTIVE', 'Active'), ('RETIRED', 'Retired')], default='DRAFT', max_length=7)),
                ('effective_from', models.DateField()),
                ('effective_to', models.DateField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('approved_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'db_table': 'journal_template',
                'ordering': ['pack', 'code', '-version'],
                'permissions': [('approve_journaltemplate', 'Can approve and retire journal templates')],
            },
        ),
        migrations.CreateModel(
            name='JournalTemplateControl',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('tolerance', models.DecimalField(decimal_places=6, default=0, max_digits=20)),
                ('action', models.CharField(choices=[('ERROR', 'Refuse the event'), ('AUTO_ADJUST', 'Post the difference to the balancing account')], default='ERROR', max_length=11)),
                ('adjust_fund', models.CharField(default='OP', max_length=10)),
            ],
            options={
                'db_table': 'journal_template_control',
            },
        ),
        migrations.CreateModel(
            name='JournalTemplateLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('side', models.CharField(choices=[('DR', 'Debit'), ('CR', 'Credit')], max_length=2)),
                ('fund', models.CharField(default='OP', max_length=10)),
                ('amount', models.CharField(help_text='For example :amount, or round(:gross * 0.05, 2)', max_length=500)),
                ('condition', models.CharField(blank=True, max_length=500, null=True)),
                ('places', models.PositiveSmallIntegerField(default=2)),
                ('memo', models.CharField(blank=True, max_length=120)),
            ],
            options={
                'db_table': 'journal_template_line',
                'ordering': ['number'],
            },
        ),
        migrations.CreateModel(
            name='JournalTemplateMatch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('txn_type', models.CharField(max_length=20)),
                ('product', models.CharField(blank=True, max_length=40, null=True)),
                ('channel', models.CharField(blank=True, max_length=20, null=True)),
                ('min_amount', models.DecimalField(blank=True, decimal_places=6, max_digits=20, null=True)),
                ('max_amount', models.DecimalField(blank=True, decimal_places=6, max_digits=20, null=True)),
                ('condition', models.CharField(blank=True, max_length=500, null=True)),
                ('priority', models.IntegerField(default=100)),
            ],
            options={
                'verbose_name_plural': 'journal template matches',
                'db_table': 'journal_template_match',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='LedgerSeal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('log', models.CharField(choices=[('POSTINGS', 'Postings'), ('ALLOCATIONS', 'Allocations'), ('HEADERS', 'Journal headers'), ('LINES', 'Journal lines')], max_length=11)),
                ('block', models.PositiveIntegerField()),
                ('first_key', models.BigIntegerField()),
                ('last_key', models.BigIntegerField()),
                ('rows', models.PositiveIntegerField()),
                ('digest', models.CharField(max_length=64)),
                ('chain', models.CharField(max_length=64)),
                ('sealed_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'db_table': 'ledger_seal',
                'ordering': ['log', 'block'],
                'permissions': [('seal_ledger', 'Can seal the ledger')],
            },
        ),
        migrations.CreateModel(
            name='ManualJournal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.CharField(max_length=20, unique=True)),
                ('status', models.CharField(choices=[('SUBMITTED', 'Waiting for approval'), ('POSTED', 'Posted'), ('REJECTED', 'Rejected')], default='SUBMITTED', max_length=9)),
                ('je_date', models.DateField()),
                ('description', models.CharField(max_length=160)),
                ('reference', models.CharField(blank=True, max_length=80)),
                ('lines', models.JSONField()),
                ('metadata', models.JSONField(blank=True, null=True)),
                ('reverses_id', models.BigIntegerField(null=True)),
                ('reverses_date', models.DateField(null=True)),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('entry_id', models.BigIntegerField(null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('decided_at', models.DateTimeField(null=True)),
                ('decision_note', models.CharField(blank=True, max_length=500)),
            ],
            options={
                'db_table': 'manual_journal',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='MonthEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('CLOSED', 'Closed'), ('REOPENED', 'Reopened')], max_length=8)),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'db_table': 'accounting_month_event',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='ProductAccountMap',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('template_code', models.CharField(blank=True, help_text='Empty: every template', max_length=40, null=True)),
                ('product', models.CharField(max_length=40)),
                ('fund', models.CharField(blank=True, max_length=10, null=True)),
                ('to_fund', models.CharField(blank=True, max_length=10, null=True)),
            ],
            options={
                'db_table': 'product_account_map',
                'ordering': ['product', 'id'],
            },
        ),
        migrations.CreateModel(
            name='SourceRowJournalised',
            fields=[
                ('source_id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('entry_id', models.BigIntegerField()),
                ('je_date', models.DateField()),
            ],
            options={
                'db_table': 'source_row_journalised',
            },
        ),
        migrations.CreateModel(
            name='TemplatePolicy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.BigIntegerField()),
            ],
            options={
                'db_table': 'template_policy',
            },
        ),
        migrations.AddField(
            model_name='triptotal',
            name='journalised',
            field=models.DecimalField(db_default=0, decimal_places=2, max_digits=14),
        ),
        migrations.CreateModel(
            name='GuardedBalance',
            fields=[
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='guarded_balance', serialize=False, to='ledger.account')),
                ('balance', models.DecimalField(db_default=0, decimal_places=6, max_digits=20)),
                ('floor', models.DecimalField(db_default=0, decimal_places=6, max_digits=20)),
            ],
            options={
                'db_table': 'guarded_balance',
            },
        ),
        migrations.AddField(
            model_name='account',
            name='parent',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='ledger.account'),
        ),
        migrations.AddConstraint(
            model_name='accountingmonth',
            constraint=models.CheckConstraint(condition=models.Q(('month__day', 1)), name='accounting_month_is_first_day'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accountingmonth',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='3aa2b7b9ca4bd8e010775934762dae396f63f27f', operation='DELETE', pgid='pgtrigger_no_delete_b2c66', table='accounting_month', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accountingmonth',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='b01889f32d80292e9344e0ffa8020958285e6c01', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_c70e9', table='accounting_month', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='accountkind',
            constraint=models.CheckConstraint(condition=models.Q(('overdraft_limit__isnull', True), ('overdraft_limit__gte', 0), _connector='OR'), name='account_kind_overdraft_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='accountkind',
            constraint=models.CheckConstraint(condition=models.Q(('transfer_limit__isnull', True), ('transfer_limit__gt', 0), _connector='OR'), name='account_kind_transfer_limit_positive'),
        ),
        migrations.AddField(
            model_name='account',
            name='kind',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='accounts', to='ledger.accountkind'),
        ),
        migrations.AddField(
            model_name='balancesnapshot',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='snapshots', to='ledger.account'),
        ),
        migrations.AddField(
            model_name='account',
            name='currency',
            field=models.ForeignKey(default='USD', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.currency'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='entryreversal',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='f57b683a65f3cd96db43faf977ecea9a48656bd8', operation='DELETE', pgid='pgtrigger_no_delete_b8736', table='ledger_entry_reversal', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='entryreversal',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='0901cbe296bab9a1e3065189659e285bf42f74a7', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_e35fe', table='ledger_entry_reversal', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='historicalaccount',
            name='currency',
            field=models.ForeignKey(blank=True, db_constraint=False, default='USD', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='ledger.currency'),
        ),
        migrations.AddField(
            model_name='historicalaccount',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalaccount',
            name='kind',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='ledger.accountkind'),
        ),
        migrations.AddField(
            model_name='historicalaccount',
            name='parent',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='ledger.account'),
        ),
        migrations.AddField(
            model_name='historicalaccountkind',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='journaltemplate',
            name='approved_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='journaltemplate',
            name='created_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='journaltemplatecontrol',
            name='adjust_account',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.account'),
        ),
        migrations.AddField(
            model_name='journaltemplatecontrol',
            name='template',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='control', to='ledger.journaltemplate'),
        ),
        migrations.AddField(
            model_name='journaltemplateline',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.account'),
        ),
        migrations.AddField(
            model_name='journaltemplateline',
            name='template',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='ledger.journaltemplate'),
        ),
        migrations.AddField(
            model_name='journaltemplatematch',
            name='template',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='matches', to='ledger.journaltemplate'),
        ),
        migrations.AddField(
            model_name='ledgerseal',
            name='sealed_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='manualjournal',
            name='created_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='manualjournal',
            name='decided_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='monthevent',
            name='created_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='monthevent',
            name='month',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='events', to='ledger.accountingmonth'),
        ),
        migrations.AddField(
            model_name='productaccountmap',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.account'),
        ),
        migrations.AddField(
            model_name='productaccountmap',
            name='to_account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.account'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sourcerowjournalised',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='aa430eda48c4898a45370cb78b155ac946c4ecc8', operation='DELETE', pgid='pgtrigger_no_delete_2654f', table='source_row_journalised', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sourcerowjournalised',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='36dffb457e9c8b8eee0bb3883a07e64715ae52fe', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_df061', table='source_row_journalised', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='guardedbalance',
            constraint=models.CheckConstraint(condition=models.Q(('balance__gte', models.F('floor'))), name='guarded_balance_not_overdrawn'),
        ),
        migrations.AddConstraint(
            model_name='balancesnapshot',
            constraint=models.UniqueConstraint(fields=('month', 'account', 'fund'), name='balance_snapshot_once'),
        ),
        migrations.AddConstraint(
            model_name='balancesnapshot',
            constraint=models.CheckConstraint(condition=models.Q(('closing', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('opening'), '+', models.F('debits')), '-', models.F('credits')))), name='balance_snapshot_adds_up'),
        ),
        migrations.AddIndex(
            model_name='account',
            index=models.Index(fields=['kind', 'id'], name='account_kind_idx'),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.CheckConstraint(condition=models.Q(('overdraft_limit__isnull', True), ('overdraft_limit__gte', 0), _connector='OR'), name='account_overdraft_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.CheckConstraint(condition=models.Q(('code', ''), _negated=True), name='account_has_code'),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.CheckConstraint(condition=models.Q(('parent__isnull', True), models.Q(('parent', models.F('id')), _negated=True), _connector='OR'), name='account_not_its_own_parent'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='account',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='bc30e36f635950b5d299acfb2b4007ad853d5fd0', operation='DELETE', pgid='pgtrigger_no_delete_cc148', table='chart_of_accounts', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='account',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='cd3a2b4172da2f97b89721c15bf029f9155ec3ad', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_ede68', table='chart_of_accounts', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='journaltemplate',
            constraint=models.UniqueConstraint(fields=('code', 'version'), name='journal_template_version_once'),
        ),
        migrations.AddConstraint(
            model_name='journaltemplate',
            constraint=models.CheckConstraint(condition=models.Q(('effective_to__isnull', True), ('effective_to__gte', models.F('effective_from')), _connector='OR'), name='journal_template_dates_in_order'),
        ),
        migrations.AddConstraint(
            model_name='journaltemplate',
            constraint=models.CheckConstraint(condition=models.Q(('status', 'DRAFT'), models.Q(('approved_at__isnull', False), ('approved_by__isnull', False)), _connector='OR'), name='journal_template_in_force_is_approved'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='journaltemplate',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='82ed5943444afa4b510933133cedfac0d327492d', operation='DELETE', pgid='pgtrigger_no_delete_bbbbc', table='journal_template', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='journaltemplate',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='6641c5624d124c074b2e4ff6761816f3dcb8877a', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_f7750', table='journal_template', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='journaltemplatecontrol',
            constraint=models.CheckConstraint(condition=models.Q(('action', 'ERROR'), ('adjust_account__isnull', False), _connector='OR'), name='journal_template_adjusts_somewhere'),
        ),
        migrations.AddConstraint(
            model_name='journaltemplatecontrol',
            constraint=models.CheckConstraint(condition=models.Q(('tolerance__gte', 0)), name='journal_template_tolerance'),
        ),
        migrations.AddConstraint(
            model_name='journaltemplateline',
            constraint=models.UniqueConstraint(fields=('template', 'number'), name='journal_template_line_once'),
        ),
        migrations.AddConstraint(
            model_name='ledgerseal',
            constraint=models.UniqueConstraint(fields=('log', 'block'), name='ledger_seal_block_once'),
        ),
        migrations.AddConstraint(
            model_name='ledgerseal',
            constraint=models.CheckConstraint(condition=models.Q(('last_key__gte', models.F('first_key'))), name='ledger_seal_keys_in_order'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ledgerseal',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='896d6a85101b41e1bd64da6d5aba01f4f0300f02', operation='DELETE', pgid='pgtrigger_no_delete_00d01', table='ledger_seal', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ledgerseal',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='c3eb6c5d1a299f9c8112232eb5abd00fcaa3e327', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_17613', table='ledger_seal', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ledgerseal',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='576e16f04b2b25c067dd37f7c482847482e0701b', operation='UPDATE', pgid='pgtrigger_no_update_6d27e', table='ledger_seal', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='manualjournal',
            constraint=models.CheckConstraint(condition=models.Q(('decided_by__isnull', True), models.Q(('decided_by', models.F('created_by')), _negated=True), _connector='OR'), name='manual_journal_approved_by_another'),
        ),
        migrations.AddConstraint(
            model_name='manualjournal',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_by__isnull', True), ('entry_id__isnull', True), ('status', 'SUBMITTED')), models.Q(('decided_by__isnull', False), ('entry_id__isnull', False), ('status', 'POSTED')), models.Q(('decided_by__isnull', False), ('entry_id__isnull', True), ('status', 'REJECTED')), _connector='OR'), name='manual_journal_decided'),
        ),
        migrations.AddConstraint(
            model_name='manualjournal',
            constraint=models.UniqueConstraint(condition=models.Q(('entry_id__isnull', False)), fields=('entry_id',), name='manual_journal_entry_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='manualjournal',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='109c679b88518fc3df16b58dbe2a524e05db8af3', operation='DELETE', pgid='pgtrigger_no_delete_80bf2', table='manual_journal', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='manualjournal',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='38dc17308c012bf3917a9420f8cb3d5d6ae31ca1', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_61cb8', table='manual_journal', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='monthevent',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='735d8935d5980bd709639bf75203100c2bac1336', operation='DELETE', pgid='pgtrigger_no_delete_2d09f', table='accounting_month_event', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='monthevent',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='4fa4fd7251f712b0e2c1eb05f733f61e5d50600a', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_e3828', table='accounting_month_event', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='monthevent',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='031533ad51a1a0bcd18f2e9316b416be59597abd', operation='UPDATE', pgid='pgtrigger_no_update_4eb38', table='accounting_month_event', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='productaccountmap',
            constraint=models.UniqueConstraint(fields=('template_code', 'product', 'account', 'fund'), name='product_account_map_once', nulls_distinct=False),
        ),
        # Partitioned: made by 0008.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name='EntryHeader',
                    fields=[
                        ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                        ('je_date', models.DateField()),
                        ('batch_id', models.BigIntegerField(db_default=0)),
                        ('je_number', models.CharField(editable=False, max_length=30)),
                        ('origin', models.CharField(choices=[('POSTING', 'Driver posting'), ('TRIP', 'Trip'), ('DTR', 'Net pay handed over or returned'), ('LOAN', 'Loan paid out or forgiven'), ('DEPOSIT', 'Deposit refunded'), ('TRANSFER', 'Transfer'), ('MANUAL', 'Manual journal'), ('BATCH', 'Bulk batch'), ('RECON', 'Reconciliation')], max_length=12)),
                        ('source_id', models.BigIntegerField(null=True)),
                        ('reverses_date', models.DateField(null=True)),
                        ('event_on', models.DateField()),
                        ('line_count', models.SmallIntegerField()),
                        ('total', models.DecimalField(decimal_places=6, max_digits=20)),
                        ('reference', models.CharField(db_default='', max_length=80)),
                        ('description', models.CharField(db_default='', max_length=160)),
                        ('metadata', models.JSONField(null=True)),
                        ('created_at', models.DateTimeField()),
                    ],
                    options={
                        'verbose_name': 'journal entry',
                        'verbose_name_plural': 'journal entries',
                        'db_table': 'ledger_entry_header',
                        'ordering': ['-id'],
                        'permissions': [('enter_journal', 'Can enter manual journals'), ('approve_journal', 'Can approve and reject manual journals'), ('read_reports', 'Can read financial reports')],
                    },
                ),
                migrations.CreateModel(
                    name='EntryLine',
                    fields=[
                        ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                        ('line_number', models.SmallIntegerField()),
                        ('je_date', models.DateField()),
                        ('batch_id', models.BigIntegerField(db_default=0)),
                        ('fund', models.CharField(db_default='OP', max_length=10)),
                        ('side', models.CharField(choices=[('DR', 'Debit'), ('CR', 'Credit')], max_length=2)),
                        ('amount', models.DecimalField(decimal_places=6, max_digits=20)),
                    ],
                    options={
                        'db_table': 'ledger_entry_line',
                        'ordering': ['entry_id', 'line_number'],
                    },
                ),
                migrations.AddField(
                    model_name='entryheader',
                    name='created_by',
                    field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
                ),
                migrations.AddField(
                    model_name='entryheader',
                    name='posting',
                    field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='ledger.ledgerposting'),
                ),
                migrations.AddField(
                    model_name='entryheader',
                    name='reverses',
                    field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.entryheader'),
                ),
                migrations.AddField(
                    model_name='entryline',
                    name='account',
                    field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='ledger.account'),
                ),
                migrations.AddField(
                    model_name='entryline',
                    name='currency',
                    field=models.ForeignKey(db_column='currency', db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.currency'),
                ),
                migrations.AddField(
                    model_name='entryline',
                    name='entry',
                    field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='ledger.entryheader'),
                ),
                migrations.AddField(
                    model_name='entryheader',
                    name='template',
                    field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.journaltemplate'),
                ),
            ],
        ),
    ]
