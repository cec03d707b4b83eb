"""From postings to the lines of their journal entries, by the templates in force.

The result is what `ledger_post` takes: arrays, in the database's own notation where there may be many.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import polars as pl
from django.db import connection

from ledger.engine.engine import Expansion
from ledger.engine.plain import plain_lines

from ..models import Category
from ..selectors.archives import check_entries_here
from .accounting_policy import EVENT_SCHEMA, Policy, current_policy
from .errors import LedgerError

FEW = 64  # postings whose entries are worth reading off one by one
_BETWEEN = "\0"  # in no text of PostgreSQL's
FUND = "OP"  # the operator's: what an entry is in that names no other

# The lines of postings' entries, debits positive, as they were entered. The days are named, so that the months they lie
# in are read and no others.
_DAYS = "SELECT array_agg(DISTINCT effective_on) FROM ledger_posting WHERE id = ANY(%s)"
_ENTRIES = """
SELECT h.posting_id, h.template_id, l.account_id, l.fund, CASE l.side WHEN 'DR' THEN l.amount ELSE -l.amount END
  FROM ledger_entry_header h
  JOIN ledger_entry_line l ON l.entry_id = h.id AND l.je_date = h.je_date AND l.batch_id = h.batch_id
 WHERE h.posting_id = ANY(%(originals)s) AND h.batch_id = 0 AND l.batch_id = 0
   AND h.je_date = ANY(%(days)s::date[]) AND l.je_date = ANY(%(days)s::date[])
 ORDER BY h.id, l.line_number
"""

# One list for each field, or none where no row has it.
Columns = Mapping[str, Sequence[Any] | None]


class NoEntry(LedgerError):
    code, status = "journal.no_entry", 409
    message = "{category} {reference_id} has no journal entry: {reason}. Finance can change the templates."


def posting_lines(columns: Columns, *, on: date, booked_as: str = "", fresh: bool = False) -> dict[str, Any]:
    """The lines of these postings' entries if they are dated `on`, as parameters of `ledger_post`.

    `columns` as `postings.insert_columns` takes them. `booked_as` names an event whose template takes the place of
    the category's own, and of a reversal's mirror. `fresh` reads the templates anew. Raises NoEntry for the first
    posting that no template takes, and says why.
    """
    policy = current_policy(fresh=fresh)
    valid_from, valid_to = policy.window(on)
    if booked_as:
        columns = {
            **columns,
            "category": [booked_as] * len(columns["category"] or ()),
            "reversal_for_id": None,
        }
    lines = _mirrored(columns) or _plain(policy, columns, on) or _expanded(policy, columns, on)
    return {"policy": policy.version, "valid_from": valid_from, "valid_to": valid_to, **lines}


def _mirrored(columns: Columns) -> dict[str, Any] | None:
    """Of reversals, the lines of their originals' entries with the sides swapped; None for other postings.

    Templates may have changed since: what is taken back is what was entered then.
    """
    originals = columns.get("reversal_for_id")
    if originals is None:
        return None
    assert all(originals), "reversals are posted by themselves"
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, [list(originals)])
        (days,) = cursor.fetchone()
        cursor.execute(_ENTRIES, {"originals": list(originals), "days": days})
        found = cursor.fetchall()
    if len({original for original, *_ in found}) < len(set(originals)):
        check_entries_here(days)
    by_original: dict[UUID, list[tuple[Any, ...]]] = {}
    for original, *line in found:
        by_original.setdefault(original, []).append(tuple(line))
    rows = [
        (at, number, template, account, fund, -amount)
        for at, original in enumerate(originals, 1)
        for number, (template, account, fund, amount) in enumerate(by_original.get(original, ()), 1)
    ]
    return _parameters(rows, len(originals))


def _parameters(rows: Sequence[tuple[int, int, int | None, int, str, Decimal]], count: int) -> dict[str, Any]:
    """Parameters of `ledger_post` from (posting, line number, template, account, fund, signed amount)."""
    templates: list[int | None] = [None] * count
    counts, totals = [0] * count, [Decimal(0)] * count
    for at, number, template, _, _, amount in rows:
        templates[at - 1], counts[at - 1] = template, number
        totals[at - 1] += max(amount, Decimal(0))
    return {
        "templates": array(templates),
        "line_counts": array(counts),
        "totals": array(totals),
        "line_posting": array(row[0] for row in rows),
        "line_number": array(row[1] for row in rows),
        "line_account": array(row[3] for row in rows),
        "line_fund": _funds([row[4] for row in rows]),
        "line_amount": array(row[5] for row in rows),
    }


def _plain(policy: Policy, columns: Columns, on: date) -> dict[str, Any] | None:
    """A few postings whose lines take no calculation; None for others."""
    categories, amounts = columns["category"], columns["amount"]
    assert categories is not None and amounts is not None
    count = len(categories)
    if count > FEW:
        return None
    products = columns.get("product") or [""] * count
    parts = columns.get("components") or [None] * count
    rows: list[tuple[int, int, int | None, int, str, Decimal]] = []
    for at, (category, product, amount, part) in enumerate(
        zip(categories, products, amounts, parts, strict=True), 1
    ):
        values = {"amount": amount}
        if part is not None:
            values |= {name: Decimal(value) for name, value in part.obj.items()}
        plain = plain_lines(policy.compiled, category, product, _channel(category, product), on, values)
        if plain is None:
            return None
        template = policy.compiled.templates[plain[0]].key
        rows += [
            (at, number, template, int(line.account), line.fund, line.amount)
            for number, line in enumerate(plain[1], 1)
        ]
    return _parameters(rows, count)


def _expanded(policy: Policy, columns: Columns, on: date) -> dict[str, Any]:
    """Any number of postings, through the template engine."""
    lines = expand(policy, event_frame(columns, on=on), columns).sort("row", "line_number")
    entries = lines.group_by("row", maintain_order=True).agg(
        pl.len().alias("lines"),
        pl.col("template").first(),
        pl.col("amount").filter(pl.col("side") == "DR").sum().alias("total"),
    )
    keys = [template.key for template in policy.compiled.templates]
    return {
        "templates": array(keys[index] for index in entries["template"]),
        "line_counts": frame_array(entries["lines"]),
        "totals": frame_array(entries["total"]),
        "line_posting": frame_array(lines["row"]),
        # Dropped lines leave no gaps: an entry's lines are numbered from 1.
        "line_number": frame_array(lines.select(pl.int_range(1, pl.len() + 1).over("row")).to_series()),
        "line_account": frame_array(lines["account_id"]),
        "line_fund": _funds(lines["fund"].to_list()),
        "line_amount": frame_array(signed(lines)),
    }


def _funds(funds: list[str]) -> list[str] | None:
    return None if all(fund == FUND for fund in funds) else funds


def expand(policy: Policy, events: pl.DataFrame, columns: Columns) -> pl.DataFrame:
    """The lines of events, as `engine.Expansion.lines`; raises NoEntry if any event has none."""
    expansion = policy.compiled.expand(events)
    if expansion.rejects.height or expansion.skipped:
        _refuse(columns, expansion)
    return expansion.lines


def signed(lines: pl.DataFrame) -> pl.Series:
    """The amounts of lines as one number each: debits positive, credits negative."""
    return lines.select(
        pl.when(pl.col("side") == "DR").then(pl.col("amount")).otherwise(-pl.col("amount")).alias("amount")
    )["amount"]


def array(values: Iterable[Any]) -> str:
    """Numbers, dates or UUIDs as a PostgreSQL array: far cheaper than adapting them one by one."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def text_array(values: Sequence[str]) -> str | Sequence[str]:
    """Texts as a PostgreSQL array, quoted all at once; what has a NUL in it is left for the driver to refuse."""
    joined = _BETWEEN.join(values)
    if joined.count(_BETWEEN) != len(values) - 1:
        return values
    if "\\" in joined or '"' in joined:
        joined = joined.replace("\\", "\\\\").replace('"', '\\"')
    return '{"' + joined.replace(_BETWEEN, '","') + '"}'


