"""The lines of a journal that somebody wrote: checked one by one, so that what is wrong is said with its line.

The database checks the same when the entry is made; here a person learns it before, and which line it is.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..models import Account, Currency, EntryLine, JournalTemplateLine, Origin
from .entries import NewLine
from .entry_lines import FUND
from .errors import AmountTooLarge, LedgerError

FEWEST_LINES = 2
MOST_LINES = 500
LARGEST = Decimal("99999999999999.999999")  # numeric(20,6)
_PLAIN = re.compile(r"[0-9]{1,14}(\.[0-9]{1,6})?\Z")
_FINEST = -6


class LineCount(LedgerError):
    code, status = "journal.lines", 400
    message = "A journal has {fewest} to {most} lines; this one has {given}."


class BadLine(LedgerError):
    """Something is wrong with one line; `line` counts from 1."""

    code, status = "journal.line", 400
    message = "Line {line}: {problem}"


class LineSide(BadLine):
    code, status = "journal.line_side", 400
    message = "Line {line}: the side is DR or CR."


class LineAccountUnknown(BadLine):
    code, status = "journal.line_account_unknown", 400
    message = "Line {line}: there is no account {account} in the chart."


class LineAccountInactive(BadLine):
    code, status = "journal.line_account_inactive", 409
    message = "Line {line}: account {account} is not active; use another one."


class LineControlAccount(BadLine):
    code, status = "journal.line_control_account", 409
    message = (
        "Line {line}: account {account} is a control account, which only its own service posts to. "
        "Use that, or another account."
    )


class LineCurrency(BadLine):
    code, status = "journal.line_currency", 400
    message = "Line {line}: account {account} is kept in {currency}, so its amounts are in {currency}."


class LineAmount(BadLine):
    code, status = "journal.line_amount", 400
    message = "Line {line}: an amount is above zero, with at most {decimals} decimals in {currency}, like {example}."


class LineFund(BadLine):
    code, status = "journal.line_fund", 400
    message = "Line {line}: there is no fund {fund}; the funds are {funds}."


class Unbalanced(LedgerError):
    code, status = "journal.unbalanced", 400
    message = "In {currency}, fund {fund}, debits are {debits} and credits {credits}: the difference is {difference}."


@dataclass(frozen=True)
class Line:
    """One checked line. `amount` is above zero and has its currency's decimals.

    `template_line`: the number of the template's line that it was made of, in bulk; else 0.
    """

    account: Account
    side: str
    amount: Decimal
    currency: str
    fund: str
    template_line: int = 0

    @property
    def signed(self) -> Decimal:
        """Debits positive."""
        return self.amount if self.side == EntryLine.Side.DR else -self.amount

    @property
    def effect(self) -> Decimal:
        """What it adds to its account, counted in the account's normal direction."""
        return self.signed if self.account.is_debit_normal else -self.signed

    def stored(self) -> dict[str, str]:
        """As `ManualJournal.lines` keeps it."""
        return {
            "account": self.account.code,
            "side": self.side,
            "amount": str(self.amount),
            "fund": self.fund,
            "currency": self.currency,
        }

    def new(self) -> NewLine:
        return NewLine(self.account.pk, self.signed, currency=self.currency, fund=self.fund)


@dataclass(frozen=True)
class Sums:
    """Debits and credits of one currency and fund."""

    currency: str
    fund: str
    debits: Decimal
    credits: Decimal


def checked_lines(given: Sequence[Mapping[str, Any]], *, takes_back: bool = False) -> list[Line]:
    """The lines, checked as `examine` does; raises the first problem."""
    lines, problems = examine(given, takes_back=takes_back)
    if problems:
        raise problems[0]
    return lines


