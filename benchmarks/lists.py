"""List pages and balances over ten million postings. Goal: the 95th percentile of each within 100 ms.

Everything goes through the views, as a client's request does, in this process: no network and no web server.
"""

import random
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from batconnect.common.models import User
from ledger.models import DriverAccount

from .weekly_run import WEEK, make_fleet

POSTINGS = 10_000_000
LEASES = 20_000
GOAL_MS = 100
TIMES = 30
MAKE = (Path(__file__).parent / "lists.sql").read_text()

Request = Callable[[random.Random], str]


def measure(*, postings: int = POSTINGS, leases: int = LEASES) -> dict[str, Any]:
    """Make the postings, ask for each page 30 times with other values, report the 95th percentile of each."""
    started = time.perf_counter()
    make_fleet(leases=leases, items=1, trips=1)
    _make(items=postings // leases)
    made = time.perf_counter() - started
    user = User.objects.create(username="reader", is_staff=True, is_superuser=True)
    api, admin = APIClient(), Client()
    api.force_authenticate(user)
    admin.force_login(user)
    found = {
        **{name: _percentile(api, request) for name, request in _api(leases).items()},
        **{name: _percentile(admin, request) for name, request in _admin(leases).items()},
    }
    return {
        "input": f"{postings} postings of {leases} leases, one in ten open",
        "goal_ms": GOAL_MS,
        "p95_ms": found,
        "worst": max(found, key=lambda name: found[name]),
        "within_goal": max(found.values()) <= GOAL_MS,
        "setup_seconds": round(made, 1),
    }


def _api(leases: int) -> dict[str, Request]:
    day = WEEK - timedelta(days=70)
    drivers = list(DriverAccount.objects.values_list("driver_id", flat=True))
    return {
        "postings": lambda _: "/ledger/postings",
        "postings, page 40": lambda _: "/ledger/postings?page=40&per_page=100",
        "postings by driver": lambda chance: f"/ledger/postings?driver_id={chance.choice(drivers)}",
        "postings by name": lambda chance: (
            f"/ledger/postings?driver_name=Driver {chance.randrange(1000, leases)}"
        ),
        "postings by vehicle": lambda chance: (
            f"/ledger/postings?vehicle_vin=BVIN{chance.randrange(1, leases)}"
        ),
        "postings by medallion": lambda chance: (
            f"/ledger/postings?medallion_no=B{chance.randrange(1, leases)}"
        ),
        "postings by category": lambda chance: (
            f"/ledger/postings?category={chance.choice(['EZPASS', 'LOAN'])}"
        ),
        "postings by status": lambda _: "/ledger/postings?status=POSTED",
        "postings voided": lambda _: "/ledger/postings?status=VOIDED",
        "postings of a week": lambda _: (
            f"/ledger/postings?start_date={day}&end_date={day + timedelta(days=6)}"
        ),
        "posting by reference": lambda chance: (
            f"/ledger/postings?reference_id=L-9-{chance.randrange(1, leases)}"
        ),
        "balances": lambda _: "/ledger/balances",
        "balances open": lambda _: "/ledger/balances?status=OPEN",
        "balances of a driver": lambda chance: f"/ledger/balances?driver_id={chance.choice(drivers)}",
        "balances by category": lambda _: "/ledger/balances?category=PVB&status=OPEN",
        "balance of a driver": lambda chance: f"/ledger/drivers/{chance.choice(drivers)}/balance",
    }


def _admin(leases: int) -> dict[str, Request]:
    accounts = list(DriverAccount.objects.values_list("pk", flat=True))
    return {
        "admin: home": lambda _: "/admin/",
        "admin: postings": lambda _: "/admin/ledger/ledgerposting/",
        "admin: open items": lambda _: "/admin/ledger/ledgerbalance/",
        "admin: postings searched": lambda chance: (
            f"/admin/ledger/ledgerposting/?q=L-9-{chance.randrange(1, leases)}"
        ),
        "admin: accounts": lambda _: "/admin/ledger/driveraccount/",
        "admin: an account": lambda chance: f"/admin/ledger/driveraccount/{chance.choice(accounts)}/change/",
    }


def _percentile(client: Any, request: Request) -> float:
    """The 95th percentile of `TIMES` requests, in milliseconds; the first ones warm up and are not counted."""
    chance = random.Random(7)
    taken = []
    for number in range(TIMES + 3):
        url = request(chance)
        started = time.perf_counter()
        answer = client.get(url, HTTP_HOST="localhost", secure=True)
        seconds = time.perf_counter() - started
        if answer.status_code != 200:
            raise RuntimeError(f"{url}: {answer.status_code} {answer.content[:300]!r}")
        if number >= 3:
            taken.append(seconds * 1000)
    return round(sorted(taken)[int(TIMES * 0.95) - 1], 1)


def _make(*, items: int) -> None:
    with connection.cursor() as cursor:
        for statement in MAKE.split(";\n"):
            if statement.strip():
                cursor.execute(statement, {"items": items, "week": WEEK})
        cursor.execute("VACUUM ANALYZE")
