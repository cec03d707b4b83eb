"""Small templates and events, so that a test writes down only what it is about."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from ledger.engine.engine import CompiledTemplates, Expansion, compile_templates
from ledger.engine.templates import (
    AccountOverride,
    JournalTemplate,
    TemplateControl,
    TemplateLine,
    TemplateMatch,
)

ON = date(2019, 3, 2)
SCHEMA: dict[str, pl.DataType] = {
    "txn_type": pl.String(),
    "product": pl.String(),
    "channel": pl.String(),
    "on": pl.Date(),
    "currency": pl.String(),
    "amount": pl.Decimal(20, 6),
    "net": pl.Decimal(20, 6),
    "fee": pl.Decimal(20, 6),
    "days": pl.Int32(),
    "note": pl.String(),
}
ERROR = TemplateControl(Decimal(0), "ERROR", None, "")


def match(txn_type: str = "LEASE", **fields: Any) -> TemplateMatch:
    values = {"product": None, "channel": None, "min_amount": None, "max_amount": None, "condition": None}
    return TemplateMatch(**{"txn_type": txn_type, "priority": 100, **values, **fields})


def line(
    number: int, side: Any, account: str, amount: str = ":amount", fund: str = "OP", **fields: Any
) -> TemplateLine:
    return TemplateLine(number, side, account, fund, amount, **fields)


def template(
    code: str = "LEASE",
    version: int = 1,
    *,
    lines: tuple[TemplateLine, ...] | None = None,
    matches: tuple[TemplateMatch, ...] | None = None,
    control: TemplateControl = ERROR,
    effective: tuple[date, date | None] = (date(2000, 1, 1), None),
    key: int | None = None,
) -> JournalTemplate:
    both = (line(1, "DR", "1200"), line(2, "CR", "4000"))
    return JournalTemplate(
        code,
        version,
        "",
        *effective,
        (match(),) if matches is None else matches,
        both if lines is None else lines,
        control,
        key,
    )


def adjust(tolerance: str, account: str = "5900", fund: str = "OP") -> TemplateControl:
    return TemplateControl(Decimal(tolerance), "AUTO_ADJUST", account, fund)


def compiled(
    *templates: JournalTemplate, overrides: tuple[AccountOverride, ...] = (), **more: Any
) -> CompiledTemplates:
    return compile_templates(templates, overrides, SCHEMA, **more)


def event(row: int = 1, amount: str | int | None = "150.00", **values: object) -> dict[str, object]:
    base = {"txn_type": "LEASE", "product": "", "channel": "", "on": ON, "currency": "USD"}
    return {"row": row, **base, "amount": None if amount is None else Decimal(amount), **values}


def events(*rows: Mapping[str, object], schema: Mapping[str, pl.DataType] = SCHEMA) -> pl.DataFrame:
    whole = {"row": pl.Int64(), **schema}
    amounts = {name for name, dtype in whole.items() if isinstance(dtype, pl.Decimal)}
    return pl.DataFrame(
        [{name: _value(row.get(name), name in amounts) for name in whole} for row in rows], schema=whole
    )


def _value(value: object, amount: bool) -> object:
    return Decimal(value) if amount and isinstance(value, str | int) else value


def written(expansion: Expansion) -> list[str]:
    """Every line as `1: DR 1200 OP 150.00`, in the order of events and lines."""
    account = "account" if "account" in expansion.lines.columns else "account_id"
    return [
        f"{each['row']}: {each['side']} {each[account]} {each['fund']} {each['amount'].normalize():f}"
        for each in expansion.lines.sort("row", "line_number").to_dicts()
    ]


def refused(expansion: Expansion) -> dict[int, str]:
    """The message of every reject by its row."""
    return dict(expansion.rejects.select("row", "message").rows())
