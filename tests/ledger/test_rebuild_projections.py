"""What follows from the log can be lost and is made again from it, to the cent; and the log can be read, as events."""

import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, transaction

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry
from ledger.models import AccountingMonth, DriverAccount, GuardedBalance, LedgerBalance
from ledger.selectors.replay import replay_account, replay_driver_account
from ledger.services.errors import Refused, UnknownAccount
from ledger.services.projections import UnknownCode, rebuild_projections

from .factories import broken_proofs
from .journal_story import Story, behind_the_triggers, tell
from .lived_in import execute
from .test_application_role import as_application

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return tell(tmp_path)


def projected() -> dict[str, list[Any]]:
    """Everything that is a projection, as it stands."""
    items = LedgerBalance.objects.order_by("posting_id").values()
    return {
        "accounts": list(DriverAccount.objects.order_by("pk").values_list("pk", "balance")),
        "items": [{**row, "applied_payment_refs": sorted(row["applied_payment_refs"])} for row in items],
        "guarded": list(GuardedBalance.objects.order_by("pk").values_list("pk", "balance", "floor")),
    }


def run(*arguments: str) -> tuple[int, str]:
    out, code = io.StringIO(), 0
    try:
        call_command(*arguments, stdout=out)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, out.getvalue()


class TestRebuild:
    def test_nothing_is_written_where_nothing_differs(self, story):
        before = AuditEntry.objects.count()
        assert rebuild_projections(actor=system_user()) == []
        assert run("rebuild_projections", "--dry-run") == (0, "Everything is what the log says.\n")
        assert AuditEntry.objects.count() == before

    def test_all_of_it_lost_and_all_of_it_back(self, story):
        before = projected()
        behind_the_triggers(
            "UPDATE driver_account SET balance = -7",
            "DELETE FROM ledger_balance WHERE category = 'EZPASS'",
            "UPDATE ledger_balance SET balance = original_amount, applied_payment_refs = '{}', category = 'MISC',"
            " last_allocated_on = NULL, due_on = due_on - 1",
            "DELETE FROM guarded_balance",
        )
        assert projected() != before
        assert len(broken_proofs()) >= 4

        found = rebuild_projections(actor=system_user())

        assert {row.projection for row in found} == {"driver account", "open item", "guarded balance"}
        assert projected() == before
        assert broken_proofs() == []
        assert rebuild_projections(actor=system_user()) == []

    def test_every_difference_is_told_before_anything_is_written(self, story):
        behind_the_triggers(
            "UPDATE driver_account SET balance = balance + 1 WHERE id = %(paid)s",
            "UPDATE ledger_balance SET balance = 14.99 WHERE reference_id = 'TOLL-1'",
            "UPDATE guarded_balance SET balance = 3",
            paid=story.paid.pk,
        )
        before = projected()
        balance = DriverAccount.objects.get(pk=story.paid.pk).balance

        code, out = run("rebuild_projections", "--dry-run", "--json")

        assert code == 1
        assert projected() == before, "a dry run writes nothing"
        assert json.loads(out)["differences"] == [
            {
                "projection": "driver account", "name": f"account {story.paid.pk}",
                "was": {"balance": str(balance)}, "from_the_log": {"balance": str(balance - 1)},
            },
            {
                "projection": "guarded balance", "name": "account W-1",
                "was": {"balance": "3.000000"}, "from_the_log": {"balance": "15.000000"},
            },
            {
                "projection": "open item", "name": "EZPASS TOLL-1",
                "was": {"balance": "14.99"}, "from_the_log": {"balance": "15.00"},
            },
        ]  # fmt: skip
        code, out = run("rebuild_projections")
        assert code == 0
        assert "open item EZPASS TOLL-1\n  was:          balance 14.99\n  from the log: balance 15.00" in out
        assert out.endswith("3 rows were written anew from the log.\n")
        entry = AuditEntry.objects.filter(
            action="projection.rebuilt", subject=f"account:{story.paid.pk}"
        ).get()
        assert entry.before["open item EZPASS TOLL-1"] == {"balance": "14.99"}
        assert entry.after["open item EZPASS TOLL-1"] == {"balance": "15.00"}
        assert broken_proofs() == []

    def test_one_account_alone(self, story):
        behind_the_triggers(
            "UPDATE driver_account SET balance = balance + 1", "UPDATE guarded_balance SET balance = 3"
        )
        (found,) = rebuild_projections(actor=system_user(), driver_account_id=story.paid.pk)
        assert found.owner_id == story.paid.pk
        (found,) = rebuild_projections(actor=system_user(), account_code="W-1")
        assert found.name == "account W-1"
        (found,) = rebuild_projections(actor=system_user(), dry_run=True)
        assert found.owner_id == story.unpaid.pk
        with pytest.raises(UnknownAccount):
            rebuild_projections(actor=system_user(), driver_account_id=0)
        with pytest.raises(UnknownCode):
            rebuild_projections(actor=system_user(), account_code="nothing")

    def test_month_end_snapshots_too(self, story):
        behind_the_triggers("INSERT INTO accounting_month (month, status) VALUES ('2019-03-01', 'CLOSED')")
        assert AccountingMonth.objects.exists()
        found = rebuild_projections(actor=system_user(), dry_run=True)
        assert {row.projection for row in found} == {"snapshot"}
        assert run("rebuild_projections", "--dry-run")[0] == 1
        rebuild_projections(actor=system_user())
        assert broken_proofs() == []
        assert rebuild_projections(actor=system_user()) == []

    def test_where_the_log_itself_was_changed_nothing_is_made_of_it(self, story):
        behind_the_triggers("DELETE FROM ledger_posting WHERE reference_id = 'TOLL-1'")
        before = projected()
        with pytest.raises(Refused, match="EZPASS TOLL-1 has no posting: the log itself was changed"):
            rebuild_projections(actor=system_user())
        assert projected() == before

    def test_the_application_can_do_it_and_still_writes_no_number_of_its_own(self, story):
        before = projected()
        behind_the_triggers("UPDATE driver_account SET balance = 0", "UPDATE guarded_balance SET balance = 3")
        with as_application():
            assert len(rebuild_projections(actor=system_user())) == 2
        assert projected() == before
        for statement in (
            "UPDATE driver_account SET balance = 0",
            "UPDATE guarded_balance SET balance = 0",
            "UPDATE ledger_balance SET balance = 0",
            "UPDATE ledger_rebuild SET account_id = 1",
        ):
            with transaction.atomic():
                try:
                    with transaction.atomic(), as_application():
                        execute(statement)
                except DatabaseError:
                    pass
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO ledger_rebuild VALUES (%s, %s)", [story.paid.pk, story.wallet.pk])
        assert projected() == before


