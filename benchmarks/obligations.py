"""Posting obligations, one by one and many at once, beside django-hordak's two-leg transaction in the same run.

Ours writes posting, open item, account and audit entry; theirs a transaction and two legs. Both are durable.
"""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import django
from django.db import connections

ON = date(2026, 9, 14)
SINGLE = 1_500
CLIENTS = 8
PER_CLIENT = 250
BULK = 10_000


def measure() -> dict[str, Any]:
    """Rates per second: one client, eight clients, ten thousand in one call; and the same of django-hordak."""
    accounts = _make_accounts(64)
    debtors, income = _make_hordak_accounts(64)
    rounds = [
        (_rate(_post_ours, accounts, f"warm-{n}", SINGLE), _rate(_post_hordak, (debtors, income), "", SINGLE))
        for n in range(3)
    ]
    ours_one, theirs_one = max(ours for ours, _ in rounds), max(theirs for _, theirs in rounds)
    # Clerks serve different drivers: each client begins with another one.
    starts = [client * len(accounts) // CLIENTS for client in range(CLIENTS)]
    many = [
        (
            _rate_of_many(_post_ours, [accounts[start:] + accounts[:start] for start in starts], f"many-{n}"),
            _rate_of_many(
                _post_hordak, [(debtors[start:] + debtors[:start], income) for start in starts], ""
            ),
        )
        for n in range(2)
    ]
    ours_many, theirs_many = max(ours for ours, _ in many), max(theirs for _, theirs in many)
    bulk = max(_bulk_rate(accounts, n) for n in range(3))
    return {
        "input": f"{SINGLE} postings from one client, {CLIENTS} x {PER_CLIENT} from {CLIENTS}, {BULK} at once",
        "one_client_per_second": round(ours_one),
        "hordak_one_client_per_second": round(theirs_one),
        "one_client_ratio": round(ours_one / theirs_one, 2),
        "eight_clients_per_second": round(ours_many),
        "hordak_eight_clients_per_second": round(theirs_many),
        "eight_clients_ratio": round(ours_many / theirs_many, 2),
        "bulk_per_second": round(bulk),
        "limits": {"one_client_ratio": 1.0, "eight_clients_ratio": 1.3, "bulk_per_second": 20_000},
        "within_limit": ours_one >= theirs_one and ours_many >= 1.3 * theirs_many and bulk >= 20_000,
    }


def _make_accounts(count: int) -> list[int]:
    from ledger.models import DriverAccount

    from .weekly_run import make_fleet

    make_fleet(leases=count, items=0, trips=0)
    return list(DriverAccount.objects.order_by("pk").values_list("pk", flat=True))


def _make_hordak_accounts(count: int) -> tuple[list[int], int]:
    from hordak.models import Account

    debtors = [
        Account.objects.create(name=f"Driver {n}", type="AS", currencies=["USD"]).pk for n in range(count)
    ]
    return debtors, Account.objects.create(name="Lease income", type="IN", currencies=["USD"]).pk


def _post_ours(accounts: list[int], tag: str, count: int) -> None:
    from batconnect.common.audit import system_user
    from ledger.services.obligations import Obligation, create_obligations

    actor = system_user()
    for n in range(count):
        row = Obligation(accounts[n % len(accounts)], "MISC", Decimal("12.34"), f"{tag}-{n}")
        create_obligations(obligations=[row], actor=actor, on=ON)


def _post_hordak(accounts: tuple[list[int], int], tag: str, count: int) -> None:
    from djmoney.money import Money
    from hordak.models import Account

    debtors, income = accounts
    source = Account.objects.get(pk=income)
    targets = list(Account.objects.filter(pk__in=debtors))
    for n in range(count):
        source.transfer_to(targets[n % len(targets)], Money("12.34", "USD"))


def _rate(post: Callable[..., None], accounts: Any, tag: str, count: int) -> float:
    started = time.perf_counter()
    post(accounts, tag, count)
    return count / (time.perf_counter() - started)


def _client(post: Callable[..., None], accounts: Any, tag: str, barrier: Any) -> None:
    django.setup()
    post(accounts, f"{tag}-warm", 5)
    barrier.wait()
    post(accounts, tag, PER_CLIENT)
    barrier.wait()


def _rate_of_many(post: Callable[..., None], accounts: Sequence[Any], tag: str) -> float:
    connections.close_all()
    context = multiprocessing.get_context("spawn")  # a fork would take over Polars' threads half-way
    barrier = context.Barrier(CLIENTS + 1)
    clients = [
        context.Process(target=_client, args=(post, accounts[n], f"{tag}-{n}", barrier))
        for n in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    barrier.wait(timeout=60)
    started = time.perf_counter()
    barrier.wait(timeout=120)
    seconds = time.perf_counter() - started
    for client in clients:
        client.join()
    return CLIENTS * PER_CLIENT / seconds


def _bulk_rate(accounts: list[int], round_number: int) -> float:
    from batconnect.common.audit import system_user
    from ledger.services.obligations import Obligation, create_obligations

    rows = [
        Obligation(accounts[n % len(accounts)], "EZPASS", Decimal("6.12"), f"bulk-{round_number}-{n}")
        for n in range(BULK)
    ]
    actor = system_user()
    started = time.perf_counter()
    create_obligations(obligations=rows, actor=actor, on=ON)
    return BULK / (time.perf_counter() - started)
