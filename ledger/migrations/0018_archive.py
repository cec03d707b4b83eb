"""Months moved out of the database into files: what is known of them, and the functions that move them."""

from pathlib import Path
from zoneinfo import ZoneInfo

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

ROTATE = ("Rotate the partitions", "ledger.tasks.rotate_partitions")


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


def schedule(apps, schema_editor):
    crontab, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(
        minute="30",
        hour="4",
        day_of_week="*",
        day_of_month="*",
        month_of_year="*",
        timezone=ZoneInfo("America/New_York"),
    )
    name, task = ROTATE
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=name, defaults={"task": task, "crontab": crontab}
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(task=ROTATE[1]).delete()


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("ledger", "0017_pack_sources"),
    ]
    operations = [
        migrations.CreateModel(
            name='ArchivedAccountTotal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('fund', models.CharField(max_length=10)),
                ('debits', models.DecimalField(decimal_places=6, max_digits=20)),
                ('credits', models.DecimalField(decimal_places=6, max_digits=20)),
            ],
            options={
                'db_table': 'archived_account_total',
                'ordering': ['archive_id', 'account_id', 'fund'],
            },
        ),
        migrations.CreateModel(
            name='ArchivedFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('parent', models.CharField(max_length=63)),
                ('leaf', models.CharField(max_length=63)),
                ('batch_id', models.BigIntegerField()),
                ('part', models.PositiveIntegerField()),
                ('path', models.CharField(max_length=300)),
                ('rows', models.BigIntegerField()),
                ('bytes', models.BigIntegerField()),
                ('sha256', models.CharField(max_length=64)),
            ],
            options={
                'db_table': 'archived_file',
                'ordering': ['archive_id', 'parent', 'batch_id', 'part'],
            },
        ),
        migrations.CreateModel(
            name='ArchivedMonth',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('LEDGER', 'Journal entries'), ('SOURCE', 'Source rows')], max_length=6)),
                ('month', models.DateField()),
                ('number', models.PositiveIntegerField()),
                ('rows', models.BigIntegerField()),
                ('bytes', models.BigIntegerField()),
                ('columns', models.JSONField()),
                ('totals', models.JSONField()),
                ('archived_at', models.DateTimeField()),
                ('dropped_at', models.DateTimeField(null=True)),
                ('restored_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'archived_month',
                'ordering': ['-month', 'kind', '-number'],
                'permissions': [('archive_month', 'Can archive and restore months')],
            },
        ),
        migrations.AddField(
            model_name='archivedaccounttotal',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.account'),
        ),
        migrations.AddField(
            model_name='archivedmonth',
            name='archived_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='archivedmonth',
            name='dropped_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='archivedmonth',
            name='restored_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='archivedfile',
            name='archive',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='files', to='ledger.archivedmonth'),
        ),
        migrations.AddField(
            model_name='archivedaccounttotal',
            name='archive',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='account_totals', to='ledger.archivedmonth'),
        ),
        migrations.AddConstraint(
            model_name='archivedmonth',
            constraint=models.CheckConstraint(condition=models.Q(('month__day', 1)), name='archived_month_is_first_day'),
        ),
        migrations.AddConstraint(
            model_name='archivedmonth',
            constraint=models.UniqueConstraint(fields=('kind', 'month', 'number'), name='archived_month_number_once'),
        ),
        migrations.AddConstraint(
            model_name='archivedmonth',
            constraint=models.UniqueConstraint(condition=models.Q(('dropped_at__isnull', False), ('restored_at__isnull', True)), fields=('kind', 'month'), name='archived_month_away_once'),
        ),
        migrations.AddConstraint(
            model_name='archivedmonth',
            constraint=models.CheckConstraint(condition=models.Q(('restored_at__isnull', True), ('restored_at__gte', models.F('dropped_at')), _connector='OR'), name='archived_month_restored_after_drop'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='archivedmonth',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='4a15e782d04f725d4cc2de70af24a7049afbded2', operation='DELETE', pgid='pgtrigger_no_delete_500f4', table='archived_month', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='archivedmonth',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='99c6b5e84011a762ad0a30442e368994a83af926', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_e2d94', table='archived_month', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='archivedfile',
            constraint=models.UniqueConstraint(fields=('archive', 'leaf', 'part'), name='archived_file_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='archivedfile',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='bc60d80612d6916d2914d770934673211a3ad466', operation='DELETE', pgid='pgtrigger_no_delete_5a41a', table='archived_file', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='archivedfile',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='2d191958dec81ec5535c427ff4c20e248414a3c5', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_951a4', table='archived_file', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='archivedfile',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='d8f2a7e3c24457a5f00e7a6fdcaf14c77bbfe100', operation='UPDATE', pgid='pgtrigger_no_update_ed4d2', table='archived_file', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='archivedaccounttotal',
            constraint=models.UniqueConstraint(fields=('archive', 'account', 'fund'), name='archived_account_total_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='archivedaccounttotal',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='2b4fbec4597316960fe72b5fd728224791df3487', operation='DELETE', pgid='pgtrigger_no_delete_826a8', table='archived_account_total', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='archivedaccounttotal',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='c3f92a6e4a7b2ad60340be7e8f66e4ed7aff3ca0', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_6b3b4', table='archived_account_total', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='archivedaccounttotal',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='1e4cb077d4e09648270a2a903874836f4999b0b1', operation='UPDATE', pgid='pgtrigger_no_update_f9233', table='archived_account_total', when='BEFORE')),
        ),
        migrations.RunSQL(sql("0018_archive.sql"), sql("0018_archive.reverse.sql")),
        migrations.RunPython(schedule, unschedule),
    ]
