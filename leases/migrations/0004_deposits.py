"""Deposits: their terms, releases and refunds, the rules about them (`sql/0004_deposits.sql`), and the hour of the holds."""

from pathlib import Path
from zoneinfo import ZoneInfo

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


DAILY = ("Release deposits whose hold has ended", "leases.tasks.process_expired_deposit_holds")


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


def schedule(apps, schema_editor):
    """After Sunday's run, which begins at 05:00. A row that exists is left alone: the schedule is edited in the admin."""
    crontab, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(
        minute="0",
        hour="6",
        day_of_week="*",
        day_of_month="*",
        month_of_year="*",
        timezone=ZoneInfo("America/New_York"),
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=DAILY[0], defaults={"task": DAILY[1], "crontab": crontab}
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(task=DAILY[1]).delete()


class Migration(migrations.Migration):

    dependencies = [
        ("ledger", "0024_deposits"),
        ("leases", "0003_lease_terms"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='LeaseDeposit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='lease_deposit', to='ledger.driveraccount')),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('lease', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='deposit', to='leases.lease')),
            ],
            options={
                'verbose_name': 'deposit',
                'db_table': 'lease_deposit',
                'ordering': ['-id'],
                'permissions': [('release_deposit', 'Can release a deposit before its hold ends'), ('refund_deposit', 'Can record that a deposit was paid back, or came back')],
            },
        ),
        migrations.CreateModel(
            name='DepositRelease',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('released_on', models.DateField()),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('fell_due', models.DecimalField(decimal_places=2, max_digits=14)),
                ('cancelled', models.DecimalField(decimal_places=2, max_digits=14)),
                ('collected', models.DecimalField(decimal_places=2, max_digits=14)),
                ('applied', models.DecimalField(decimal_places=2, max_digits=14)),
                ('refundable', models.DecimalField(decimal_places=2, max_digits=14)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('posting', models.OneToOneField(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deposit_release', to='ledger.ledgerposting')),
                ('deposit', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='release', to='leases.leasedeposit')),
            ],
            options={
                'db_table': 'deposit_release',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='DepositPart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('amount', models.DecimalField(decimal_places=2, max_digits=14)),
                ('due_on', models.DateField()),
                ('reference_id', models.CharField(max_length=40)),
                ('posting_id', models.UUIDField(editable=False, null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('deposit', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='parts', to='leases.leasedeposit')),
            ],
            options={
                'db_table': 'deposit_part',
                'ordering': ['deposit_id', 'number'],
            },
        ),
        migrations.CreateModel(
            name='DepositRefund',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount', models.DecimalField(decimal_places=2, max_digits=14)),
                ('paid_on', models.DateField()),
                ('method', models.CharField(choices=[('CHECK', 'Check'), ('ACH', 'ACH')], max_length=5)),
                ('method_reference', models.CharField(max_length=60)),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('entry_id', models.BigIntegerField()),
                ('entry_date', models.DateField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('returns', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='returned_by', to='leases.depositrefund', verbose_name='came back')),
                ('release', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='leases.depositrelease')),
            ],
            options={
                'db_table': 'deposit_refund',
                'ordering': ['id'],
                'constraints': [models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='deposit_refund_positive'), models.CheckConstraint(condition=models.Q(('method__in', ['CHECK', 'ACH']), models.Q(('method_reference', ''), _negated=True)), name='deposit_refund_says_how'), models.CheckConstraint(condition=models.Q(models.Q(('reason', ''), ('returns__isnull', True)), models.Q(('returns__isnull', False), models.Q(('reason', ''), _negated=True)), _connector='OR'), name='deposit_refund_returned_has_reason'), models.UniqueConstraint(fields=('entry_id',), name='deposit_refund_entry_once')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='depositrefund',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='e3deb84f3d250b53c05d5cff4a40f45cad005249', operation='DELETE', pgid='pgtrigger_no_delete_0bb16', table='deposit_refund', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='depositrefund',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='53f9aceb480966cc7c61946798599d169e9ba63d', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_db2af', table='deposit_refund', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='depositrefund',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='eed18b6535ceac8fee8653093290bb7af520b18a', operation='UPDATE', pgid='pgtrigger_no_update_e34af', table='deposit_refund', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='leasedeposit',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='451dae2dd6e5a8cc21f03cf10dae47342a8c3fb1', operation='DELETE', pgid='pgtrigger_no_delete_929b4', table='lease_deposit', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='leasedeposit',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='771da873794cc1cc726ae1ec7869fb78100bae18', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_48416', table='lease_deposit', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='leasedeposit',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='e2ef799bb2fef6961a5189d01f3a6733fe095e1b', operation='UPDATE', pgid='pgtrigger_no_update_972ec', table='lease_deposit', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='depositrelease',
            constraint=models.CheckConstraint(condition=models.Q(('applied__gte', 0), ('cancelled__gte', 0), ('fell_due__gte', 0), ('refundable__gte', 0)), name='deposit_release_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='depositrelease',
            constraint=models.CheckConstraint(condition=models.Q(('collected', django.db.models.expressions.CombinedExpression(models.F('applied'), '+', models.F('refundable')))), name='deposit_release_adds_up'),
        ),
        migrations.AddConstraint(
            model_name='depositrelease',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('applied', 0), ('posting__isnull', True)), models.Q(('applied__gt', 0), ('posting__isnull', False)), _connector='OR'), name='deposit_release_applied_is_posted'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='depositrelease',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='80efbed34f045753c47a14a8c1b3c0b4958a10b6', operation='DELETE', pgid='pgtrigger_no_delete_59038', table='deposit_release', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='depositrelease',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='c7e9d98b6f9cce5deda809a220bc6f124854133e', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_d14ed', table='deposit_release', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='depositrelease',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='84bee09f7b140fade01cd13ba2c2fed309767fd8', operation='UPDATE', pgid='pgtrigger_no_update_c9270', table='deposit_release', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='depositpart',
            index=models.Index(condition=models.Q(('posting_id__isnull', True)), fields=['due_on'], name='deposit_part_unposted_idx'),
        ),
        migrations.AddConstraint(
            model_name='depositpart',
            constraint=models.UniqueConstraint(fields=('deposit', 'number'), name='deposit_part_once'),
        ),
        migrations.AddConstraint(
            model_name='depositpart',
            constraint=models.UniqueConstraint(fields=('reference_id',), name='deposit_part_reference_once'),
        ),
        migrations.AddConstraint(
            model_name='depositpart',
            constraint=models.UniqueConstraint(fields=('posting_id',), name='deposit_part_posting_once'),
        ),
        migrations.AddConstraint(
            model_name='depositpart',
            constraint=models.CheckConstraint(condition=models.Q(('number__in', [1, 2])), name='deposit_part_one_or_two'),
        ),
        migrations.AddConstraint(
            model_name='depositpart',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='deposit_part_positive'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='depositpart',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='2a744441a5d3f70f9c680d18bc79e7242e175702', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_f5580', table='deposit_part', when='BEFORE')),
        ),
        migrations.CreateModel(
            name="DepositStanding",
            fields=[
                ("deposit", models.OneToOneField(on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name="standing", serialize=False, to="leases.leasedeposit")),
                ("status", models.CharField(choices=[("COLLECTING", "Collecting"), ("HELD", "Held"), ("APPLIED", "Applied"), ("REFUNDED", "Refunded")], max_length=10)),
                ("is_released", models.BooleanField()),
                ("agreed", models.DecimalField(decimal_places=2, max_digits=14)),
                ("scheduled", models.DecimalField(decimal_places=2, max_digits=14)),
                ("charged", models.DecimalField(decimal_places=2, max_digits=14)),
                ("open_amount", models.DecimalField(decimal_places=2, max_digits=14)),
                ("collected", models.DecimalField(decimal_places=2, max_digits=14)),
                ("applied", models.DecimalField(decimal_places=2, max_digits=14)),
                ("refunded", models.DecimalField(decimal_places=2, max_digits=14)),
                ("held", models.DecimalField(decimal_places=2, max_digits=14)),
                ("to_refund", models.DecimalField(decimal_places=2, max_digits=14)),
            ],
            options={"db_table": "lease_deposit_standing", "managed": False, "default_permissions": ()},
        ),
        migrations.RunSQL(sql("0004_deposits.sql"), sql("0004_deposits.reverse.sql")),
        migrations.RunPython(schedule, unschedule),
    ]
