"""Things that exist, made when a request first names one: what only ever answers 404 is not tried at all.

Keyed as the OpenAPI document names path parameters; where two operations mean different things by one name, the path
says which.
"""

import tempfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.utils import timezone

from batconnect.cases.services.opening import open_case
from batconnect.common.models import User
from ledger.models import DTR, DriverAccount, ImportBatch
from ledger.services import drawers
from ledger.services.payouts import bank_details, checks
from ledger.services.payouts.desk import pay_cash
from misc_expenses.services import create_misc_expense
from recon.models import CurbSettlement, ReconLog
from tests.ledger import batch_stories, journal_stories
from tests.ledger.desk_stories import take
from tests.ledger.factories import SUNDAY, drive, make_account, run
from tests.ledger.payout_stories import MONDAY, approved, paid_by
from tests.ledger.trip_files import load, trip
from tests.recon.agency import stories as agency
from tests.recon.stories import bank_file, make_source, post_seed, reconcile
from tests.repayments import repayment_stories


class Existing:
    """`named(name, path)` gives a value for a parameter, or None where there is nothing to name."""

    def __init__(self, actor: User, account: DriverAccount, known: dict[str, Any]) -> None:
        self.actor, self.account = actor, account
        self._made: dict[str, Any] = dict(known)

    def named(self, name: str, path: str = "") -> Any:
        maker = self._maker(name, path)
        if name not in self._made and maker is not None:
            self._made[name] = maker()
        return self._made.get(name)

    def _maker(self, name: str, path: str) -> Callable[[], Any] | None:
        if name == "repayment_no":
            return self._loan if path.startswith("/loans") else self._repair
        if name == "key":
            return self._key(path)
        if name == "item_id":
            return self._toll if path.startswith("/recon/tolls") else self._summons
        return getattr(self, f"_{name}", None)

    def _key(self, path: str) -> Callable[[], int]:
        lease = self.account.lease
        keys = {"drivers": lease.driver_id, "medallions": lease.medallion_id, "vehicles": lease.vehicle_id}
        return lambda: int(keys.get(path.split("/")[1], lease.pk))

    def _case_no(self) -> str:
        return open_case(prefix="MISCEXP", actor=self.actor, at=timezone.now()).case_no

    def _step_id(self) -> str:
        return "MISCEXP-001"

    def _week(self) -> str:
        return str(SUNDAY)

    def _loan(self) -> str:
        return repayment_stories.lend().number

    def _repair(self) -> str:
        return repayment_stories.repair().number

    def _payment_number(self) -> str:
        return take(self.account, "20.00", self.actor, method="CHECK").number

    def _je_number(self) -> str:
        return journal_stories.enter().je_number

    def _mj_number(self) -> str:
        return journal_stories.submit().number

    def _run_id(self) -> int:
        with tempfile.TemporaryDirectory() as folder:
            loaded = load(Path(folder), trip(self.account.lease), journalise=False)
        return int(batch_stories.run("taxi", import_batch=ImportBatch.objects.get(pk=loaded.batch_id)).pk)

    def _net_pay(self) -> DTR:
        account = make_account()
        drive(account, "900.00", week=date(2019, 3, 10))
        run(date(2019, 3, 10))
        return DTR.objects.get(account=account, week=date(2019, 3, 10))

    def _batch_number(self) -> str:
        paid_by(self._net_pay())
        return approved(on=date(2019, 3, 18)).number

    def _check_number(self) -> int:
        paid_by(self._net_pay(), "CHECK")
        checks.open_checkbook(first_number=1001, actor=self.actor)
        return int(checks.issue_checks(actor=self.actor, on=date(2019, 3, 18))[0].number)

    def _instruction_id(self) -> int:
        asked = bank_details.request_method(
            driver_id=self.account.driver_id, method="CHECK", actor=journal_stories.accountant()
        )
        return int(asked.pk)

    def _expense_id(self) -> str:
        made = create_misc_expense(
            driver_id=self.account.driver_id,
            lease_id=self.account.lease_id,
            category="Lost Key",
            amount=Decimal("50.00"),
            expense_date=MONDAY,
            actor=self.actor,
            on=MONDAY,
        )
        return made.expense_id

    def _receipt_number(self) -> str:
        number = self._net_pay().number
        drawers.fund_drawer(
            cashier=self.actor, amount=Decimal("1000.00"), actor=journal_stories.controller(), on=MONDAY
        )
        return pay_cash(number=number, actor=self.actor, on=date(2019, 3, 18)).method_reference

    def _log_id(self) -> int:
        job = self._reconciled()
        return int(ReconLog.objects.filter(job=job).exclude(outcome="matched").latest("pk").pk)

    def _on(self) -> str:
        return str(self._reconciled().date)

    def _source(self) -> str:
        return str(self._reconciled().source.name)

    def _reconciled(self) -> Any:
        if "job" not in self._made:
            post_seed()
            with tempfile.TemporaryDirectory() as folder:
                rows = [
                    "T1,2025-07-13T09:00:00-04:00,100.00,USD,T1,CURB CARD",
                    "X9,2025-07-13T09:00:00-04:00,7.00,USD,,",
                ]
                self._made["job"] = reconcile(make_source(), bank_file(Path(folder), rows))
        return self._made["job"]

    def _toll(self) -> int:
        agency.make_cab()
        with tempfile.TemporaryDirectory() as folder:
            agency.load_tolls(Path(folder), agency.toll("T-900"))
        return int(agency.item("T-900").pk)

    def _summons(self) -> int:
        agency.make_cab()
        with tempfile.TemporaryDirectory() as folder:
            agency.load_summonses(Path(folder), agency.summons("900"))
        return int(agency.item("900").pk)

    def _settlement_pk(self) -> int:
        source = make_source(name="curb_cards", adapter="curb_settlement")
        header = "settlement_id,settled_on,trip_date,card_gross,fees,net,trips"
        with tempfile.TemporaryDirectory() as folder:
            row = "S-1,2019-03-04,2019-03-01,31.60,0.95,30.65,2"
            reconcile(source, bank_file(Path(folder), [row], header=header), on=date(2019, 3, 4))
        return CurbSettlement.objects.latest("pk").pk
