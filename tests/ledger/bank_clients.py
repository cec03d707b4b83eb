"""Clerks at work all at once: threads with connections of their own, on a few accounts that everybody wants.

Run as a process on a prepared database: `python -m tests.ledger.bank_clients '{"name": "1", ...}'`; prints "ready",
waits for a line, and in the end prints what happened as one JSON object. `locked: false` takes the accounts' locks
away, to see whether anybody notices.
"""

import json
import random
import sys
import threading
import time
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import django
from django.db import connection, connections

DAY = date(2019, 3, 11)
REASON = "Somebody else wants it too"
CATEGORIES = ("LEASE", "EZPASS", "MISC", "PVB")
DEEDS = {"charge": 25, "pay": 28, "void": 18, "replace": 4, "read": 25}
# What a clerk who comes second is told, and rightly so.
FORESEEN = {"posting.already_voided", "payment.over_allocated"}

_OPEN = """
SELECT category || ':' || reference_id, balance FROM ledger_balance
 WHERE account_id = %s AND status = 'OPEN' AND balance > 0 ORDER BY random() LIMIT 3
"""
_STANDING = """
SELECT id FROM ledger_posting
 WHERE account_id = %s AND status = 'POSTED' AND reversal_for_id IS NULL AND category = ANY(%s)
 ORDER BY seq DESC OFFSET %s LIMIT 1
"""
# One statement is one view: whatever others are doing, it must add up.
_SUMS = """
SELECT a.id, a.balance, p.amount, b.balance, b.wrong
  FROM driver_account a
  LEFT JOIN LATERAL (SELECT sum(amount) AS amount FROM ledger_posting WHERE account_id = a.id) p ON true
  LEFT JOIN LATERAL (
    SELECT sum(balance) AS balance,
           count(*) FILTER (WHERE balance * sign(original_amount) < 0 OR abs(balance) > abs(original_amount)) AS wrong
      FROM ledger_balance WHERE account_id = a.id
  ) b ON true
 WHERE (a.balance, a.balance, 0) IS DISTINCT FROM (coalesce(p.amount, 0), coalesce(b.balance, 0), b.wrong)
"""


class Clerk(threading.Thread):
    """One client: does so many things, unless time is up before, and remembers what went wrong."""

    def __init__(
        self, name: str, *, accounts: list[Any], actor: Any, operations: int, patience: float
    ) -> None:
        super().__init__()
        self.clerk, self.accounts, self.actor = name, accounts, actor
        self.operations, self.patience = operations, patience
        self.random = random.Random(name)
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.wrong_sums: list[str] = []
        self.failures: list[str] = []

    def run(self) -> None:
        from batconnect.common.errors import BatConnectError

        names, weights = list(DEEDS), list(DEEDS.values())
        until = time.monotonic() + self.patience
        try:
            while self.done.total() < self.operations and time.monotonic() < until:
                (deed,) = self.random.choices(names, weights)
                try:
                    getattr(self, deed)(self.random.choice(self.accounts))
                    self.done[deed] += 1
                except BatConnectError as error:
                    (self.refused.update if error.code in FORESEEN else self._failed)([error.code])
                except Exception as error:  # whatever it is, it is what this looks for
                    self._failed([f"{type(error).__name__}: {error}".splitlines()[0]])
        finally:
            connections.close_all()

    def _failed(self, what: list[str]) -> None:
        self.failures += what

    def charge(self, account: Any) -> None:
        from ledger.services import obligations

        obligations.create_obligation(
            account=account,
            category=self.random.choice(CATEGORIES),
            amount=self._amount(),
            reference_id=f"{self.clerk}-{self.random.random()}",
            actor=self.actor,
            on=DAY,
        )

    def pay(self, account: Any) -> None:
        from ledger.services import payments

        parts = {
            reference: min(open_, self._amount()) if self.random.random() < 0.5 else open_
            for reference, open_ in self._rows(_OPEN, account.pk)[: self.random.randint(0, 3)]
        }
        payments.apply_interim_payment(
            account=account,
            amount=sum(parts.values(), Decimal(0)) + self._amount(),
            allocations=parts,
            method="CASH",
            actor=self.actor,
            on=DAY,
        )

    def void(self, account: Any) -> None:
        from ledger.services import voids

        for posting in self._one_of(account, [*CATEGORIES, "INTERIM_PAYMENT"]):
            voids.void_posting(posting_id=posting, reason=REASON, actor=self.actor, on=DAY)

    def replace(self, account: Any) -> None:
        from ledger.services import voids

        for posting in self._one_of(account, list(CATEGORIES)):
            other = self.random.choice([None, *self.accounts])
            voids.replace_posting(
                posting_id=posting,
                amount=self._amount(),
                reason=REASON,
                actor=self.actor,
                on=DAY,
                account=other,
            )

    def read(self, _account: Any) -> None:
        self.wrong_sums += [str(row) for row in self._rows(_SUMS)]

    def _one_of(self, account: Any, categories: list[str]) -> list[Any]:
        """One of the last that stand: recent enough for others to want the same one."""
        return [row[0] for row in self._rows(_STANDING, account.pk, categories, self.random.randint(0, 5))]

    def _amount(self) -> Decimal:
        return Decimal(self.random.randint(1, 20_000)).scaleb(-2)

    @staticmethod
    def _rows(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall()


def take_the_locks_away() -> None:
    from ledger.services import accounts, statements, voids, weekly_close

    for module in (accounts, statements, voids, weekly_close):
        vars(module)["lock_accounts"] = lambda account_ids: None


def wait_for_the_others() -> None:
    """Say that this process is up, and return when it is told to begin: all begin together, however slow they are."""
    print("ready", flush=True)
    sys.stdin.readline()


def main(name: str, clerks: int, locked: bool, **limits: Any) -> dict[str, Any]:
    from batconnect.common.audit import system_user
    from ledger.models import DriverAccount

    if not locked:
        take_the_locks_away()
    accounts, actor = list(DriverAccount.objects.order_by("pk")), system_user()
    at_work = [Clerk(f"{name}/{n}", accounts=accounts, actor=actor, **limits) for n in range(clerks)]
    connection.close()
    wait_for_the_others()
    for clerk in at_work:
        clerk.start()
    for clerk in at_work:
        clerk.join()
    return {
        "done": sum((clerk.done for clerk in at_work), Counter()),
        "refused": sum((clerk.refused for clerk in at_work), Counter()),
        "wrong_sums": [wrong for clerk in at_work for wrong in clerk.wrong_sums],
        "failures": Counter(failure for clerk in at_work for failure in clerk.failures),
    }


if __name__ == "__main__":
    django.setup()
    print(json.dumps(main(**json.loads(sys.argv[1]))))
