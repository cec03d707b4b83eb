"""Two years of a small ledger, closed month by month and sealed; and what can be seen of it, to compare.

Every month has a trip that is settled, a charge, a payment at the desk, a wallet topped up, and an expense in its last
days; some have a void, a reversal, a text with all that a CSV file may stumble over.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import psycopg
from django.db import connection, connections, transaction
from psycopg import sql

from batconnect.common.audit import system_user
from ledger.models import Account, AccountKind
from ledger.services import months, seals, voids

from .factories import WEEK, charge, drive, make_account, pay, run
from .journal_story import enter_plain, reverse

FIRST_SUNDAY = date(2018, 1, 7)
MONTHS = 24
NEWEST = date(2019, 12, 1)
TODAY = date(2020, 1, 15)
ODD = 'She said "hi";\r\n\\N, NULL, = é\t'


def month_after(month: date, count: int = 1) -> date:
    number = month.year * 12 + month.month - 1 + count
    return date(number // 12, number % 12 + 1, 1)


def tell(count: int = MONTHS) -> None:
    """The first `count` months of it, up to the month that is closed last."""
    accounts = [make_account(), make_account()]
    Account.objects.create(
        code="W-1", name="Wallet", type="LIABILITY", kind=AccountKind.objects.get(pk="USER"),
        overdraft_limit=Decimal(0),
    )  # fmt: skip
    sunday, month = FIRST_SUNDAY, FIRST_SUNDAY.replace(day=1)
    for number in range(count):
        next_month = month_after(month)
        driver = accounts[number % 2]
        first = max(sunday, month)  # a week that ends in this month may begin in the one before
        drive(driver, f"{100 + number}.37", {"MTA": "0.50", "CONGESTION": "2.50"}, week=sunday)
        charge(driver, "LEASE", f"{40 + number}.00", f"L-{month:%Y-%m}", on=first)
        toll = charge(driver, "EZPASS", "25.00", f"T-{month:%Y-%m}", on=first + timedelta(days=2))
        if number % 3 == 0:
            voids.void_posting(
                posting_id=toll.pk,
                reason="Another cab's toll",
                actor=system_user(),
                on=first + timedelta(days=3),
            )
        pay(accounts[1 - number % 2], "10.00", on=first + timedelta(days=4))
        entry = enter_plain("1010", "W-1", "5.25", on=first + timedelta(days=5), reference=ODD)
        if number % 4 == 0:
            reverse(entry)
        enter_plain(
            "5200", "1010", f"{number + 1}.01", on=next_month - timedelta(days=1), metadata={"n": [number]}
        )
        while sunday + WEEK < next_month:
            run(sunday)
            sunday += WEEK
        if sunday + timedelta(days=6) < next_month:
            run(sunday)
            sunday += WEEK
        months.close_month(month=month, actor=system_user(), on=TODAY)
        month = next_month
    seals.seal_ledger(actor=system_user())


_PARTITIONED = ("ledger_entry_header", "ledger_entry_line", "txn_source_parent")
# What a month's tables are made of: columns, rules, indexes and triggers, whatever they are called.
_SHAPE = """
SELECT c.relname::text, c.relkind::text, pg_get_expr(c.relpartbound, c.oid),
       ARRAY(SELECT attname || ' ' || format_type(atttypid, atttypmod) || attnotnull || attgenerated::text
               FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum),
       ARRAY(SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = c.oid ORDER BY 1),
       ARRAY(SELECT regexp_replace(pg_get_indexdef(indexrelid), 'INDEX \\S+ ON', 'INDEX ON') FROM pg_index
              WHERE indrelid = c.oid ORDER BY 1),
       ARRAY(SELECT regexp_replace(pg_get_triggerdef(oid), 'TRIGGER \\S+', 'TRIGGER') FROM pg_trigger
              WHERE tgrelid = c.oid ORDER BY 1),
       ARRAY(SELECT grantee::regrole || ' ' || privilege_type FROM aclexplode(c.relacl)
              WHERE grantee <> c.relowner ORDER BY 1)
  FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relispartition AND c.relkind IN ('r', 'p')
 ORDER BY 1
"""


def everything(url: str) -> dict[str, list[Any]]:
    """Every row of the partitioned tables with the leaf it lies in, and the shape of every leaf."""
    with psycopg.connect(url) as db:
        seen: dict[str, list[Any]] = {
            table: sorted(
                db.execute(
                    sql.SQL("SELECT t.tableoid::regclass::text, to_jsonb(t)::text FROM {} t").format(
                        sql.Identifier(table)
                    )
                ).fetchall()
            )
            for table in _PARTITIONED
        }
        seen["shapes"] = db.execute(_SHAPE).fetchall()
        return seen


def partitions() -> list[str]:
    """The months that the database holds, by table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = ANY(%s::regclass[]) ORDER BY 1",
            [list(_PARTITIONED)],
        )
        return [name for (name,) in cursor.fetchall()]


@contextmanager
def working_on(url: str) -> Iterator[None]:
    """The ORM of this process on another database: commits are real."""
    current = connections["default"]
    former = current.settings_dict["NAME"]
    current.close()
    current.settings_dict["NAME"] = urlsplit(url).path.lstrip("/")
    try:
        yield
    finally:
        current.close()
        current.settings_dict["NAME"] = former


@contextmanager
def past_the_triggers() -> Iterator[None]:
    """What somebody does who turned the triggers off."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
