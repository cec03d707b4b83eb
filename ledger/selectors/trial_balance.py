"""The reports that accountants close with: trial balance, profit and loss, balance sheet.

All three are the same figures (`account_balances`) in another order. The fiscal year is the calendar year; there
is no closing entry, so the result of earlier years is added up and shown as equity.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection

from batconnect.common.errors import BatConnectError

from ..models import Account, Currency
from .account_balances import AccountBalance, account_balances, one_moment

MOST_ROWS = 50_000

_FUNDS = """
SELECT fund FROM chart_of_accounts UNION SELECT fund FROM journal_template_line
 UNION SELECT fund FROM account_balance_snapshot WHERE month = (SELECT max(month) FROM account_balance_snapshot)
 ORDER BY fund
"""


class UnknownFund(BatConnectError):
    code, status = "report.unknown_fund", 404
    message = "There is no fund {fund}; there are {known}."


class UnknownCurrency(BatConnectError):
    code, status = "report.unknown_currency", 404
    message = "There is no currency {currency}."


class ReportTooLarge(BatConnectError):
    code, status = "report.too_large", 400
    message = "This report has more than {most:,} rows; choose a fund."


@dataclass(frozen=True)
class Sums:
    """One currency's sums, of a fund or of all (`fund` empty). Sound books: opening and closing are zero."""

    currency: str
    fund: str
    opening: Decimal
    debits: Decimal
    credits: Decimal

    @property
    def closing(self) -> Decimal:
        return self.opening + self.debits - self.credits

    @property
    def balanced(self) -> bool:
        return not self.opening and self.debits == self.credits


@dataclass(frozen=True)
class TrialBalance:
    start: date
    end: date
    fund: str | None
    rows: Sequence[AccountBalance]
    totals: Sequence[Sums]
    funds: Sequence[Sums]

    @property
    def balanced(self) -> bool:
        return all(sums.balanced for sums in self.totals)


@dataclass(frozen=True)
class Line:
    """An account in a statement, its amount in the direction the statement prints it."""

    account: AccountBalance
    amount: Decimal


@dataclass(frozen=True)
class Section:
    title: str
    lines: Sequence[Line]
    total: Decimal


@dataclass(frozen=True)
class ProfitAndLoss:
    start: date
    end: date
    fund: str | None
    currency: str
    income: Section
    expenses: Section
    result: Decimal
    other_currencies: Sequence[str]


@dataclass(frozen=True)
class BalanceSheet:
    """`result_before` is that of earlier years, `result_of_year` that of the year of `as_of` up to then."""

    as_of: date
    fund: str | None
    currency: str
    assets: Section
    liabilities: Section
    equity: Section
    result_before: Decimal
    result_of_year: Decimal
    other_currencies: Sequence[str]

    @property
    def liabilities_and_equity(self) -> Decimal:
        return self.liabilities.total + self.equity.total + self.result_before + self.result_of_year

    @property
    def balanced(self) -> bool:
        return self.assets.total == self.liabilities_and_equity


def trial_balance(*, start: date, end: date, fund: str | None = None) -> TrialBalance:
    """Every account with a balance or a movement: opening, debits, credits, closing; and their sums.

    Raises UnknownFund, ReportTooLarge, MonthArchived.
    """
    rows = _rows(start=start, end=end, fund=fund)
    funds = _sums(rows, by_fund=True)
    return TrialBalance(start, end, fund, rows, _sums(rows, by_fund=False), funds)


def profit_and_loss(
    *, start: date, end: date, fund: str | None = None, currency: str = "USD"
) -> ProfitAndLoss:
    """Income and expenses of a period in one currency, and what is left. Raises as `trial_balance`."""
    zero = zero_in(currency)
    rows, others = _of_currency(_rows(start=start, end=end, fund=fund), currency, moved=True)
    income = _section("Income", rows, Account.Type.INCOME, zero, moved=True)
    expenses = _section("Expenses", rows, Account.Type.EXPENSE, zero, moved=True)
    return ProfitAndLoss(start, end, fund, currency, income, expenses, income.total - expenses.total, others)


