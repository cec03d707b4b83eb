"""Tolls and tickets, what was decided about each, and the rules of both."""

from pathlib import Path

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

SQL = Path(__file__).parent / "sql"


class Migration(migrations.Migration):

    dependencies = [
        ('leases', '0002_fleet_rules'),
        ('ledger', '0020_house_events'),
        ('recon', '0004_curb_schedule'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='AgencyDecision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('place', models.PositiveIntegerField()),
                ('action', models.CharField(choices=[('ATTRIBUTED', 'Attributed'), ('LOOKED', 'Looked at'), ('ACCEPTED', 'Suggestion accepted'), ('ASSIGNED', 'Assigned by hand'), ('REASSIGNED', 'Reassigned'), ('REDUCED', 'Reduced'), ('REVISED', 'Revision accepted'), ('REPLACED', 'Replaced by a revision'), ('DISPUTED', 'Disputed'), ('DISMISSED', 'Dismissed'), ('FLEET_COST', 'Taken as fleet cost'), ('CREDITED', 'Credit given'), ('UNDONE', 'Taken back')], max_length=10)),
                ('state', models.CharField(choices=[('POSTED', 'Posted'), ('REVIEW', 'To review'), ('UNASSIGNED', 'Unassigned'), ('CREDIT', 'Credit to review'), ('DISPUTED', 'Disputed'), ('FLEET_COST', 'Fleet cost'), ('CREDITED', 'Credited'), ('DISMISSED', 'Dismissed'), ('IGNORED', 'Ignored'), ('REVISED', 'Revised')], max_length=10)),
                ('trip_id', models.BigIntegerField(null=True)),
                ('score', models.PositiveSmallIntegerField(null=True)),
                ('candidates', models.JSONField(default=list)),
                ('reasons', models.CharField(max_length=500)),
                ('payer', models.CharField(choices=[('UNKNOWN', 'Not known'), ('FLEET', 'The fleet'), ('DRIVER', 'The driver, or somebody else')], default='UNKNOWN', max_length=7)),
                ('amount', models.DecimalField(decimal_places=2, max_digits=14, null=True)),
                ('entry_id', models.BigIntegerField(null=True)),
                ('entry_date', models.DateField(null=True)),
                ('decided_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('account', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.driveraccount')),
                ('decided_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('fee_posting', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.ledgerposting')),
                ('lease_then', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='leases.lease')),
                ('posting', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='agency_decision', to='ledger.ledgerposting')),
                ('suggested', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.driveraccount')),
                ('vehicle', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='leases.vehicle')),
            ],
            options={
                'verbose_name': 'decision',
                'db_table': 'agency_decision',
                'ordering': ['item_id', 'place'],
            },
        ),
        migrations.CreateModel(
            name='AgencyFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('EZPASS', 'E-ZPass'), ('PVB', 'Parking violation'), ('TLC', 'TLC summons')], max_length=6)),
                ('file_name', models.CharField(max_length=255)),
                ('sha256', models.CharField(max_length=64)),
                ('rows', models.PositiveIntegerField()),
                ('new', models.PositiveIntegerField()),
                ('repeated', models.PositiveIntegerField()),
                ('rejected', models.PositiveIntegerField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'toll or ticket file',
                'db_table': 'agency_file',
                'ordering': ['-id'],
                'permissions': [('import_agencyfile', 'Can import tolls and tickets')],
            },
        ),
        migrations.CreateModel(
            name='AgencyItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('row_number', models.PositiveIntegerField(null=True)),
                ('kind', models.CharField(choices=[('EZPASS', 'E-ZPass'), ('PVB', 'Parking violation'), ('TLC', 'TLC summons')], max_length=6)),
                ('nature', models.CharField(choices=[('TOLL', 'Toll'), ('CREDIT', 'Credit'), ('TAG_FEE', 'Tag fee'), ('PAYMENT', 'Payment to the agency'), ('TICKET', 'Ticket')], max_length=8)),
                ('number', models.CharField(max_length=40)),
                ('version', models.PositiveSmallIntegerField(default=1)),
                ('figures_hash', models.CharField(max_length=64)),
                ('plate', models.CharField(blank=True, max_length=12)),
                ('plate_state', models.CharField(blank=True, max_length=2)),
                ('tag', models.CharField(blank=True, max_length=30)),
                ('occurred_at', models.DateTimeField(null=True)),
                ('event_on', models.DateField()),
                ('place', models.CharField(blank=True, max_length=80)),
                ('description', models.CharField(blank=True, max_length=80)),
                ('amount', models.DecimalField(decimal_places=2, max_digits=14)),
                ('paid', models.DecimalField(decimal_places=2, max_digits=14)),
                ('due', models.DecimalField(decimal_places=2, max_digits=14)),
                ('raw', models.JSONField()),
                ('case_no', models.CharField(blank=True, max_length=20, verbose_name='case')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('state', models.CharField(choices=[('POSTED', 'Posted'), ('REVIEW', 'To review'), ('UNASSIGNED', 'Unassigned'), ('CREDIT', 'Credit to review'), ('DISPUTED', 'Disputed'), ('FLEET_COST', 'Fleet cost'), ('CREDITED', 'Credited'), ('DISMISSED', 'Dismissed'), ('IGNORED', 'Ignored'), ('REVISED', 'Revised')], editable=False, max_length=10, null=True)),
                ('score', models.PositiveSmallIntegerField(editable=False, null=True)),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('decision', models.OneToOneField(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='stands_for', to='recon.agencydecision')),
                ('file', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='items', to='recon.agencyfile')),
            ],
            options={
                'verbose_name': 'toll or ticket',
                'verbose_name_plural': 'tolls and tickets',
                'db_table': 'agency_item',
                'ordering': ['-event_on', '-id'],
                'permissions': [('decide_agencyitem', 'Can decide on tolls and tickets')],
            },
        ),
        migrations.AddField(
            model_name='agencydecision',
            name='item',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='recon.agencyitem'),
        ),
        migrations.CreateModel(
            name='AgencyReject',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('row_number', models.PositiveIntegerField()),
                ('column', models.CharField(db_column='column_name', max_length=40)),
                ('message', models.CharField(max_length=300)),
                ('raw', models.JSONField()),
                ('file', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rejects', to='recon.agencyfile')),
            ],
            options={
                'db_table': 'agency_reject',
                'ordering': ['id'],
            },
        ),
        migrations.AddConstraint(
            model_name='agencyfile',
            constraint=models.CheckConstraint(condition=models.Q(('rows', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('new'), '+', models.F('repeated')), '+', models.F('rejected')))), name='agency_file_adds_up'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='agencyfile',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='d92fab395e6f0e45a33f13e3b6ecc7a3d8860ed6', operation='DELETE', pgid='pgtrigger_no_delete_ed113', table='agency_file', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='agencyfile',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='724e91e7c1a4a52b5cf0f95b3b7d620ae347793e', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_26bb3', table='agency_file', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='agencyfile',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='b5b9075e3504bfc88aed9a1655c0b4feecb8fd7e', operation='UPDATE', pgid='pgtrigger_no_update_e72ac', table='agency_file', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='agencyitem',
            index=models.Index(fields=['state', '-event_on'], name='agency_item_state_idx'),
        ),
        migrations.AddIndex(
            model_name='agencyitem',
            index=models.Index(fields=['plate'], name='agency_item_plate_idx'),
        ),
        migrations.AddConstraint(
            model_name='agencyitem',
            constraint=models.UniqueConstraint(fields=('kind', 'number', 'version'), name='agency_item_once'),
        ),
        migrations.AddConstraint(
            model_name='agencyitem',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['POSTED', 'FLEET_COST'])), fields=('kind', 'number'), name='agency_item_charged_once'),
        ),
        migrations.AddConstraint(
            model_name='agencyitem',
            constraint=models.CheckConstraint(condition=models.Q(('due', django.db.models.expressions.CombinedExpression(models.F('amount'), '-', models.F('paid')))), name='agency_item_adds_up'),
        ),
        migrations.AddConstraint(
            model_name='agencyitem',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('case_no', ''), ('file__isnull', False), ('row_number__isnull', False)), models.Q(('file__isnull', True), ('row_number__isnull', True), models.Q(('case_no', ''), _negated=True)), _connector='OR'), name='agency_item_from_file_or_case'),
        ),
        migrations.AddConstraint(
            model_name='agencyitem',
            constraint=models.CheckConstraint(condition=models.Q(('number', ''), _negated=True), name='agency_item_has_number'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='agencyitem',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='2e364b5bd8d0c6ecf4848404497869caad31b45c', operation='DELETE', pgid='pgtrigger_no_delete_13373', table='agency_item', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='agencyitem',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='3183955330698c0fed3f33a983d66a8153de95a2', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_76c6c', table='agency_item', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='agencydecision',
            constraint=models.UniqueConstraint(fields=('item', 'place'), name='agency_decision_in_turn'),
        ),
        migrations.AddConstraint(
            model_name='agencydecision',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('account__isnull', False), ('amount__gt', 0), ('entry_id__isnull', True), ('posting__isnull', False), ('state', 'POSTED')), models.Q(('amount__isnull', False), ('entry_date__isnull', False), ('entry_id__isnull', False), ('fee_posting__isnull', True), ('posting__isnull', True), ('state', 'FLEET_COST')), models.Q(models.Q(('state__in', ['POSTED', 'FLEET_COST']), _negated=True), ('entry_id__isnull', True), ('fee_posting__isnull', True), ('posting__isnull', True)), _connector='OR'), name='agency_decision_names_its_money'),
        ),
        migrations.AddConstraint(
            model_name='agencydecision',
            constraint=models.CheckConstraint(condition=models.Q(('reasons', ''), _negated=True), name='agency_decision_says_why'),
        ),
        migrations.AddConstraint(
            model_name='agencydecision',
            constraint=models.CheckConstraint(condition=models.Q(('score__isnull', True), ('score__lte', 100), _connector='OR'), name='agency_decision_score'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='agencydecision',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='879018f6ce3ebfb6d80c28e260b9902b2c0dfa59', operation='DELETE', pgid='pgtrigger_no_delete_bc093', table='agency_decision', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='agencydecision',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='518321f42375d242cd6e064f62d02ca4a599930b', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_89c2c', table='agency_decision', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='agencydecision',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='6259657134b1afe58c9c61d35614cb1fa6072630', operation='UPDATE', pgid='pgtrigger_no_update_95c2c', table='agency_decision', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='agencyreject',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='4891371755ba85a850730b4dc291ffa8926a1567', operation='DELETE', pgid='pgtrigger_no_delete_c4acc', table='agency_reject', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='agencyreject',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;", hash='d20ec482fa65022eb78c0fc977a57e934fcf6aac', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_3d88a', table='agency_reject', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='agencyreject',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='69f29839f7cf4362cabda602612954bc6243a628', operation='UPDATE', pgid='pgtrigger_no_update_ad992', table='agency_reject', when='BEFORE')),
        ),
        migrations.RunSQL(
            sql=(SQL / "0005_tolls_and_tickets.sql").read_text(),
            reverse_sql=(SQL / "0005_tolls_and_tickets.reverse.sql").read_text(),
        ),
    ]
