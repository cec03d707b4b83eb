"""What screens of the journal share: lines in two columns, what they do to accounts, and links by number."""

from collections.abc import Sequence
from decimal import Decimal

from django.db import OperationalError
from django.urls import reverse
from django.utils import timezone

from batconnect.api.errors import QUERY_CANCELED
from batconnect.api.pagination import bounded_time
from batconnect.common.screens import Cell, Table
from batconnect.common.transactions import sqlstate
from batconnect.common.weeks import local_date
from ledger.models import Account, ArchivedMonth, EntryHeader, EntryLine, LedgerPosting, ManualJournal
from ledger.selectors.account_balances import account_balances
from ledger.selectors.archives import is_away
from ledger.selectors.journal import entries_of_posting, exactly, je_number, lines_of
from ledger.services.entry_lines import FUND
from ledger.services.journal_lines import Line, sums_of

from .posting_parts import link

SLOW = 2_000  # milliseconds; a balance that takes longer is left out of a preview
CENTS = -2


def amount(value: Decimal) -> str:
    """1,234.50; in other currencies with the decimals it has."""
    return f"{value:,f}".replace("-", "\N{MINUS SIGN}")


def amount_cell(value: Decimal | None, href: str = "", look: str = "") -> Cell:
    return Cell("" if value is None else amount(value), href, f"money {look}".strip())


def total_text(value: Decimal) -> str:
    """A sum over currencies: two decimals, more where it has more."""
    plain = value.normalize()
    exponent = plain.as_tuple().exponent
    places = exponent if isinstance(exponent, int) and exponent < CENTS else CENTS
    return amount(value.quantize(Decimal(1).scaleb(places)))


def entry_url(number: str) -> str:
    return reverse("admin:ledger_entryheader_change", args=[number])


def entry_cell(number: str | None) -> Cell:
    return Cell(number, entry_url(number)) if number else Cell("–")


def entry_of(posting: LedgerPosting) -> Cell | None:
    """The link from a posting to its journal entry."""
    found = entries_of_posting(posting).values_list("je_number", flat=True).first()
    if found is None and is_away(ArchivedMonth.Kind.LEDGER, posting.effective_on):
        return Cell(f"archived with {posting.effective_on:%Y-%m}")
    return entry_cell(found) if found else None


def journal_entry(journal: ManualJournal) -> str | None:
    """The number of the entry that a manual journal became."""
    return je_number(journal.entry_id, journal.je_date) if journal.entry_id else None


def lines_of_entry(entry: EntryHeader) -> list[Line]:
    """An entry's lines in the form of lines that are yet to be entered."""
    return [
        Line(
            line.account,
            line.side,
            exactly(line.amount, line.currency),
            line.currency_id,
            line.fund,
            line.template_line,
        )
        for line in lines_of(entry)
    ]


def lines_of_journal(journal: ManualJournal) -> list[Line]:
    """A manual journal's lines as they were written, whether they could still be entered or not."""
    codes = {line["account"] for line in journal.lines}
    accounts = {account.code: account for account in Account.objects.filter(code__in=codes)}
    return [
        Line(accounts[line["account"]], line["side"], Decimal(line["amount"]), line["currency"], line["fund"])
        for line in journal.lines
        if line["account"] in accounts
    ]


def lines_table(title: str, lines: Sequence[Line], note: str = "") -> Table:
    """Debits left, credits right, and what each column adds up to.

    Currency, fund and the template's line only where they say something.
    """
    by_currency = {line.currency for line in lines} != {"USD"}
    by_fund = {line.fund for line in lines} != {FUND}
    by_template = any(line.template_line for line in lines)
    columns = {"Template line": by_template, "Currency": by_currency, "Fund": by_fund}
    more = [name for name, is_shown in columns.items() if is_shown]

    def extra(currency: str, fund: str, template_line: str = "") -> list[Cell]:
        shown = zip((template_line, currency, fund), columns.values(), strict=True)
        return [Cell(value) for value, is_shown in shown if is_shown]

    rows = [
        [
            Cell(str(number), look="muted"),
            Cell(line.account.code, link(line.account)),
            Cell(line.account.name),
            *extra(line.currency, line.fund, str(line.template_line or "")),
            amount_cell(line.amount if line.side == EntryLine.Side.DR else None),
            amount_cell(line.amount if line.side == EntryLine.Side.CR else None),
        ]
        for number, line in enumerate(lines, 1)
    ]
    sums = sums_of(lines)
    for one in sums if len(sums) > 1 else []:
        rows.append(
            [
                Cell(""),
                Cell("Total", look="strong"),
                Cell(""),
                *extra(one.currency, one.fund),
                amount_cell(one.debits, look="strong"),
                amount_cell(one.credits, look="strong"),
            ]
        )
    footer = [Cell(""), Cell("Total"), Cell(""), *extra("", "")]
    return Table(
        title,
        ["Line", "Account", "Name", *more, "#Debit", "#Credit"],
        rows,
        note=note,
        footer=[*footer, amount_cell(sums[0].debits), amount_cell(sums[0].credits)] if len(sums) == 1 else (),
    )


def effects_table(lines: Sequence[Line]) -> Table:
    """What entering these lines does to each account's balance, counted in the account's normal direction."""
    effects: dict[int, Decimal] = {}
    accounts: dict[int, Account] = {}
    for line in lines:
        accounts[line.account.pk] = line.account
        effects[line.account.pk] = effects.get(line.account.pk, Decimal(0)) + line.effect
    balances = _balances(list(accounts.values()))
    rows = []
    for pk, account in sorted(accounts.items(), key=lambda pair: pair[1].code):
        effect = effects[pk]
        row = [
            Cell(account.code, link(account)),
            Cell(f"{account.name} ({account.get_type_display().lower()})"),
            amount_cell(effect),
        ]
        if balances is not None:
            now = balances.get(pk, effect * 0)
            row += [amount_cell(now), amount_cell(now + effect, look="strong")]
        rows.append(row)
    headers = ["Account", "Name", "#Change"]
    return Table(
        "What this does to the accounts",
        headers if balances is None else [*headers, "#Balance today", "#Balance with it"],
        rows,
        note="Assets and expenses grow by debits, the others by credits.",
    )


def _balances(accounts: Sequence[Account]) -> dict[int, Decimal] | None:
    """Today's balances in each account's normal direction; None when they would take too long."""
    today = local_date(timezone.now())
    found: dict[int, Decimal] = {}
    try:
        with bounded_time(SLOW):
            rows = account_balances(start=today, end=today, account_ids=[account.pk for account in accounts])
    except OperationalError as error:
        if sqlstate(error) != QUERY_CANCELED:
            raise
        return None
    for row in rows:
        found[row.account_id] = found.get(row.account_id, Decimal(0)) + row.in_normal_direction(row.closing)
    return found
