"""Statements in two formats of banks: MT940 (SWIFT) and OFX. Amounts are signed: + is money in.

An MT940 statement says what it opened and closed with, and its rows have to make the difference.
"""

from datetime import UTC, datetime, time
from decimal import Decimal
from io import BytesIO
from typing import Any

import mt940
from ofxtools.Parser import OFXTree

from .base import Adapter, Feed, Statement, zone_of
from .errors import BadFile
from .statements import NO_REFERENCE, check_balances, statement_of, text_row, whole_file

# --- MT940 --------------------------------------------------------------------------------------------------


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


# --- OFX ----------------------------------------------------------------------------------------------------


class Ofx(Adapter):
    """OFX 1 (SGML) and 2 (XML). It states no opening balance, so rows are counted by nothing but themselves."""

    name = "ofx"
    title = "OFX"

    def read(self, feed: Feed) -> Statement:
        content = whole_file(feed)
        if b"<!ENTITY" in content or b"<!DOCTYPE" in content:
            raise BadFile(problem="it declares entities, which no statement needs")
        tree = OFXTree()
        try:
            tree.parse(BytesIO(content))
            statements = tree.convert().statements
        except Exception as error:  # the library raises what its types raise
            raise BadFile(problem=f"it is no sound OFX statement ({str(error)[:120]})") from error
        rows = [
            _ofx_row(one, statement.curdef, feed)
            for statement in statements
            for one in statement.transactions or ()
        ]
        called = {
            "amount": "TRNAMT",
            "time": "DTPOSTED",
            "id": "FITID",
            "currency": "CURDEF",
            "description": "NAME",
        }
        return statement_of(rows, feed, called, {"statements": str(len(statements))})


def _ofx_row(transaction: Any, currency: str, feed: Feed) -> dict[str, str]:
    moment: datetime = transaction.dtposted
    if moment.astimezone(UTC).time() == time(0):
        # A day alone is read as midnight in Greenwich; the bank means its own day.
        moment = datetime.combine(moment.astimezone(UTC).date(), time(0), zone_of(feed))
    own = getattr(transaction, "currency", None)
    return text_row(
        id=transaction.fitid,
        amount=transaction.trnamt,
        currency=own.cursym if own is not None else currency,
        time=moment.astimezone(UTC).isoformat(timespec="seconds"),
        reference=transaction.checknum or transaction.refnum or "",
        description=" ".join(" ".join(filter(None, (transaction.name, transaction.memo))).split())[:500],
    )