def frame_array(values: pl.Series) -> str:
    """As `array`, of a column."""
    return "{" + ",".join(values.cast(pl.String).fill_null("NULL").to_list()) + "}"


def _channel(category: str, product: str) -> str:
    """How money came in is the product of a payment's posting, and the channel of the event."""
    return product if category == Category.INTERIM_PAYMENT else ""


def event_frame(columns: Columns, *, on: date, channels: Sequence[str] | None = None) -> pl.DataFrame:
    """Postings, or what is given like them, as the events that templates are for; rows count from 1."""
    categories = columns["category"]
    assert categories is not None
    count = len(categories)
    products = columns.get("product") or [""] * count
    parts = columns.get("components")
    if channels is None:
        channels = [
            _channel(category, product) for category, product in zip(categories, products, strict=True)
        ]
    return pl.DataFrame(
        {
            "row": range(1, count + 1),
            "txn_type": categories,
            "product": products,
            "channel": channels,
            "on": [on] * count,
            "currency": ["USD"] * count,
            "amount": columns["amount"],
            "principal": _parts(parts, "principal", count),
            "interest": _parts(parts, "interest", count),
            "fees": _parts(parts, "fees", count),
        },
        schema=EVENT_SCHEMA,
    )


def _parts(parts: Sequence[Any] | None, name: str, count: int) -> list[Decimal | None]:
    if parts is None:
        return [None] * count
    return [None if part is None or name not in part.obj else Decimal(part.obj[name]) for part in parts]


def _refuse(columns: Columns, expansion: Expansion) -> None:
    categories, references = columns["category"], columns["reference_id"]
    assert categories is not None and references is not None
    row, reason = 1, "its template gives no lines"
    if expansion.rejects.height:
        first = expansion.rejects.sort("row").row(0, named=True)
        row, reason = first["row"], first["message"]
    raise NoEntry(category=categories[row - 1], reference_id=references[row - 1], reason=reason)