def examine(
    given: Sequence[Mapping[str, Any]], *, takes_back: bool = False
) -> tuple[list[Line], list[LedgerError]]:
    """The good ones of these lines, and everything that is wrong with the others and with the whole.

    A line is {account: code, side: DR or CR, amount: string, int or Decimal} and, where they are not its account's,
    {currency, fund}. A journal balances in each currency and fund. What `takes_back` an entry may be on accounts that
    were given up since.
    """
    if not FEWEST_LINES <= len(given) <= MOST_LINES:
        return [], [LineCount(fewest=FEWEST_LINES, most=MOST_LINES, given=len(given))]
    codes = {str(line.get("account") or "").strip() for line in given}
    accounts = {
        account.code: account for account in Account.objects.filter(code__in=codes).select_related("currency")
    }
    funds = funds_in_use()
    lines: list[Line] = []
    problems: list[LedgerError] = []
    for number, raw in enumerate(given, 1):
        try:
            lines.append(_line(number, raw, accounts, funds, takes_back))
        except BadLine as problem:
            problems.append(problem)
    if not problems:
        problems = [_unbalanced(sums) for sums in sums_of(lines) if sums.debits != sums.credits]
        if sum((line.amount for line in lines), Decimal(0)) > LARGEST:
            problems.append(AmountTooLarge())
    return lines, problems


def sums_of(lines: Sequence[Line]) -> list[Sums]:
    """Debits and credits per currency and fund, in the order they first appear."""
    totals: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(
        lambda: dict.fromkeys(EntryLine.Side.values, Decimal(0))
    )
    for line in lines:
        totals[line.currency, line.fund][line.side] += line.amount
    return [Sums(*key, debits=both["DR"], credits=both["CR"]) for key, both in totals.items()]


def _line(
    number: int, raw: Mapping[str, Any], accounts: Mapping[str, Account], funds: set[str], takes_back: bool
) -> Line:
    code = str(raw.get("account") or "").strip()
    account = accounts.get(code)
    if account is None:
        raise LineAccountUnknown(line=number, account=code or "without a code")
    if not account.active and not takes_back:
        raise LineAccountInactive(line=number, account=code)
    if account.is_control and Origin.MANUAL not in account.control_origins:
        raise LineControlAccount(line=number, account=f"{account.code} {account.name}")
    side = raw.get("side")
    if side not in EntryLine.Side.values:
        raise LineSide(line=number)
    currency = account.currency
    if (raw.get("currency") or currency.code) != currency.code:
        raise LineCurrency(line=number, account=code, currency=currency.code)
    fund = str(raw.get("fund") or account.fund or FUND)
    if fund not in funds:
        raise LineFund(line=number, fund=fund, funds=", ".join(sorted(funds)))
    return Line(account, str(side), _amount(number, raw.get("amount"), currency), currency.code, fund)


def _amount(number: int, value: Any, currency: Currency) -> Decimal:
    unit = Decimal(1).scaleb(-currency.exponent)
    amount = _exactly(value)
    if amount is None or amount <= 0 or amount > LARGEST or amount != amount.quantize(unit):
        example = Decimal(125).quantize(unit)
        raise LineAmount(line=number, currency=currency.code, decimals=currency.exponent, example=example)
    return amount.quantize(unit)


def _exactly(value: Any) -> Decimal | None:
    """A number written plainly; no float, no exponent in a string, nothing so fine or so large that it is a trick."""
    if isinstance(value, Decimal):
        within = value.is_finite() and value and _FINEST <= value.adjusted() <= LARGEST.adjusted()
        return value if within else None
    if isinstance(value, bool | float) or not isinstance(value, int | str):
        return None
    if isinstance(value, int):
        return Decimal(value) if 0 < value <= LARGEST else None
    text = value.strip()
    return Decimal(text) if _PLAIN.match(text) else None


def _unbalanced(sums: Sums) -> Unbalanced:
    return Unbalanced(
        currency=sums.currency,
        fund=sums.fund,
        debits=sums.debits,
        credits=sums.credits,
        difference=abs(sums.debits - sums.credits),
    )


def funds_in_use() -> set[str]:
    """The funds in use: those of accounts and of templates."""
    return {
        FUND,
        *Account.objects.order_by().values_list("fund", flat=True).distinct(),
        *JournalTemplateLine.objects.order_by().values_list("fund", flat=True).distinct(),
    } - {""}
