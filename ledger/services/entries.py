"""The one way journal entries come in that are no driver posting's: transfers, manual journals, net pay, trips.

One call of `ledger_enter` (`migrations/sql/0011_postings_have_entries.sql`) for one entry as for ten thousand. The
database checks that each is sound: balanced per currency, accounts that exist and may be posted to, an open day.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
from django.db import connection
from psycopg.types.json import Jsonb

from ..models import Origin
from .accounting_policy import checked_policy
from .entry_lines import FUND, Columns, event_frame, expand, frame_array, signed
from .errors import translated

ONLINE = 0  # the batch of everything that is not a bulk run

_ENTER = """
SELECT entry_id, entry_date FROM ledger_enter(
  %(origin)s, %(actor)s::bigint, %(batch)s::bigint,
  %(dates)s::date[], %(events_on)s::date[], %(templates)s::bigint[], %(sources)s::bigint[], %(references)s::text[],
  %(descriptions)s::text[], %(metadata)s::jsonb[], %(reverses)s::bigint[], %(reverses_dates)s::date[],
  %(line_entry)s::int[], %(line_account)s::int[], %(line_fund)s::text[], %(line_currency)s::text[],
  %(line_amount)s::numeric[]
)
"""

_EMPTY = dict.fromkeys(("references", "descriptions", "metadata", "reverses", "reverses_dates"))


@dataclass(frozen=True)
class NewLine:
    """One line: a positive `amount` is a debit, a negative one a credit."""

    account_id: int
    amount: Decimal
    currency: str = "USD"
    fund: str = FUND


@dataclass(frozen=True, kw_only=True)
class NewEntry:
    """One entry to make. `je_date` is its accounting date; `event_on`, the day it happened, defaults to that."""

    je_date: date
    lines: Sequence[NewLine]
    event_on: date | None = None
    reference: str = ""
    description: str = ""
    metadata: Mapping[str, Any] | None = None
    template_id: int | None = None
    source_id: int | None = None
    reverses_id: int | None = None
    reverses_date: date | None = None


@dataclass(frozen=True)
class Entered:
    """An entry that was made; `je_number` is what people call it."""

    entry_id: int
    je_date: date

    @property
    def je_number(self) -> str:
        return f"JE-{self.je_date:%Y%m}-{self.entry_id}"


def enter(entries: Sequence[NewEntry], *, origin: Origin, actor_id: int) -> list[Entered]:
    """Enter entries, all or none, in the order given.

    Raises ClosedPeriod, ControlAccount, UnsoundEntry, Overdrawn and AlreadyReversed (see `errors`).
    """
    if not entries:
        return []
    lines = [(number, line) for number, entry in enumerate(entries, 1) for line in entry.lines]
    columns = {
        "dates": [entry.je_date for entry in entries],
        "events_on": [entry.event_on for entry in entries],
        "templates": [entry.template_id for entry in entries],
        "sources": [entry.source_id for entry in entries],
        "references": [entry.reference for entry in entries],
        "descriptions": [entry.description for entry in entries],
        "metadata": [None if entry.metadata is None else Jsonb(entry.metadata) for entry in entries],
        "reverses": [entry.reverses_id for entry in entries],
        "reverses_dates": [entry.reverses_date for entry in entries],
        "line_entry": [number for number, _ in lines],
        "line_account": [line.account_id for _, line in lines],
        "line_fund": [line.fund for _, line in lines],
        "line_currency": [line.currency for _, line in lines],
        "line_amount": [line.amount for _, line in lines],
    }
    with _entering(columns, origin=origin, actor_id=actor_id) as cursor:
        return [Entered(*row) for row in cursor.fetchall()]


def enter_frame(headers: pl.DataFrame, lines: pl.DataFrame, *, origin: Origin, actor_id: int) -> None:
    """Enter many entries at once.

    headers: row, je_date, event_on, template_id, source_id, in the order of `row`. lines: row, account_id, fund,
    currency, amount (debits positive), in the order of rows and lines. Raises as `enter`.
    """
    positions = headers.select("row", position=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
    lines = lines.join(positions, on="row", maintain_order="left")
    columns = {
        "dates": frame_array(headers["je_date"]),
        "events_on": frame_array(headers["event_on"]),
        "templates": frame_array(headers["template_id"]),
        "sources": frame_array(headers["source_id"]),
        "line_entry": frame_array(lines["position"]),
        "line_account": frame_array(lines["account_id"]),
        "line_fund": None if (lines["fund"] == FUND).all() else lines["fund"].to_list(),
        "line_currency": None if (lines["currency"] == "USD").all() else lines["currency"].to_list(),
        "line_amount": frame_array(lines["amount"]),
    }
    with _entering(columns, origin=origin, actor_id=actor_id):
        pass  # nobody asks which entries they became


@contextmanager
def _entering(columns: Mapping[str, Any], *, origin: Origin, actor_id: int) -> Iterator[Any]:
    """The cursor on which `ledger_enter` was called; a column that is absent is empty."""
    parameters = {**_EMPTY, **columns, "origin": origin, "actor": actor_id, "batch": ONLINE}
    with translated(), connection.cursor() as cursor:
        cursor.execute(_ENTER, parameters)
        yield cursor


def enter_event(
    txn_type: str,
    *,
    amount: Decimal,
    on: date,
    origin: Origin,
    actor_id: int,
    event_on: date | None = None,
    product: str = "",
    channel: str = "",
    reference: str = "",
    description: str = "",
    parts: Mapping[str, Decimal] | None = None,
) -> Entered:
    """Enter what the fleet's templates make of one event, dated `on`. Raises NoEntry and as `enter`.

    `parts`: amounts the templates name besides (`fees`, `principal`, `interest`).
    """
    entry = event_entry(
        txn_type, amount=amount, on=on, event_on=event_on, product=product, channel=channel, reference=reference,
        description=description, parts=parts,
    )  # fmt: skip
    return enter([entry], origin=origin, actor_id=actor_id)[0]


def event_entry(
    txn_type: str,
    *,
    amount: Decimal,
    on: date,
    event_on: date | None = None,
    product: str = "",
    channel: str = "",
    reference: str = "",
    description: str = "",
    parts: Mapping[str, Decimal] | None = None,
) -> NewEntry:
    """The entry that the templates make of an event, not entered: what a screen shows before. Raises NoEntry."""
    policy = checked_policy()
    columns: Columns = {
        "category": [txn_type],
        "amount": [amount],
        "product": [product],
        "reference_id": [reference],
        "components": [parts and Jsonb({name: str(part) for name, part in parts.items()})],
    }
    lines = expand(policy, event_frame(columns, on=on, channels=[channel]), columns)
    return NewEntry(
        je_date=on,
        event_on=event_on,
        reference=reference,
        description=description,
        template_id=policy.compiled.templates[lines["template"][0]].key,
        lines=[
            NewLine(account_id, value, fund=fund)
            for account_id, value, fund in zip(lines["account_id"], signed(lines), lines["fund"], strict=True)
        ],
    )


def enter_events(
    txn_type: str,
    *,
    amounts: Sequence[Decimal],
    references: Sequence[str],
    channels: Sequence[str],
    on: date,
    origin: Origin,
    actor_id: int,
    event_on: date | None = None,
) -> list[Entered]:
    """Enter many events of one kind, one entry each, in the order given: a statement for one as for thousands."""
    if not amounts:
        return []
    policy = checked_policy()
    count = len(amounts)
    columns: Columns = {
        "category": [txn_type] * count,
        "amount": amounts,
        "reference_id": references,
    }
    frame = expand(policy, event_frame(columns, on=on, channels=channels), columns)
    lines: list[list[NewLine]] = [[] for _ in amounts]
    templates: list[int | None] = [None] * count
    for row, template, account_id, value, fund in zip(
        frame["row"], frame["template"], frame["account_id"], signed(frame), frame["fund"], strict=True
    ):
        lines[row - 1].append(NewLine(account_id, value, fund=fund))
        templates[row - 1] = policy.compiled.templates[template].key
    entries = [
        NewEntry(je_date=on, event_on=event_on, reference=reference, template_id=template, lines=of_one)
        for reference, template, of_one in zip(references, templates, lines, strict=True)
    ]
    return enter(entries, origin=origin, actor_id=actor_id)


def open_day(day: date) -> date:
    """The accounting date of something recorded on a day: that day, or the first open one after it.

    Held: no week or month closes before the caller's transaction ends.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_hold_calendar()")
        cursor.execute("SELECT ledger_posting_date(%s, NULL)", [day])
        (opened,) = cursor.fetchone()
    return opened
