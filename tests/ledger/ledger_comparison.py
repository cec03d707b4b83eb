"""What the database holds, held against the plain ledger: items and sums now, reports, and every past day."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from ledger.models import DTR
from ledger.selectors.aging import aging

from .plain_ledger import ZERO, PlainLedger, Report

_ITEMS = """
SELECT p.category, p.reference_id, p.reversal_for_id IS NOT NULL, p.account_id, p.amount, b.balance, p.status,
       p.effective_on, p.due_on, p.run_week
  FROM ledger_posting p JOIN ledger_balance b ON b.posting_id = p.id
 WHERE p.account_id = ANY(%s)
"""
_BALANCES = """
SELECT a.id, a.balance, (SELECT coalesce(sum(amount), 0) FROM ledger_posting WHERE account_id = a.id),
       (SELECT coalesce(sum(balance), 0) FROM ledger_balance WHERE account_id = a.id)
  FROM driver_account a WHERE a.id = ANY(%s)
"""
_POSTED = "SELECT id, account_id, amount, effective_on FROM ledger_posting WHERE account_id = ANY(%s)"
_ALLOCATED = (
    "SELECT credit_id, debit_id, amount, effective_on FROM ledger_allocation WHERE account_id = ANY(%s)"
)


def compare_items(model: PlainLedger) -> None:
    """Item by item, and the three sums of each account; no item beyond zero or its original."""
    accounts = [account.pk for account in model.accounts]
    found = {row[:3]: row[3:] for row in _rows(_ITEMS, accounts)}
    expected_items = {
        item.key: (
            item.account.pk,
            item.amount,
            item.open,
            "VOIDED" if item.voided else "POSTED",
            item.effective_on,
            item.due_on,
            item.run_week,
        )
        for item in model.items
    }
    _assert_same(found, expected_items)
    for _, amount, balance, *_ in found.values():
        assert _within(balance, amount)
    for account, *sums in _rows(_BALANCES, accounts):
        expected = next(model.balance(plain) for plain in model.accounts if plain.pk == account)
        assert sums == [expected] * 3


def compare_reports(model: PlainLedger) -> None:
    """Every DTR, figure by figure; and that there are no others."""
    accounts = [account.pk for account in model.accounts]
    found = {(dtr.account_id, dtr.week): dtr for dtr in DTR.objects.filter(account__in=accounts)}
    assert found.keys() == {(report.account.pk, report.week) for report in model.reports}
    for report in model.reports:
        _assert_same(_figures(found[report.account.pk, report.week]), _expected(report))


def _figures(dtr: DTR) -> dict[str, Any]:
    data = dtr.data
    return {
        "gross_earnings": dtr.gross_earnings,
        "taxes": dtr.taxes,
        "allocated": dtr.allocated,
        "net_pay": dtr.net_pay,
        "open_debits": dtr.open_debits,
        "open_credits": dtr.open_credits,
        "lines": {
            line.pop("category"): {name: Decimal(amount) for name, amount in line.items()}
            for line in data["categories"]
        },
        "details": {
            (row["category"], row["reference"]): (Decimal(row["amount"]), Decimal(row["open"]))
            for row in data["details"]
        },
        "voids": {(row["category"], row["reference"]): Decimal(row["amount"]) for row in data["voids"]},
        "payments": {row["reference"]: Decimal(row["amount"]) for row in data["payments"]},
        "paid": dtr.status == DTR.Status.PAID,
        "still_open": {category: Decimal(amount) for category, amount in dtr.still_open.items()},
    }


def _expected(report: Report) -> dict[str, Any]:
    return {**report.figures, "paid": report.paid, "still_open": report.still_open}


def compare_past(model: PlainLedger, today: date) -> None:
    """On every day there was, each item lies between zero and its original, and the sums are the model's."""
    accounts = [account.pk for account in model.accounts]
    posted, allocated = _rows(_POSTED, accounts), _rows(_ALLOCATED, accounts)
    if not posted:
        return
    day = min(row[3] for row in posted)
    last_day = max(today, *(row[3] for row in posted + allocated))
    while day <= last_day:
        items = {item: (account, amount) for item, account, amount, on in posted if on <= day}
        open_ = {item: amount for item, (_, amount) in items.items()}
        for credit, debit, amount, on in allocated:
            if on <= day:
                open_[debit] -= amount  # an allocation to what is not posted yet is a KeyError
                open_[credit] += amount
        sums: dict[int, list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
        for item, (account, amount) in items.items():
            assert _within(open_[item], amount), f"{item} on {day}: {open_[item]} of {amount}"
            sums[account][open_[item] < 0] += open_[item]
        for account in model.accounts:
            assert sum(sums[account.pk]) == model.balance(account, as_of=day), day
        _compare_aging({account: sums[account] for account in accounts}, day)
        day += timedelta(days=1)


def _compare_aging(sums: dict[int, list[Decimal]], day: date) -> None:
    """The aging report of that day says the same, all accounts of this example together."""
    _, totals, _ = aging(today=day, as_of=day, limit=0)
    assert totals["open_debits"] == sum(debits for debits, _ in sums.values())
    assert totals["open_credits"] == -sum(credits_ for _, credits_ in sums.values())


def _assert_same(found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> None:
    """As ==, naming what differs: (in the database, in the model)."""
    different = {
        key: (found.get(key), expected.get(key))
        for key in found.keys() | expected.keys()
        if found.get(key) != expected.get(key)
    }
    assert not different, different


def _within(balance: Decimal, amount: Decimal) -> bool:
    return min(amount, ZERO) <= balance <= max(amount, ZERO)


def _rows(statement: str, accounts: list[int]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [accounts])
        return cursor.fetchall()
