"""Where the lines that large bulk runs brought onto one account lie, and what they come to, without reading them.

A run is taken in shards, each with a block of entry ids of its own, and keeps for each slice of a shard, day, account
and fund from which entry to which it has lines, how many, and their sums (`journal_shard_total`). So a page of an
account is looked for in the few slices it lies in, and a balance in the middle of one costs half its lines at most.
Amounts are debits minus credits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

ZERO = Decimal(0)
SLICE = 32_768  # entry ids of a shard that are added up together

# Shards of a run that is not attached yet have theirs already.
_STRETCHES = """
SELECT t.run_id, min(t.je_date), max(t.je_date), min(t.first_entry), max(t.last_entry), sum(t.lines)::bigint,
       sum(t.debits) - sum(t.credits)
  FROM journal_shard_total t
  JOIN journal_run r ON r.id = t.run_id AND r.state = 'POSTED'
 WHERE t.account_id = %(account)s {narrowed}
 GROUP BY t.shard_id, t.slice, t.run_id {by_day}
{having}
 ORDER BY {order} LIMIT %(most)s
"""
_SUM = """
SELECT coalesce(sum(CASE l.side WHEN 'DR' THEN l.amount ELSE -l.amount END), 0)
  FROM ledger_entry_line l
 WHERE l.account_id = %(account)s AND {stretch} AND (l.entry_id, l.line_number) {which} (%(entry)s, %(line)s) {narrowed}
"""


@dataclass(frozen=True)
class Stretch:
    """An account's lines within one slice of a shard: of one day, or of all its days."""

    batch_id: int
    first_day: date
    last_day: date
    first_entry: int
    last_entry: int
    lines: int
    amount: Decimal

    def sql(self) -> str:
        """A condition on lines `l`, in constants: the planner then leaves other partitions out.

        A day is named by itself where it is one, for then the index on accounts gives lines in order.
        """
        first, last = self.first_day.isoformat(), self.last_day.isoformat()
        days = f"= '{first}'" if first == last else f"BETWEEN '{first}' AND '{last}'"
        return (
            f"l.batch_id = {self.batch_id:d} AND l.je_date {days}"
            f" AND l.entry_id BETWEEN {self.first_entry:d} AND {self.last_entry:d}"
        )


def stretches_of_days(
    account_id: int, first: date, last: date, *, fund: str | None, after: tuple[date, int] | None, lines: int
) -> list[Stretch]:
    """Where the first `lines` lines of these days lie, in the order of days and entries.

    after: a day and an entry; what lies before that entry on that day is left out.
    """
    found, counted = [], 0
    for stretch in _by_day(account_id, first, last, fund=fund, after=after, most=lines + 1):
        found.append(stretch)
        # Of the stretch that the entry lies in, nobody knows how many lines are left.
        if after is None or (stretch.first_day, stretch.first_entry) > after:
            counted += stretch.lines
        if counted >= lines:
            break
    return found


def moved_on_day(account_id: int, day: date, entry_id: int, line_number: int, *, fund: str | None) -> Decimal:
    """What these lines moved the account by on one day, up to and including this place."""
    moved = ZERO
    for stretch in _by_day(account_id, day, day, fund=fund):
        if stretch.last_entry < entry_id:
            moved += stretch.amount
        elif stretch.first_entry <= entry_id:
            moved += _part(account_id, stretch, "<=", entry_id, line_number, fund)
    return moved


def moved_from(account_id: int, entry_id: int, line_number: int) -> Decimal:
    """What the lines at this place and those of later entries moved the account by, of all days."""
    query = _STRETCHES.format(
        # A slice that reaches so far has no line further below than it is long.
        narrowed="AND t.first_entry > %(entry)s - %(slice)s",
        by_day="",
        having="HAVING max(t.last_entry) >= %(entry)s",
        order="4",
    )
    moved = ZERO
    for stretch in _rows(query, {"account": account_id, "entry": entry_id, "slice": SLICE, "most": None}):
        if stretch.first_entry > entry_id:
            moved += stretch.amount
        else:
            moved += _part(account_id, stretch, ">=", entry_id, line_number, None)
    return moved


def _by_day(
    account_id: int,
    first: date,
    last: date,
    *,
    fund: str | None,
    after: tuple[date, int] | None = None,
    most: int | None = None,
) -> Iterator[Stretch]:
    narrowed = "AND t.je_date >= %(first)s AND t.je_date <= %(last)s"
    parameters: dict[str, Any] = {"account": account_id, "first": first, "last": last, "most": most}
    if fund is not None:
        narrowed += " AND t.fund = %(fund)s"
        parameters["fund"] = fund
    if after is not None:
        narrowed += " AND (t.je_date > %(day)s OR (t.je_date = %(day)s AND t.last_entry >= %(entry)s))"
        parameters["day"], parameters["entry"] = after
    query = _STRETCHES.format(narrowed=narrowed, by_day=", t.je_date", having="", order="2, 4")
    yield from _rows(query, parameters)


def _rows(query: str, parameters: dict[str, Any]) -> Sequence[Stretch]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return [Stretch(*row) for row in cursor.fetchall()]


def _part(
    account_id: int, stretch: Stretch, which: str, entry_id: int, line_number: int, fund: str | None
) -> Decimal:
    """What the lines of a stretch up to a place (`<=`), or from it on (`>=`), come to; read from the nearer end."""
    up_to = entry_id - stretch.first_entry <= stretch.last_entry - entry_id
    if up_to == (which == "<="):
        return _sum(account_id, stretch, which, entry_id, line_number, fund)
    other = {"<=": ">", ">=": "<"}[which]
    return stretch.amount - _sum(account_id, stretch, other, entry_id, line_number, fund)


def _sum(
    account_id: int, stretch: Stretch, which: str, entry_id: int, line_number: int, fund: str | None
) -> Decimal:
    read = (
        replace(stretch, first_entry=entry_id)
        if which in (">", ">=")
        else replace(stretch, last_entry=entry_id)
    )
    query = _SUM.format(
        stretch=read.sql(),
        which=which,
        narrowed="" if fund is None else "AND l.fund = %(fund)s",
    )
    parameters = {"account": account_id, "entry": entry_id, "line": line_number, "fund": fund}
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        (amount,) = cursor.fetchone()
    return Decimal(amount)