def balance_sheet(*, as_of: date, fund: str | None = None, currency: str = "USD") -> BalanceSheet:
    """Assets against liabilities, equity and the result to date, in one currency. Raises as `trial_balance`."""
    year, zero = date(as_of.year, 1, 1), zero_in(currency)
    rows, others = _of_currency(_rows(start=year, end=as_of, fund=fund), currency, moved=False)
    before = moved = zero
    for row in rows:
        if row.type in (Account.Type.INCOME, Account.Type.EXPENSE):
            before -= row.opening
            moved -= row.debits - row.credits
    return BalanceSheet(
        as_of,
        fund,
        currency,
        _section("Assets", rows, Account.Type.ASSET, zero, moved=False),
        _section("Liabilities", rows, Account.Type.LIABILITY, zero, moved=False),
        _section("Equity", rows, Account.Type.EQUITY, zero, moved=False),
        before,
        moved,
        others,
    )


def known_funds() -> list[str]:
    """The funds that accounts, templates and month-end balances name."""
    with connection.cursor() as cursor:
        cursor.execute(_FUNDS)
        return [fund for (fund,) in cursor.fetchall()]


def zero_in(currency: str) -> Decimal:
    """Nothing, with the decimals of a currency. Raises UnknownCurrency."""
    found = Currency.objects.filter(pk=currency).first()
    if found is None:
        raise UnknownCurrency(currency=currency)
    return Decimal(0).scaleb(-found.exponent)


def last_entry_date() -> date | None:
    """The accounting date of the entry made last, or None when there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT je_date FROM ledger_entry_header ORDER BY id DESC LIMIT 1")
        found = cursor.fetchone()
    return found[0] if found else None


def _rows(*, start: date, end: date, fund: str | None) -> list[AccountBalance]:
    with one_moment():
        rows = account_balances(start=start, end=end, fund=fund, most=MOST_ROWS + 1)
        if fund is not None and not rows:
            check_fund(fund)
    if len(rows) > MOST_ROWS:
        raise ReportTooLarge(most=MOST_ROWS)
    return rows


def check_fund(fund: str) -> None:
    """Raises UnknownFund."""
    known = known_funds()
    if fund not in known:
        raise UnknownFund(fund=fund, known=", ".join(known))


def _sums(rows: Iterable[AccountBalance], *, by_fund: bool) -> list[Sums]:
    found: dict[tuple[str, str], list[Decimal]] = {}
    for row in rows:
        sums = found.setdefault((row.currency, row.fund if by_fund else ""), [Decimal(0)] * 3)
        for index, amount in enumerate((row.opening, row.debits, row.credits)):
            sums[index] += amount
    return [Sums(currency, fund, *sums) for (currency, fund), sums in sorted(found.items())]


def _of_currency(
    rows: Sequence[AccountBalance], currency: str, *, moved: bool
) -> tuple[list[AccountBalance], list[str]]:
    """The rows of one currency, and which others have something to show."""
    others = {row.currency for row in rows if row.currency != currency and _shown(row, moved=moved)}
    return [row for row in rows if row.currency == currency], sorted(others)


def _shown(row: AccountBalance, *, moved: bool) -> bool:
    """Whether a statement of movements, or of balances, has a line for it."""
    temporary = row.type in (Account.Type.INCOME, Account.Type.EXPENSE)
    if moved:
        return temporary and bool(row.debits or row.credits)
    return not temporary and bool(row.closing)


def _section(title: str, rows: Iterable[AccountBalance], kind: str, zero: Decimal, *, moved: bool) -> Section:
    lines = [
        Line(row, row.in_normal_direction(row.debits - row.credits if moved else row.closing))
        for row in rows
        if row.type == kind and _shown(row, moved=moved)
    ]
    return Section(title, lines, sum((line.amount for line in lines), zero))
