"""`use_stubs=true`: generated rows of the lists' shapes, for building screens. They touch no data.

The same row number is the same row always, so that pages fit together.
"""

import random
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from batconnect.api.pagination import page_bounds, page_of
from batconnect.common.money import ZERO, to_cents
from batconnect.common.weeks import NEW_YORK, saturday_of

from ..models import Category

ROWS = 240
_NAMES = (
    "Amara Diallo",
    "Rajesh Kumar",
    "Wei Chen",
    "Maria Santos",
    "Omar Haddad",
    "Olena Koval",
    "Jean Pierre",
)
_CHARGES = (
    (Category.LEASE, 50_000, 62_500),
    (Category.EZPASS, 295, 2_350),
    (Category.TAXES, 1_500, 9_000),
    (Category.PVB, 6_500, 11_500),
    (Category.REPAIR, 10_000, 30_000),
    (Category.MISC, 1_000, 15_000),
)
_FIRST_DAY = date(2025, 1, 5)


def postings_page(query: Mapping[str, Any]) -> dict[str, Any]:
    return _page(query, _posting)


def balances_page(query: Mapping[str, Any]) -> dict[str, Any]:
    return _page(query, _balance)


def _page(query: Mapping[str, Any], row: Any) -> dict[str, Any]:
    start, end = page_bounds(query)
    return page_of([row(number) for number in range(start, min(end, ROWS))], query, ROWS)


def _posting(number: int) -> dict[str, Any]:
    common, amount, chance = _common(number)
    return {
        **common,
        "status": "VOIDED" if chance.random() < 0.05 else "POSTED",
        "amount": amount,
        "product": "",
        "event_on": common["effective_on"],
        "run_week": None,
        "reversal_for_id": None,
        "replaces_id": None,
        "reason": "",
        "created_by_name": "clerk",
    }


def _balance(number: int) -> dict[str, Any]:
    common, amount, chance = _common(number)
    paid = chance.choice((ZERO, amount, to_cents(amount / 2)))
    return {
        **common,
        "status": "CLOSED" if paid == amount else "OPEN",
        "original_amount": amount,
        "prior_balance": amount,
        "balance": amount - paid,
        "last_allocated_on": common["due_date"] if paid else None,
        "applied_payment_refs": [_uuid(chance)] if paid else [],
    }


def _common(number: int) -> tuple[dict[str, Any], Decimal, random.Random]:
    chance = random.Random(number)  # noqa: S311
    category, least, most = chance.choice(_CHARGES)
    driver = number % len(_NAMES)
    day = _FIRST_DAY + timedelta(days=number // 4)
    common = {
        "posting_id": _uuid(chance),
        "driver_id": 1001 + driver,
        "driver_name": _NAMES[driver],
        "lease_id": 501 + driver,
        "lease_number": f"L-2025-{501 + driver:05}",
        "medallion_no": f"{1 + driver}P{10 + driver * 7}",
        "vehicle_vin": f"4T1BF1FK5HU{100_000 + driver * 37}",
        "category": category.value,
        "entry_type": "DEBIT",
        "reference_id": f"{category.value}-2025-{number + 1:05}",
        "description": category.label,
        "effective_on": day,
        "due_date": saturday_of(day),
        "created_at": datetime(day.year, day.month, day.day, 9, number % 60, tzinfo=NEW_YORK),
    }
    return common, Decimal(chance.randint(least, most)).scaleb(-2), chance


def _uuid(chance: random.Random) -> UUID:
    return UUID(int=chance.getrandbits(128), version=4)
