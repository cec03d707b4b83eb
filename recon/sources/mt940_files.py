"""Statements in MT940 (SWIFT). Amounts are signed: + is money in.

A statement says what it opened and closed with, and its rows have to make the difference.
"""

from decimal import Decimal
from typing import Any

import mt940

from .base import Adapter, Feed, Statement
from .errors import BadFile
from .statements import NO_REFERENCE, check_balances, statement_of, text_row, whole_file


class Mt940(Adapter):
    name = "mt940"
    title = "MT940"

    def read(self, feed: Feed) -> Statement:
        text = _decoded(whole_file(feed))
        if ":61:" not in text and ":60F:" not in text and ":60M:" not in text:
            raise BadFile(problem="it is no MT940 statement")
        try:
            statements = mt940.parse_statements(text)
        except Exception as error:  # what it raises on a broken file is not documented
            raise BadFile(problem=f"it is no sound MT940 statement ({str(error)[:120]})") from error
        rows: list[dict[str, Any]] = []
        for statement in statements:
            found = [_mt940_row(one) for one in statement.transactions]
            opening, closing = (_balance(statement.data, kind) for kind in ("opening", "closing"))
            if closing is None:
                raise BadFile(problem="it breaks off: a statement has no closing balance")
            check_balances(opening, closing, sum((Decimal(row["amount"]) for row in found), Decimal(0)))
            rows.extend(found)
        if text.count("\n:61:") + text.startswith(":61:") != len(rows):
            raise BadFile(problem="some of its rows could not be read")
        called = dict.fromkeys(("amount", "time", "id", "currency", "reference"), ":61:")
        return statement_of(
            rows, feed, {**called, "description": ":86:"}, {"statements": str(len(statements))}
        )


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace").replace("\r\n", "\n")


def _mt940_row(transaction: Any) -> dict[str, str]:
    data = transaction.data
    amount = abs(data["amount"].amount)
    # RC and RD take a credit or a debit back.
    negative = data["status"] in ("D", "RC")
    reference = data.get("customer_reference") or ""
    return text_row(
        id=data.get("bank_reference") or "",
        amount=-amount if negative else amount,
        currency=data.get("currency") or data["amount"].currency,
        time=data["date"].isoformat(),
        reference="" if reference in NO_REFERENCE else reference,
        description=" ".join((data.get("transaction_details") or "").split())[:500],
    )


def _balance(data: Any, kind: str) -> Decimal | None:
    found = data.get(f"final_{kind}_balance") or data.get(f"intermediate_{kind}_balance")
    return None if found is None else found.amount.amount
