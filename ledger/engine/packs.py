"""Packs: a chart of accounts and the journal templates that post to it, as files of the project.

`ledger/packs/taxi.json` is the fleet's accounting policy (domain.md, "Double entry behind it"), `takaful.json` that
of the insurance funds (takaful.md). Amounts are written as text, so that none is ever a float.

The events of the taxi pack, and the sign of their `amount`:

- A driver posting's category, and OPENING_BALANCE: the posting's amount, debits positive. Its line on 1200 is the
  same amount, always. `product`: which tax, or the misc category; `channel`: how an INTERIM_PAYMENT was paid.
- A category with product OPENING: what of it was open at cut-over. INTERIM_PAYMENT with product REFUND_CASH and so on:
  credit paid back, positive.
- CHECK_BOUNCED: the reversal of a payment by check that had been banked, positive.
- TRIP: gross; product is the payment type (C, P, $, N, D).
- CURB_SETTLEMENT: what leaves the receivable; column `fees` is the part of it that CURB kept.
- FLEET_COST (product EZPASS, PVB, TLC) and AGENCY_PAID (these, and the taxes): positive.
- LOAN_PAID_OUT, LOAN_FORGIVEN, DEPOSIT_REFUNDED, DTR_PAID, DTR_RETURNED, DRAWER_BANKED: what was moved, positive.
- DRAWER_DIFFERENCE: short positive, over negative. RECON_DIFFERENCE: missing from CURB positive.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import polars as pl

from batconnect.common.errors import BatConnectError

from .templates import AccountOverride, JournalTemplate, TemplateControl, TemplateLine, TemplateMatch

FOLDER = Path(__file__).resolve().parent.parent / "packs"
AccountType = Literal["ASSET", "LIABILITY", "EQUITY", "INCOME", "EXPENSE"]


class UnknownPack(BatConnectError):
    code = "pack.unknown"
    message = "There is no pack {name}; there are {known}."


@dataclass(frozen=True)
class PackAccount:
    """A row of the chart. `control`: only its own services post there. `parent` is a code."""

    code: str
    name: str
    type: AccountType
    fund: str
    currency: str
    control: bool
    parent: str | None


@dataclass(frozen=True)
class Pack:
    """`columns` are those that expressions may read beside the common ones, by their number of decimals."""

    accounts: tuple[PackAccount, ...]
    templates: tuple[JournalTemplate, ...]
    overrides: tuple[AccountOverride, ...]
    columns: Mapping[str, int]

    def schema(self) -> dict[str, pl.DataType]:
        """The columns of the events, for compile_templates; amounts have as many decimals as the widest column."""
        scale = max(self.columns.values(), default=2)
        amounts = {name: pl.Decimal(20, places) for name, places in self.columns.items()}
        texts = dict.fromkeys(("txn_type", "product", "channel", "currency"), pl.String())
        return {**texts, "on": pl.Date(), "amount": pl.Decimal(20, scale), **amounts}


def pack_names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def read_pack(name: str) -> Pack:
    """A pack by its name, `taxi` or `takaful`. Raises UnknownPack."""
    known = pack_names()
    if name not in known:
        raise UnknownPack(name=name, known=", ".join(known))
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"), parse_float=_no_float)
    return Pack(
        accounts=tuple(PackAccount(**row) for row in content["accounts"]),
        templates=tuple(map(_template, content["templates"])),
        overrides=tuple(AccountOverride(**row) for row in content["overrides"]),
        columns=content["columns"],
    )


def _template(row: dict[str, Any]) -> JournalTemplate:
    control = row["control"]
    return JournalTemplate(
        code=row["code"],
        version=row["version"],
        description=row["description"],
        effective_from=date.fromisoformat(row["effective_from"]),
        effective_to=row["effective_to"] and date.fromisoformat(row["effective_to"]),
        matches=tuple(map(_match, row["matches"])),
        lines=tuple(TemplateLine(**line) for line in row["lines"]),
        control=TemplateControl(**{**control, "tolerance": Decimal(control["tolerance"])}),
    )


def _match(row: dict[str, Any]) -> TemplateMatch:
    bounds = {
        field: None if row[field] is None else Decimal(row[field]) for field in ("min_amount", "max_amount")
    }
    return TemplateMatch(**{**row, **bounds})


def _no_float(text: str) -> Decimal:
    raise ValueError(f'{text} is a bare number with decimals; write it as text, "{text}"')
