"""The desk: decided credits, opening balances, cashiers' drawers; the rules are in `sql/0021_desk.sql`."""

from pathlib import Path

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


def sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


class Migration(migrations.Migration):
    dependencies = [
        ("common", "0002_system_user"),
        ("ledger", "0020_house_events"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Drawer",
            fields=[
                (
                    "cashier",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="drawer",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("opened_at", models.DateTimeField(db_default=models.Func(function="statement_timestamp"))),
            ],
            options={
                "db_table": "drawer",
            },
        ),
        migrations.CreateModel(
            name="DrawerClose",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.CharField(max_length=24, unique=True)),
                ("day", models.DateField()),
                ("expected_cash", models.DecimalField(decimal_places=2, max_digits=14)),
                ("expected_checks", models.DecimalField(decimal_places=2, max_digits=14)),
                ("counted_cash", models.DecimalField(decimal_places=2, max_digits=14)),
                ("counted_checks", models.DecimalField(decimal_places=2, max_digits=14)),
                ("difference", models.DecimalField(decimal_places=2, max_digits=14)),
                ("kept", models.DecimalField(decimal_places=2, max_digits=14)),
                ("banked", models.DecimalField(decimal_places=2, max_digits=14)),
                ("checks", models.JSONField()),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("closed_at", models.DateTimeField(db_default=models.Func(function="statement_timestamp"))),
            ],
            options={
                "verbose_name": "drawer close",
                "db_table": "drawer_close",
                "ordering": ["-id"],
                "permissions": [
                    ("close_drawer", "Can count and close the own drawer"),
                    ("close_other_drawer", "Can count and close anybody's drawer"),
                    ("fund_drawer", "Can put cash from the bank into a drawer"),
                ],
            },
        ),
        migrations.CreateModel(
            name="DrawerMovement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("PAYMENT", "Payment taken"),
                            ("VOID", "Taken back"),
                            ("REFUND", "Credit paid back"),
                            ("DTR_PAID", "Net pay handed over"),
                            ("DTR_RETURNED", "Net pay that came back"),
                            ("FLOAT", "Put in from the bank"),
                            ("DIFFERENCE", "Over or short"),
                            ("BANKED", "Taken to the bank"),
                        ],
                        max_length=12,
                    ),
                ),
                ("medium", models.CharField(choices=[("CASH", "Cash"), ("CHECK", "Check")], max_length=5)),
                ("amount", models.DecimalField(decimal_places=2, max_digits=14)),
                ("reference", models.CharField(max_length=40)),
                ("created_at", models.DateTimeField(db_default=models.Func(function="statement_timestamp"))),
            ],
            options={
                "db_table": "drawer_movement",
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="OpeningImport",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("once", models.BooleanField(default=True, editable=False, unique=True)),
                ("file_name", models.CharField(max_length=120)),
                ("sha256", models.CharField(max_length=64)),
                ("dated", models.DateField()),
                ("rows", models.PositiveIntegerField()),
                ("debits", models.DecimalField(decimal_places=2, max_digits=14)),
                ("credits", models.DecimalField(decimal_places=2, max_digits=14)),
                ("control_total", models.DecimalField(decimal_places=2, max_digits=14)),
                ("created_at", models.DateTimeField(db_default=models.Func(function="statement_timestamp"))),
            ],
            options={
                "verbose_name": "opening balances",
                "verbose_name_plural": "opening balances",
                "db_table": "opening_import",
                "permissions": [("import_opening", "Can import the opening balances")],
            },
        ),
        migrations.AlterField(
            model_name="entryheader",
            name="origin",
            field=models.CharField(
                choices=[
                    ("POSTING", "Driver posting"),
                    ("TRIP", "Trip"),
                    ("DTR", "Net pay handed over or returned"),
                    ("LOAN", "Loan paid out or forgiven"),
                    ("DEPOSIT", "Deposit refunded"),
                    ("TRANSFER", "Transfer"),
                    ("MANUAL", "Manual journal"),
                    ("BATCH", "Bulk batch"),
                    ("RECON", "Reconciliation"),
                    ("HOUSE", "Event of the fleet"),
                ],
                max_length=12,
            ),
        ),
        migrations.CreateModel(
            name="CheckBounce",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("bounced_on", models.DateField()),
                ("reason", models.CharField(max_length=500)),
                ("created_at", models.DateTimeField(db_default=models.Func(function="statement_timestamp"))),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "payment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bounce",
                        to="ledger.interimpayment",
                    ),
                ),
            ],
            options={
                "db_table": "check_bounce",
                "ordering": ["-id"],
                "permissions": [("bounce_check", "Can record that a check bounced")],
            },
        ),
        migrations.CreateModel(
            name="CreditDecision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.CharField(max_length=20, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("ADJUSTMENT", "Adjustment"),
                            ("WRITE_OFF", "Write-off"),
                            ("REFUND", "Refund of credit"),
                        ],
                        max_length=10,
                    ),
                ),
                ("amount", models.DecimalField(decimal_places=2, max_digits=14)),
                ("reason", models.CharField(max_length=500)),
                (
                    "method",
                    models.CharField(
                        blank=True,
                        choices=[("CASH", "Cash"), ("CHECK", "Check"), ("ACH", "ACH")],
                        max_length=5,
                    ),
                ),
                (
                    "method_reference",
                    models.CharField(blank=True, max_length=60, verbose_name="check number or ACH reference"),
                ),
                ("parts", models.JSONField()),
                ("approval_above", models.DecimalField(decimal_places=2, max_digits=14)),
                ("decided_on", models.DateField()),
                ("case_no", models.CharField(blank=True, max_length=20, verbose_name="case")),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_decisions",
                        to="ledger.driveraccount",
                    ),
                ),
                (
                    "approved_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "posting",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_decision",
                        to="ledger.ledgerposting",
                    ),
                ),
            ],
            options={
                "verbose_name": "credit",
                "db_table": "credit_decision",
                "ordering": ["-id"],
                "permissions": [
                    ("grant_adjustment", "Can grant an adjustment"),
                    ("write_off", "Can write off what a driver owes"),
                    ("refund_credit", "Can pay back a driver's credit"),
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="drawer",
            trigger=pgtrigger.compiler.Trigger(
                name="no_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="066457d87245a10e639d27ca0a1dd897cff80945",
                    operation="DELETE",
                    pgid="pgtrigger_no_delete_f4346",
                    table="drawer",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="drawer",
            trigger=pgtrigger.compiler.Trigger(
                name="no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;",
                    hash="6aea4cb622fa7c007418b239d8677fa5784552ae",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_no_truncate_4350a",
                    table="drawer",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="drawer",
            trigger=pgtrigger.compiler.Trigger(
                name="no_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="557b5b612ccce0674c2a66b90f53582150bbbfc3",
                    operation="UPDATE",
                    pgid="pgtrigger_no_update_7ccfe",
                    table="drawer",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddField(
            model_name="drawerclose",
            name="closed_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="drawerclose",
            name="drawer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="closes", to="ledger.drawer"
            ),
        ),
        migrations.AddField(
            model_name="drawermovement",
            name="created_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="drawermovement",
            name="drawer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="movements", to="ledger.drawer"
            ),
        ),
        migrations.AddField(
            model_name="drawermovement",
            name="dtr_payment",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="drawer_movement",
                to="ledger.dtrpayment",
            ),
        ),
        migrations.AddField(
            model_name="drawermovement",
            name="payment",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="drawer_movements",
                to="ledger.interimpayment",
            ),
        ),
        migrations.AddField(
            model_name="drawermovement",
            name="posting",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="drawer_movement",
                to="ledger.ledgerposting",
            ),
        ),
        migrations.AddField(
            model_name="openingimport",
            name="created_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="checkbounce",
            trigger=pgtrigger.compiler.Trigger(
                name="no_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="850871626fa98b6f29bdaed7509516d653ff3d21",
                    operation="DELETE",
                    pgid="pgtrigger_no_delete_7c37b",
                    table="check_bounce",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="checkbounce",
            trigger=pgtrigger.compiler.Trigger(
                name="no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;",
                    hash="5f431400de6691351729f6cfd731579bf0cdb244",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_no_truncate_b6883",
                    table="check_bounce",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="checkbounce",
            trigger=pgtrigger.compiler.Trigger(
                name="no_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="2f5a3e03de294f353a03e642efc6e3bcb1ea7e10",
                    operation="UPDATE",
                    pgid="pgtrigger_no_update_a6b28",
                    table="check_bounce",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="creditdecision",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="credit_decision_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditdecision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("approved_by__isnull", True),
                    models.Q(("approved_by", models.F("asked_by")), _negated=True),
                    _connector="OR",
                ),
                name="credit_decision_approved_by_another",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditdecision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount__lte", models.F("approval_above")),
                    ("approved_by__isnull", False),
                    _connector="OR",
                ),
                name="credit_decision_large_is_approved",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditdecision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("approval_above", 0), ("kind", "REFUND"), models.Q(("method", ""), _negated=True)
                    ),
                    models.Q(models.Q(("kind", "REFUND"), _negated=True), ("method", "")),
                    _connector="OR",
                ),
                name="credit_decision_refund_says_how",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditdecision",
            constraint=models.UniqueConstraint(
                condition=models.Q(("case_no", ""), _negated=True),
                fields=("case_no",),
                name="credit_decision_one_per_case",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="creditdecision",
            trigger=pgtrigger.compiler.Trigger(
                name="no_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="fb62daf2642b28a0619c292c3ce697f8c3592faa",
                    operation="DELETE",
                    pgid="pgtrigger_no_delete_44b3b",
                    table="credit_decision",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="creditdecision",
            trigger=pgtrigger.compiler.Trigger(
                name="no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;",
                    hash="9fde3d12cdbb2cdd90a76326a8e4215c37a7c2d5",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_no_truncate_4010a",
                    table="credit_decision",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="creditdecision",
            trigger=pgtrigger.compiler.Trigger(
                name="no_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="16513c7ca2c468abd60ae7db68059469fe9f2017",
                    operation="UPDATE",
                    pgid="pgtrigger_no_update_74ad0",
                    table="credit_decision",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="drawerclose",
            constraint=models.UniqueConstraint(fields=("drawer", "day"), name="drawer_close_once_a_day"),
        ),
        migrations.AddConstraint(
            model_name="drawerclose",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "difference",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    models.F("counted_cash"), "+", models.F("counted_checks")
                                ),
                                "-",
                                models.F("expected_cash"),
                            ),
                            "-",
                            models.F("expected_checks"),
                        ),
                    )
                ),
                name="drawer_close_difference",
            ),
        ),
        migrations.AddConstraint(
            model_name="drawerclose",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "banked",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                models.F("counted_cash"), "+", models.F("counted_checks")
                            ),
                            "-",
                            models.F("kept"),
                        ),
                    ),
                    ("counted_cash__gte", models.F("kept")),
                    ("counted_checks__gte", 0),
                    ("kept__gte", 0),
                ),
                name="drawer_close_banks_the_rest",
            ),
        ),
        migrations.AddConstraint(
            model_name="drawerclose",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("difference", 0), models.Q(("reason", ""), _negated=True), _connector="OR"
                ),
                name="drawer_close_difference_has_reason",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="drawerclose",
            trigger=pgtrigger.compiler.Trigger(
                name="no_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="caf889660514abf3a3fed8139af2615bc0962176",
                    operation="DELETE",
                    pgid="pgtrigger_no_delete_eb005",
                    table="drawer_close",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="drawerclose",
            trigger=pgtrigger.compiler.Trigger(
                name="no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;",
                    hash="f1ccec4fd2225c8f880b633b6dcab8e8ce629d05",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_no_truncate_a6e07",
                    table="drawer_close",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="drawerclose",
            trigger=pgtrigger.compiler.Trigger(
                name="no_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="61223e2d8fdb698b8e6339b3b43c80e36a63a4a3",
                    operation="UPDATE",
                    pgid="pgtrigger_no_update_e0309",
                    table="drawer_close",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="drawermovement",
            index=models.Index(fields=["drawer", "day"], name="drawer_movement_day_idx"),
        ),
        migrations.AddIndex(
            model_name="drawermovement",
            index=models.Index(fields=["reference"], name="drawer_movement_reference_idx"),
        ),
        migrations.AddConstraint(
            model_name="drawermovement",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount", 0), _negated=True), name="drawer_movement_not_zero"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="drawermovement",
            trigger=pgtrigger.compiler.Trigger(
                name="no_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="019a1572825ee86ad4b55b60aa8c409785c6483d",
                    operation="DELETE",
                    pgid="pgtrigger_no_delete_f96a4",
                    table="drawer_movement",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="drawermovement",
            trigger=pgtrigger.compiler.Trigger(
                name="no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;",
                    hash="f6249e1b11763bf507619a8081f68ee90e99ee3f",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_no_truncate_5cd39",
                    table="drawer_movement",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="drawermovement",
            trigger=pgtrigger.compiler.Trigger(
                name="no_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="bf8dccc054a9051d76ad30aedc14eb6ba3f62d0f",
                    operation="UPDATE",
                    pgid="pgtrigger_no_update_1509e",
                    table="drawer_movement",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="openingimport",
            constraint=models.CheckConstraint(
                condition=models.Q(("once", True)), name="opening_import_only_one"
            ),
        ),
        migrations.AddConstraint(
            model_name="openingimport",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "control_total",
                        django.db.models.expressions.CombinedExpression(
                            models.F("debits"), "-", models.F("credits")
                        ),
                    )
                ),
                name="opening_import_adds_up",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="openingimport",
            trigger=pgtrigger.compiler.Trigger(
                name="no_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="5a4ccec4fa4e7dddaf359712ed4cbf0f3f3ec4d0",
                    operation="DELETE",
                    pgid="pgtrigger_no_delete_b5891",
                    table="opening_import",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="openingimport",
            trigger=pgtrigger.compiler.Trigger(
                name="no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;",
                    hash="adbcbca990f5df3fe905132dd6ee17ee7d1660d6",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_no_truncate_32b77",
                    table="opening_import",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="openingimport",
            trigger=pgtrigger.compiler.Trigger(
                name="no_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="01dbbbde922ae75d03da059b2edd6358241a0f4f",
                    operation="UPDATE",
                    pgid="pgtrigger_no_update_76447",
                    table="opening_import",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.RunSQL(sql("0021_desk.sql"), sql("0021_desk.reverse.sql")),
    ]
