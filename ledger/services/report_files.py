"""The financial reports as tables for files: the same rows and sums as on the screen, in plain columns."""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from batconnect.exports import STRONG, Column, ExporterFactory, Kind, Table

from ..models import Account, Category, LedgerPosting, Origin
from ..selectors import aging
from ..selectors.account_statements import StatementLine, count_lines, stream_statement
from ..selectors.driver_statements import DriverStatement
from ..selectors.summaries import Summary
from ..selectors.trial_balance import BalanceSheet, ProfitAndLoss, Section, TrialBalance

# What clients ask for, and what the exporters are called.
FILE_FORMATS = {"xlsx": "excel", "pdf": "pdf", "csv": "csv"}

_ACCOUNT = [
    Column("account", "Account", width=14),
    Column("name", "Name", width=34),
]
_TRIAL_BALANCE = [
    *_ACCOUNT,
    Column("type", "Type", width=10),
    Column("fund", "Fund", width=8),
    Column("currency", "Currency", width=8),
    *(
        Column(name, name.capitalize(), Kind.MONEY, 16)
        for name in ("opening", "debits", "credits", "closing")
    ),
]
_STATEMENT_OF_SECTIONS = [
    Column("section", "Section", width=26),
    *_ACCOUNT,
    Column("fund", "Fund", width=8),
    Column("currency", "Currency", width=8),
    Column("amount", "Amount", Kind.MONEY, 18),
]
_LINES = [
    Column("je_date", "Date", Kind.DATE, 10),
    Column("je_number", "Entry", width=19),
    Column("what", "What", width=16),
    Column("reference", "Reference", width=26),
    Column("driver", "Driver", width=20),
    Column("description", "Description", width=30),
    Column("fund", "Fund", width=5),
    Column("debit", "Debit", Kind.MONEY, 14),
    Column("credit", "Credit", Kind.MONEY, 14),
    Column("balance", "Balance", Kind.MONEY, 15),
]
_DRIVER_LINES = [
    Column("on", "Date", Kind.DATE, 10),
    Column("what", "What", width=22),
    Column("reference", "Reference", width=28),
    Column("description", "Description", width=34),
    Column("charge", "Charge", Kind.MONEY, 14),
    Column("credit", "Credit", Kind.MONEY, 14),
    Column("balance", "Owed after it", Kind.MONEY, 15),
]
_SUMMARY = [
    Column("count", "Postings", Kind.INTEGER, 9),
    Column("charged", "Charged", Kind.MONEY, 14),
    Column("credited", "Credited", Kind.MONEY, 14),
    Column("voided", "Voided", Kind.MONEY, 14),
    Column("net", "Net", Kind.MONEY, 14),
]


def trial_balance_table(report: TrialBalance) -> Table:
    rows: list[Mapping[str, Any]] = [
        {
            "account": row.code,
            "name": row.name,
            "type": Account.Type(row.type).label,
            "fund": row.fund,
            "currency": row.currency,
            "opening": row.opening,
            "debits": row.debits,
            "credits": row.credits,
            "closing": row.closing,
        }
        for row in report.rows
    ]
    for sums in report.totals:
        rows.append(
            {
                **dict.fromkeys((column.key for column in _TRIAL_BALANCE), ""),
                STRONG: True,
                "account": "Total",
                "currency": sums.currency,
                "opening": sums.opening,
                "debits": sums.debits,
                "credits": sums.credits,
                "closing": sums.closing,
            }
        )
    notes = [*_notes(report.start, report.end, report.fund), "Balances are debits minus credits."]
    return Table("Trial balance", _TRIAL_BALANCE, rows, notes)


def profit_and_loss_table(report: ProfitAndLoss) -> Table:
    rows = [*_section(report.income, report.currency), *_section(report.expenses, report.currency)]
    rows.append(_sum("Result", report.result, report.currency))
    notes = _notes(report.start, report.end, report.fund)
    return Table("Profit and loss", _STATEMENT_OF_SECTIONS, rows, notes)


def balance_sheet_table(report: BalanceSheet) -> Table:
    currency = report.currency
    rows = [
        *_section(report.assets, currency),
        *_section(report.liabilities, currency),
        *_section(report.equity, currency),
        _sum("Result of earlier years", report.result_before, currency),
        _sum(f"Result of {report.as_of.year}", report.result_of_year, currency),
        _sum("Liabilities and equity", report.liabilities_and_equity, currency),
    ]
    notes = [f"As of {report.as_of.isoformat()}", *_fund_note(report.fund)]
    return Table("Balance sheet", _STATEMENT_OF_SECTIONS, rows, notes)


def statement_table(
    *, account: Account, start: date, end: date, fund: str | None, export_format: str
) -> Table:
    """Every line, read as the file is written. Raises ExportTooLarge and as `account_statement`."""
    exporter = ExporterFactory.get(export_format)
    if exporter.most_rows is not None:
        most = exporter.most_rows - 2  # the opening and the closing line
        lines = count_lines(account=account, start=start, end=end, fund=fund, most=most + 1)
        exporter.check_size(lines + 2)
    opening, lines_of = stream_statement(account=account, start=start, end=end, fund=fund)
    notes = [f"{account.code} {account.name}, {account.currency_id}", *_notes(start, end, fund)]
    rows = _statement_rows(opening, lines_of, start, end)
    return Table("Account statement", _LINES, rows, [*notes, "Balances are debits minus credits."])