class TestReplay:
    def test_a_driver_account_event_by_event(self, story):
        events = list(replay_driver_account(story.paid.pk))
        balance = DriverAccount.objects.get(pk=story.paid.pk).balance
        assert Decimal(events[-1].balance) == balance
        for event in events:
            assert Decimal(event.balance) == Decimal(event.open_debits) + Decimal(event.open_credits)
            assert Decimal(event.open_debits) >= 0 >= Decimal(event.open_credits)
        told = [(event.kind, event.what, event.amount) for event in events]
        assert told.index(("posting", "EZPASS TOLL-1", "25.00")) < told.index(
            next(row for row in told if row[1].endswith(" pays EZPASS TOLL-1"))
        )
        assert ("posting", "PVB TICKET-1 (reversal)", "-65.00") in told

    def test_an_account_of_the_chart_event_by_event(self, story):
        events = list(replay_account("W-1"))
        assert [(event.side, event.amount, event.balance) for event in events] == [
            ("CR", "40.00", "40.00"), ("DR", "40.00", "0.00"), ("CR", "15.00", "15.00"),
        ]  # fmt: skip
        assert events[0].what == "TOP-UP" and events[1].what == "(reversal)"

    def test_as_a_table_and_as_json(self, story):
        code, out = run("replay_account", "W-1")
        assert code == 0
        rows = out.splitlines()
        assert rows[0].split()[-2:] == ["amount", "balance"]
        assert [row.split()[-2:] for row in rows[1:]] == [
            ["40.00", "40.00"],
            ["40.00", "0.00"],
            ["15.00", "15.00"],
        ]
        code, out = run("replay_account", str(story.paid.pk), "--driver", "--json")
        told = json.loads(out)
        events = told["events"]
        assert told["account"] == str(story.paid.pk)
        assert len(events) == len(list(replay_driver_account(story.paid.pk)))
        assert set(events[0]) == {
            "made_at", "kind", "number", "dated", "what", "amount", "balance", "open_debits", "open_credits",
        }  # fmt: skip
        assert "open credits" in run("replay_account", str(story.paid.pk), "--driver")[1]

    @pytest.mark.parametrize("arguments", [["nothing"], ["0", "--driver"], ["x", "--driver"]])
    def test_an_account_that_is_not_there_is_told_so(self, arguments):
        with pytest.raises(CommandError, match=r"There is no|is not the number"):
            call_command("replay_account", *arguments)
