"""Suspensions, early ends, caps, and installments that are replaced after they were posted.

The rules are explained where they are written: `sql/0003_lease_terms.sql`.
"""

from pathlib import Path

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
import simple_history.models
from django.conf import settings
from django.db import migrations, models


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):

    dependencies = [
        ('leases', '0002_fleet_rules'),
        # The functions below read its postings.
        ('ledger', '0014_posting_dates'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='HistoricalLeaseCap',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('lease_type', models.CharField(choices=[('dov', 'Driver-owned vehicle'), ('long-term', 'Long-term'), ('shift-lease', 'Shift lease'), ('short-term', 'Short-term'), ('medallion-only', 'Medallion only')], max_length=20)),
                ('vehicle_type', models.CharField(blank=True, help_text='Empty: all that are not named.', max_length=10)),
                ('effective_from', models.DateField()),
                ('weekly_cap', models.DecimalField(blank=True, decimal_places=2, help_text='US dollars a week. Empty: no cap from this date on.', max_digits=14, null=True, validators=[django.core.validators.MinValueValidator(0)])),
                ('rule', models.CharField(default='58-21', help_text='The rule that a refusal names.', max_length=40)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical lease cap',
                'verbose_name_plural': 'historical lease caps',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalLeaseSuspension',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('starts_on', models.DateField()),
                ('ends_on', models.DateField(blank=True, null=True)),
                ('reason', models.CharField(max_length=500)),
                ('withdrawn', models.BooleanField(default=False)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical lease suspension',
                'verbose_name_plural': 'historical lease suspensions',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='LeaseCap',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('lease_type', models.CharField(choices=[('dov', 'Driver-owned vehicle'), ('long-term', 'Long-term'), ('shift-lease', 'Shift lease'), ('short-term', 'Short-term'), ('medallion-only', 'Medallion only')], max_length=20)),
                ('vehicle_type', models.CharField(blank=True, help_text='Empty: all that are not named.', max_length=10)),
                ('effective_from', models.DateField()),
                ('weekly_cap', models.DecimalField(blank=True, decimal_places=2, help_text='US dollars a week. Empty: no cap from this date on.', max_digits=14, null=True, validators=[django.core.validators.MinValueValidator(0)])),
                ('rule', models.CharField(default='58-21', help_text='The rule that a refusal names.', max_length=40)),
            ],
            options={
                'db_table': 'lease_cap',
                'ordering': ['lease_type', 'vehicle_type', '-effective_from'],
            },
        ),
        migrations.CreateModel(
            name='LeaseSuspension',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('starts_on', models.DateField()),
                ('ends_on', models.DateField(blank=True, null=True)),
                ('reason', models.CharField(max_length=500)),
                ('withdrawn', models.BooleanField(default=False)),
            ],
            options={
                'db_table': 'lease_suspension',
                'ordering': ['lease_id', 'starts_on', 'id'],
            },
        ),
        migrations.CreateModel(
            name='LeaseTermination',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('ends_on', models.DateField(help_text='The last day, which counts.')),
                ('agreed_end', models.DateField(help_text='The last day as it was agreed before; null: open.', null=True)),
                ('reason', models.CharField(max_length=500)),
                ('cancellation_fee', models.DecimalField(decimal_places=2, help_text='What was agreed; zero: none.', max_digits=14)),
                ('waiver_reason', models.CharField(blank=True, max_length=500)),
                ('posting_id', models.UUIDField(editable=False, null=True)),
                ('entered_on', models.DateField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={
                'db_table': 'lease_termination',
                'ordering': ['-id'],
            },
        ),
        migrations.AlterModelOptions(
            name='lease',
            options={'ordering': ['number'], 'permissions': [('terminate_lease', 'Can end leases early'), ('waive_cancellation_fee', 'Can waive the cancellation fee of leases')]},
        ),
        migrations.RemoveConstraint(
            model_name='leaseinstallment',
            name='lease_installment_once',
        ),
        migrations.AddField(
            model_name='leaseinstallment',
            name='replaced',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name='leaseinstallment',
            name='replaced_on',
            field=models.DateField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name='leaseinstallment',
            index=models.Index(condition=models.Q(('replaced__gt', 0)), fields=['lease', 'period_start'], name='lease_installment_replaced_idx'),
        ),
        migrations.AddConstraint(
            model_name='leaseinstallment',
            constraint=models.UniqueConstraint(fields=('lease', 'period_start', 'replaced'), name='lease_installment_once'),
        ),
        migrations.AddConstraint(
            model_name='leaseinstallment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('replaced', 0), ('replaced_on__isnull', True)), models.Q(('posting_id__isnull', False), ('replaced__gt', 0), ('replaced_on__isnull', False)), _connector='OR'), name='lease_installment_replaced_when_posted'),
        ),
        migrations.AddField(
            model_name='historicalleasecap',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalleasesuspension',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalleasesuspension',
            name='lease',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='leases.lease'),
        ),
        migrations.AddConstraint(
            model_name='leasecap',
            constraint=models.UniqueConstraint(fields=('lease_type', 'vehicle_type', 'effective_from'), name='lease_cap_one_per_day'),
        ),
        migrations.AddConstraint(
            model_name='leasecap',
            constraint=models.CheckConstraint(condition=models.Q(('weekly_cap__isnull', True), ('weekly_cap__gt', 0), _connector='OR'), name='lease_cap_positive'),
        ),
        migrations.AddConstraint(
            model_name='leasecap',
            constraint=models.CheckConstraint(condition=models.Q(('lease_type__in', ['dov', 'long-term', 'shift-lease', 'short-term', 'medallion-only'])), name='lease_cap_lease_type'),
        ),
        migrations.AddConstraint(
            model_name='leasecap',
            constraint=models.CheckConstraint(condition=models.Q(('rule', ''), _negated=True), name='lease_cap_names_its_rule'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='leasecap',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='fd8bd32b75779f00a3fa553a0af45d623bedad4d', operation='DELETE', pgid='pgtrigger_no_delete_6f90a', table='lease_cap', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='leasecap',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='a68e3596b7e33ce0dd38d95a245f92cbc50e20b6', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_d6db1', table='lease_cap', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='leasesuspension',
            name='lease',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='suspensions', to='leases.lease'),
        ),
        migrations.AddField(
            model_name='leasetermination',
            name='created_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='leasetermination',
            name='lease',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='terminations', to='leases.lease'),
        ),
        migrations.AddConstraint(
            model_name='leasesuspension',
            constraint=models.CheckConstraint(condition=models.Q(('ends_on__isnull', True), ('ends_on__gte', models.F('starts_on')), _connector='OR'), name='lease_suspension_ends_after_start'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='leasesuspension',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='2223871c2c613386d2b1cda530de847d7cdde76f', operation='DELETE', pgid='pgtrigger_no_delete_1006b', table='lease_suspension', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='leasesuspension',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='76cdd62589a2e60bae64617a59ee866d5884ed84', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_81ce4', table='lease_suspension', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='leasetermination',
            constraint=models.CheckConstraint(condition=models.Q(('cancellation_fee__gte', 0)), name='lease_termination_fee_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='leasetermination',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('cancellation_fee', 0), ('posting_id__isnull', True), ('waiver_reason', '')), models.Q(('cancellation_fee__gt', 0), ('posting_id__isnull', False), ('waiver_reason', '')), models.Q(('cancellation_fee__gt', 0), ('posting_id__isnull', True), ('waiver_reason__regex', '\\S.{8,}\\S')), _connector='OR'), name='lease_termination_fee_posted_or_waived'),
        ),
        migrations.AddConstraint(
            model_name='leasetermination',
            constraint=models.CheckConstraint(condition=models.Q(('agreed_end__isnull', True), ('agreed_end__gt', models.F('ends_on')), _connector='OR'), name='lease_termination_is_early'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='leasetermination',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='abee85315501c9b2535a2b9102b36e212ab5557e', operation='DELETE', pgid='pgtrigger_no_delete_4982b', table='lease_termination', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='leasetermination',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='860adb962ac86fc48feb0083a4e29f0cd1f363b5', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_6530f', table='lease_termination', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='leasetermination',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='9ec69c0973bcd334e1f66299a75cc0d8b893c41f', operation='UPDATE', pgid='pgtrigger_no_update_3ce4d', table='lease_termination', when='BEFORE')),
        ),
        migrations.RunSQL(sql("0003_lease_terms.sql"), sql("0003_lease_terms.reverse.sql")),
    ]