def summary_table(report: Summary) -> Table:
    """All rows of a summary, with a column for each category that occurs."""
    kind = report.by.capitalize()
    details = {"driver": "TLC licence", "lease": "Driver", "vehicle": "Plate"}
    columns = [Column("label", kind, width=24)]
    if report.by in details:
        columns.append(Column("detail", details[report.by], width=20))
    columns += _SUMMARY
    if report.by != "category":
        columns += [
            Column(f"of_{name}", str(Category(name).label), Kind.MONEY, 14) for name in report.categories
        ]
    rows = [_summary_row(row, report) for row in report.rows]
    rows.append(_summary_row({**report.totals, STRONG: True, "label": "Total", "detail": ""}, report))
    notes = [*_notes(report.start, report.end, None), "Charged - credited + voided = net."]
    return Table(f"Summary by {report.by}", columns, rows, notes)


def aging_table(report: aging.Aging) -> Table:
    """Every account with something open, by age."""
    columns = [
        Column("driver_name", "Driver", width=24),
        Column("lease_number", "Lease", width=10),
        *(Column(name, aging.LABELS[name], Kind.MONEY, 13) for name in aging.COLUMNS),
    ]
    total = {STRONG: True, "driver_name": "Total", "lease_number": "", **report.totals}
    notes = [
        f"As of {report.as_of.isoformat()}",
        "Days past due; the balance is what is owed less what is in hand.",
    ]
    return Table("Receivables aging", columns, [*report.rows, total], notes)


def driver_statement_table(found: DriverStatement) -> Table:
    """A driver account from day to day, as it is handed over: a line for the beginning, one per posting, the end."""
    account = found.account
    rows = [
        {
            "on": row.posting.effective_on,
            "what": posting_words(row.posting),
            "reference": row.posting.reference_id,
            "description": row.posting.description or row.posting.reason,
            "charge": row.posting.amount if row.posting.amount > 0 else None,
            "credit": -row.posting.amount if row.posting.amount < 0 else None,
            "balance": row.balance,
        }
        for row in found.rows
    ]
    edge = {"reference": "", "description": "", "charge": None, "credit": None, STRONG: True}
    begin = {**edge, "on": found.start, "what": "At the beginning", "balance": found.opening}
    sums = {"charge": found.charged, "credit": found.credited, "balance": found.closing}
    end = {**edge, "on": found.end, "what": "At the end", **sums}
    notes = [
        f"{account.driver.name}, TLC licence {account.driver.tlc_license}, lease {account.lease.number}",
        f"{found.start.isoformat()} to {found.end.isoformat()}",
        "The balance is what the driver owes; below zero it is owed to the driver.",
    ]
    return Table("Driver statement", _DRIVER_LINES, [begin, *rows, end], notes)


def posting_words(posting: LedgerPosting) -> str:
    """In a word or two, what a posting is: its category, and whether it takes another back."""
    category = str(Category(posting.category).label)
    return f"{category} (reversal)" if posting.reversal_for_id else category


def file_name(title: str, *parts: Any) -> str:
    """A name that any system takes: `trial-balance-2019-03-01-2019-03-31`."""
    words = "-".join(str(part) for part in (title, *parts) if part).lower()
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in words)


def what_line(line: StatementLine) -> str:
    """In a word or two, what a line comes from: the posting's category, or the entry's origin."""
    what = line.category_label or str(Origin(line.origin).label)
    return f"{what} (reversal)" if line.is_reversal else what


def _section(section: Section, currency: str) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = [
        {
            "section": section.title,
            "account": line.account.code,
            "name": line.account.name,
            "fund": line.account.fund,
            "currency": currency,
            "amount": line.amount,
        }
        for line in section.lines
    ]
    return [*rows, _sum(f"Total {section.title.lower()}", section.total, currency)]


def _sum(title: str, amount: Decimal, currency: str) -> Mapping[str, Any]:
    return {
        STRONG: True, "section": title, "account": "", "name": "", "fund": "", "currency": currency, "amount": amount,
    }  # fmt: skip


def _statement_rows(
    opening: Decimal, lines: Iterator[StatementLine], start: date, end: date
) -> Iterator[Mapping[str, Any]]:
    balance = opening
    yield _edge("Opening balance", start, balance)
    for line in lines:
        balance = line.balance
        yield {
            "je_date": line.je_date,
            "je_number": line.je_number,
            "what": what_line(line),
            "reference": line.reference,
            "driver": line.driver_name,
            "description": line.description,
            "fund": line.fund,
            "debit": line.debit,
            "credit": line.credit,
            "balance": balance,
        }
    yield _edge("Closing balance", end, balance)


def _edge(title: str, day: date, balance: Decimal) -> Mapping[str, Any]:
    empty = dict.fromkeys((column.key for column in _LINES), None)
    return {**empty, STRONG: True, "je_date": day, "what": title, "balance": balance}


def _summary_row(row: Mapping[str, Any], report: Summary) -> Mapping[str, Any]:
    nets = {f"of_{name}": row["categories"].get(name, Decimal("0.00")) for name in report.categories}
    return {**row, **nets}


def _notes(start: date, end: date, fund: str | None) -> list[str]:
    return [f"{start.isoformat()} to {end.isoformat()}", *_fund_note(fund)]


def _fund_note(fund: str | None) -> list[str]:
    return [f"Fund {fund}"] if fund else []
