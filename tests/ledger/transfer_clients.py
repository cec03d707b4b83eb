"""Clients moving money between a few guarded accounts all at once: threads with connections of their own.

Run as a process on a prepared database: `python -m tests.ledger.transfer_clients '{"name": "1", ...}'`; prints
"ready", waits for a line, and in the end prints what happened as one JSON object.
"""

import json
import random
import sys
import threading
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import django
from django.db import connection, connections

from .bank_clients import wait_for_the_others

DAY = date(2019, 3, 12)

# One statement is one view: whatever others are doing, nothing is lost, made, or below zero.
_SUMS = """
SELECT sum(g.balance), min(g.balance), bool_and(g.balance = coalesce(l.amount, 0))
  FROM guarded_balance g
  LEFT JOIN (
    SELECT account_id, sum(CASE side WHEN 'CR' THEN amount ELSE -amount END) AS amount
      FROM ledger_entry_line GROUP BY account_id
  ) l ON l.account_id = g.account_id
"""
_RUNNING = """
SELECT entry_id, side,
       sum(CASE side WHEN 'CR' THEN amount ELSE -amount END) OVER (PARTITION BY account_id ORDER BY entry_id)
  FROM ledger_entry_line WHERE account_id IN (SELECT account_id FROM guarded_balance)
"""


class Client(threading.Thread):
    """Makes so many transfers, with a look at the sums between them, and remembers what it saw and was told."""

    def __init__(self, name: str, *, accounts: list[Any], actor: Any, total: str, operations: int):
        super().__init__()
        self.accounts, self.actor, self.total = accounts, actor, Decimal(total)
        self.operations = operations
        self.random = random.Random(name)
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.failures: list[str] = []
        self.told: dict[tuple[int, str], Decimal] = {}

    def run(self) -> None:
        from batconnect.common.errors import BatConnectError

        try:
            for _ in range(self.operations):
                try:
                    (self.read if self.random.random() < 0.15 else self.move)()
                except BatConnectError as error:
                    kept = self.refused if error.code == "account.overdrawn" else self.failures
                    kept.update([error.code]) if isinstance(kept, Counter) else kept.append(error.code)
                except Exception as error:  # whatever it is, it is what this looks for
                    self.failures.append(f"{type(error).__name__}: {error}".splitlines()[0])
        finally:
            connections.close_all()

    def move(self) -> None:
        from ledger.services.transfers import transfer

        source, destination = self.random.sample(self.accounts, 2)
        made = transfer(
            source=source,
            destination=destination,
            amount=Decimal(self.random.randint(1, 6_000)).scaleb(-2),
            currency="USD",
            actor=self.actor,
            on=DAY,
        )
        self.told[made.entry_id, "DR"] = made.source_balance
        self.told[made.entry_id, "CR"] = made.destination_balance
        self.done["move"] += 1

    def read(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_SUMS)
            total, lowest, exact = cursor.fetchone()
        if (total, exact) != (self.total, True) or lowest < 0:
            self.wrong.append(f"total {total}, lowest {lowest}, as the lines say: {exact}")
        self.done["read"] += 1


def wrongly_told(clients: list[Client]) -> list[str]:
    """Balances that were answered, and are not what the account had in the order of the entries; and dips."""
    told = {key: balance for client in clients for key, balance in client.told.items()}
    with connection.cursor() as cursor:
        cursor.execute(_RUNNING)
        running = {(entry, side): balance for entry, side, balance in cursor.fetchall()}
    wrong = [f"{key}: {told[key]}, not {running.get(key)}" for key in told if told[key] != running.get(key)]
    return wrong + [
        f"{key}: fell to {balance}" for key, balance in running.items() if balance < 0 and key in told
    ]


def main(name: str, clients: int, **orders: Any) -> dict[str, Any]:
    from batconnect.common.audit import system_user
    from ledger.models import Account

    accounts = list(Account.objects.filter(kind="USER").order_by("pk").values_list("uid", flat=True))
    actor = system_user()
    connection.close()
    wait_for_the_others()
    at_work = [Client(f"{name}/{n}", accounts=accounts, actor=actor, **orders) for n in range(clients)]
    for client in at_work:
        client.start()
    for client in at_work:
        client.join()
    return {
        "done": sum((client.done for client in at_work), Counter()),
        "refused": sum((client.refused for client in at_work), Counter()),
        "wrong": [wrong for client in at_work for wrong in client.wrong] + wrongly_told(at_work),
        "failures": Counter(failure for client in at_work for failure in client.failures),
    }


if __name__ == "__main__":
    django.setup()
    print(json.dumps(main(**json.loads(sys.argv[1]))))
