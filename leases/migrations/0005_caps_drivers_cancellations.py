"""Caps of closed weeks stay, additional drivers end, leases are cancelled before they begin (`sql/0005_…`)."""

from pathlib import Path

import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):

    dependencies = [
        ('leases', '0004_deposits'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='LeaseCancellation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(max_length=500)),
                ('cancelled_on', models.DateField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={
                'db_table': 'lease_cancellation',
                'ordering': ['-id'],
                'default_permissions': (),
            },
        ),
        migrations.AddField(
            model_name='historicalleasedriver',
            name='withdrawn',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='leasedriver',
            name='withdrawn',
            field=models.BooleanField(default=False),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='leasedriver',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='7d3950c63e1beea48ea3fecac1e332ac957bfe4e', operation='DELETE', pgid='pgtrigger_no_delete_773c4', table='lease_driver', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='leasedriver',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='f19c77477ba1f2376ec677069add3a2df3fcc1a1', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_ed011', table='lease_driver', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='leasecancellation',
            name='created_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='leasecancellation',
            name='lease',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='cancellation', to='leases.lease'),
        ),
        migrations.AddConstraint(
            model_name='leasecancellation',
            constraint=models.CheckConstraint(condition=models.Q(('reason__regex', '\\S.{8,}\\S')), name='lease_cancellation_says_why'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='leasecancellation',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='40daea0342c55f7c107000c40f0a027fe2ef55e6', operation='DELETE', pgid='pgtrigger_no_delete_dab27', table='lease_cancellation', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='leasecancellation',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='8a5eec7571eb80d6d54b0d1af25d6d55bc22a40a', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_5daa0', table='lease_cancellation', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='leasecancellation',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='e40d3eaea60798e8dbe3d7df3ead71b7e770d2c8', operation='UPDATE', pgid='pgtrigger_no_update_b4127', table='lease_cancellation', when='BEFORE')),
        ),
        migrations.RunSQL(
            sql("0005_caps_drivers_cancellations.sql"), sql("0005_caps_drivers_cancellations.reverse.sql")
        ),
    ]
