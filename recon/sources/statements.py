"""What readers of banks' statements share."""

import json
from decimal import Decimal
from typing import Any

import polars as pl

from .base import TEXTS, Feed, Statement, shaped
from .errors import BadFile, ControlTotals

LARGEST = 200 * 1024 * 1024  # bytes of a statement, which is read as a whole
NO_REFERENCE = {"NONREF", "NOTPROVIDED"}


def whole_file(feed: Feed) -> bytes:
    assert feed.path is not None
    try:
        if feed.path.stat().st_size > LARGEST:
            raise BadFile(problem="a statement has at most 200 MB")
        return feed.path.read_bytes()
    except OSError as error:
        raise BadFile(problem=str(error.strerror or error)) from error


def statement_of(
    rows: list[dict[str, Any]], feed: Feed, called: dict[str, str], facts: dict[str, str]
) -> Statement:
    texts = pl.DataFrame(
        [{"row": number, **row} for number, row in enumerate(rows, 1)],
        schema={"row": pl.Int64, **dict.fromkeys(TEXTS, pl.String), "raw": pl.String},
    )
    return Statement(shaped(texts, feed, columns=called), facts)


def text_row(**texts: Any) -> dict[str, str]:
    told = {name: str(value) for name, value in texts.items() if value not in (None, "")}
    return {**{name: told.get(name, "") for name in TEXTS}, "raw": json.dumps(told, ensure_ascii=False)}


def check_balances(opening: Decimal | None, closing: Decimal | None, total: Decimal) -> None:
    if opening is not None and closing is not None and opening + total != closing:
        raise ControlTotals(what="A closing balance of", stated=closing, found=opening + total)
