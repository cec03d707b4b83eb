"""Transfers between guarded accounts, from one client and from eight, beside pgledger's in the same run.

Ours goes through the service: locks, rules, header, two lines, running balances, audit entry. The other is one call
of a function in the database, durable like ours. PGLEDGER_SQL names pgledger's own files, in the order to run them
(`uuid-to-ulid.sql:pgledger.sql`, from pgr0ss/pgledger and scoville/pgsql-ulid); without it stands a function of
ours that does the work pgledger documents (`transfers.sql`), which is some 1.5 times as fast as pgledger itself.
"""

import multiprocessing
import os
import random
import time
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import django
from django.db import connection, connections

ON = date(2026, 9, 14)
ACCOUNTS = 64
SINGLE = 1_000
ROUNDS = 4  # of each, in turn; the best counts, for the machine is not ours alone
CLIENTS = 8
PER_CLIENT = 300
FUNDS = Decimal(1_000_000)
AMOUNT = Decimal("1.25")

Parties = Sequence[Any]


def measure() -> dict[str, Any]:
    """Transfers per second: one client and eight, ours and theirs."""
    ours, (theirs, move_theirs, peer) = _open_ours(), _open_theirs()
    one = [
        (_rate(_move_ours, ours, f"{n}", SINGLE), _rate(move_theirs, theirs, f"{n}", SINGLE))
        for n in range(ROUNDS)
    ]
    ours_one, theirs_one = (max(rates) for rates in zip(*one, strict=True))
    many = [
        (_rate_of_many(_move_ours, ours, f"{n}"), _rate_of_many(move_theirs, theirs, f"{n}"))
        for n in range(ROUNDS)
    ]
    ours_many, theirs_many = (max(rates) for rates in zip(*many, strict=True))
    return {
        "input": f"{ACCOUNTS} guarded accounts; {SINGLE} from one client, {CLIENTS} x {PER_CLIENT} from {CLIENTS}",
        "peer": peer,
        "one_client_per_second": round(ours_one),
        "peer_one_client_per_second": round(theirs_one),
        "one_client_ratio": round(ours_one / theirs_one, 2),
        "eight_clients_per_second": round(ours_many),
        "peer_eight_clients_per_second": round(theirs_many),
        "eight_clients_ratio": round(ours_many / theirs_many, 2),
        "limits": {"one_client_ratio": 1.0, "eight_clients_ratio": 1.0},
        "within_limit": ours_one >= theirs_one and ours_many >= theirs_many,
    }


def _open_ours() -> list[UUID]:
    from batconnect.common.audit import system_user
    from ledger.services.chart import open_account
    from ledger.services.transfers import transfer

    actor = system_user()
    float_ = open_account(kind="internal", currency="USD", actor=actor)
    accounts = [open_account(kind="user", currency="USD", actor=actor).uid for _ in range(ACCOUNTS)]
    for account in accounts:
        transfer(source=float_.uid, destination=account, amount=FUNDS, currency="USD", actor=actor, on=ON)
    return accounts


def _open_theirs() -> tuple[list[str], Callable[..., None], str]:
    """Accounts, what moves money between them, and what it is that moves it."""
    given = os.environ.get("PGLEDGER_SQL")
    with connection.cursor() as cursor:
        if not given:
            cursor.execute((Path(__file__).parent / "transfers.sql").read_text())
            cursor.execute(
                "INSERT INTO bench_account (currency, balance, may_be_negative)"
                " SELECT 'USD', %s, false FROM generate_series(1, %s) RETURNING id",
                [FUNDS, ACCOUNTS],
            )
            return (
                [row[0] for row in cursor.fetchall()],
                _move_comparison,
                "comparison (benchmarks/transfers.sql)",
            )
        for path in given.split(os.pathsep):
            cursor.execute(Path(path).read_text())
        cursor.execute("SELECT id FROM pgledger_create_account('float', 'USD')")
        (float_,) = cursor.fetchone()
        accounts = []
        for number in range(ACCOUNTS):
            cursor.execute(
                "SELECT id FROM pgledger_create_account(%s, 'USD', allow_negative_balance => false)",
                [f"account {number}"],
            )
            accounts += [row[0] for row in cursor.fetchall()]
            cursor.execute(_PGLEDGER, [float_, accounts[-1], FUNDS])
    return accounts, _move_pgledger, "pgledger"


def _move_ours(accounts: Parties, tag: str, count: int) -> None:
    from batconnect.common.audit import system_user
    from ledger.services.transfers import transfer

    actor = system_user()
    for source, destination in _pairs(accounts, tag, count):
        transfer(source=source, destination=destination, amount=AMOUNT, currency="USD", actor=actor, on=ON)


_PGLEDGER = "SELECT * FROM pgledger_create_transfer(%s, %s, %s)"


def _move_pgledger(accounts: Parties, tag: str, count: int) -> None:
    _move_by(_PGLEDGER, accounts, tag, count)


def _move_comparison(accounts: Parties, tag: str, count: int) -> None:
    _move_by("SELECT bench_move(%s, %s, %s)", accounts, tag, count)


def _move_by(statement: str, accounts: Parties, tag: str, count: int) -> None:
    with connection.cursor() as cursor:
        for source, destination in _pairs(accounts, tag, count):
            cursor.execute(statement, [source, destination, AMOUNT])
            cursor.fetchone()


def _pairs(accounts: Parties, tag: str, count: int) -> list[list[Any]]:
    """Who gives and who takes: the same for the same tag."""
    drawn = random.Random(tag)
    return [drawn.sample(accounts, 2) for _ in range(count)]


def _rate(move: Callable[..., None], accounts: Parties, tag: str, count: int) -> float:
    move(accounts, f"{tag}-warm", 20)
    started = time.perf_counter()
    move(accounts, tag, count)
    return count / (time.perf_counter() - started)


def _client(move: Callable[..., None], accounts: Parties, tag: str, barrier: Any) -> None:
    django.setup()
    move(accounts, f"{tag}-warm", 20)
    barrier.wait()
    move(accounts, tag, PER_CLIENT)
    barrier.wait()


def _rate_of_many(move: Callable[..., None], accounts: Parties, tag: str) -> float:
    connections.close_all()
    context = multiprocessing.get_context("spawn")  # a fork would take over Polars' threads half-way
    barrier = context.Barrier(CLIENTS + 1)
    clients = [
        context.Process(target=_client, args=(move, accounts, f"{tag}-{n}", barrier)) for n in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    barrier.wait(timeout=120)
    started = time.perf_counter()
    barrier.wait(timeout=120)
    seconds = time.perf_counter() - started
    for client in clients:
        client.join()
    return CLIENTS * PER_CLIENT / seconds
