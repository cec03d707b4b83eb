"""What the screens of the financial reports show: their figures and tables, in which every number leads on."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.urls import reverse

from batconnect.common.money import ZERO
from batconnect.common.screens import Cell, Table, day, list_url, money_cell
from ledger.models import Account, DriverAccount, LedgerPosting
from ledger.selectors import aging, summaries
from ledger.selectors.account_balances import month_of
from ledger.selectors.account_statements import Statement, StatementLine
from ledger.selectors.trial_balance import BalanceSheet, ProfitAndLoss, Section, TrialBalance
from ledger.services.report_files import what_line

from .journal_parts import entry_url
from .report_filters import Asked

MOST_SHOWN = 500
SUMMARY_PAGE = 100
# The posting's field behind each dimension, as the list of postings filters by it.
_LISTED_BY = {
    "driver": "driver__exact",
    "lease": "lease__exact",
    "vehicle": "vehicle__exact",
    "medallion": "medallion__exact",
    "category": "category__exact",
}
Figures = list[tuple[str, Cell]]


def report_url(kind: str, query: str = "") -> str:
    url = reverse(f"admin:ledger_report_{kind}")
    return f"{url}?{query}" if query else url


def statement_url(asked: Asked, code: str, fund: str | None, start: date | None = None) -> str:
    """The statement of an account for the period shown, or from another first day."""
    first, last = asked.window
    return report_url(
        "account_statement",
        Asked(start or first, last, fund, code, "", None, 1, "").query(),
    )


def trial_balance_page(report: TrialBalance, asked: Asked) -> dict[str, Any]:
    funds = len({row.fund for row in report.rows}) > 1
    currencies = len(report.totals) > 1
    extra = (["Fund"] if funds else []) + (["Currency"] if currencies else [])
    rows = []
    for row in report.rows[:MOST_SHOWN]:
        link = statement_url(asked, row.code, row.fund if funds else asked.fund)
        rows.append(
            [
                Cell(row.code, link, "strong"),
                Cell(row.name),
                *([Cell(row.fund)] if funds else []),
                *([Cell(row.currency)] if currencies else []),
                money_cell(row.opening, link),
                money_cell(row.debits, link),
                money_cell(row.credits, link),
                money_cell(row.closing, link, "strong"),
            ]
        )
    tables = [
        Table(
            "Accounts",
            ["Account", "Name", *extra, "#Opening", "#Debits", "#Credits", "#Closing"],
            rows,
            note=_cut(len(report.rows))
            or "Balances are debits minus credits: what is below zero is owed or earned.",
            footer=_footer(report, len(extra)) if not currencies else (),
        )
    ]
    if currencies or len(report.funds) > 1:
        tables.append(_funds(report))
    return {
        "badges": _in_balance(report.balanced) if report.rows else [],
        "tables": tables if report.rows else [],
    }


def _in_balance(balanced: bool) -> list[tuple[str, str]]:
    return [("In balance", "success") if balanced else ("Not in balance", "danger")]


def _footer(report: TrialBalance, extra: int) -> list[Cell]:
    blank = [Cell("") for _ in range(extra + 1)]
    return [
        *([Cell("Total"), *blank]),
        *(
            money_cell(amount)
            for sums in report.totals
            for amount in (sums.opening, sums.debits, sums.credits, sums.closing)
        ),
    ]


def _funds(report: TrialBalance) -> Table:
    return Table(
        "By currency and fund",
        ["Currency", "Fund", "#Opening", "#Debits", "#Credits", "#Closing", ""],
        [
            [
                Cell(sums.currency),
                Cell(sums.fund or "All funds", look="" if sums.fund else "strong"),
                *(money_cell(amount) for amount in (sums.opening, sums.debits, sums.credits, sums.closing)),
                Cell("in balance", look="muted") if sums.balanced else Cell("not in balance", look="warn"),
            ]
            for sums in [*report.totals, *report.funds]
        ],
    )


def profit_and_loss_page(report: ProfitAndLoss, asked: Asked) -> dict[str, Any]:
    sections = [report.income, report.expenses]
    return {
        "figures": [
            ("Income", money_cell(report.income.total)),
            ("Expenses", money_cell(report.expenses.total)),
            ("Result", money_cell(report.result)),
        ],
        "tables": [_section(section, asked) for section in sections]
        if any(section.lines for section in sections)
        else [],
        "notes": _others(report.other_currencies, report.currency),
    }


def balance_sheet_page(report: BalanceSheet, asked: Asked) -> dict[str, Any]:
    # A balance is the end of its account's statement of that month.
    month = month_of(report.as_of)
    january = date(report.as_of.year, 1, 1)
    equity = _section(report.equity, asked, month)
    results = [
        ("Result of earlier years", report.result_before, ""),
        (
            f"Result of {report.as_of.year} to date",
            report.result_of_year,
            report_url(
                "profit_and_loss", Asked(january, report.as_of, asked.fund, "", "", None, 1, "").query()
            ),
        ),
    ]
    equity_rows = [
        *equity.rows,
        *([Cell(""), Cell(label, href), money_cell(amount, href)] for label, amount, href in results),
    ]
    own = report.equity.total + report.result_before + report.result_of_year
    sections = [report.assets, report.liabilities, report.equity]
    empty = not any(section.lines for section in sections) and not own
    return {
        "badges": [] if empty else _in_balance(report.balanced),
        "figures": [
            ("Assets", money_cell(report.assets.total)),
            ("Liabilities", money_cell(report.liabilities.total)),
            ("Equity with result", money_cell(own)),
            ("Liabilities and equity", money_cell(report.liabilities_and_equity)),
        ],
        "tables": []
        if empty
        else [
            _section(report.assets, asked, month),
            _section(report.liabilities, asked, month),
            Table("Equity", equity.headers, equity_rows, footer=[Cell("Total"), Cell(""), money_cell(own)]),
        ],
        "side_by_side": True,
        "notes": _others(report.other_currencies, report.currency),
    }


def _section(section: Section, asked: Asked, start: date | None = None) -> Table:
    funds = len({line.account.fund for line in section.lines}) > 1
    rows = []
    for line in section.lines:
        link = statement_url(asked, line.account.code, line.account.fund if funds else asked.fund, start)
        name = f"{line.account.name} ({line.account.fund})" if funds else line.account.name
        rows.append([Cell(line.account.code, link, "strong"), Cell(name), money_cell(line.amount, link)])
    return Table(
        section.title,
        ["Account", "Name", "#Amount"],
        rows,
        empty="None.",
        footer=[Cell("Total"), Cell(""), money_cell(section.total)],
    )


def statement_page(report: Statement, asked: Asked, user: Any) -> dict[str, Any]:
    figures = report.figures
    normal = "debit" if report.account.is_debit_normal else "credit"
    rows = [
        _edge("Brought forward" if asked.cursor else "Opening balance", report.start, report.balance_before)
    ]
    rows += [_line(line, user) for line in report.lines]
    if report.next_cursor is None:
        rows.append(_edge("Closing balance", report.end, figures.closing))
    more = (
        Cell("Next lines", f"?{asked.query(cursor=report.next_cursor)}")
        if report.next_cursor
        else Cell("Back to the first lines", f"?{asked.query()}")
        if asked.cursor
        else None
    )
    table = Table(
        "Lines",
        ["Date", "Entry", "What", "Driver", "Reference", "#Debit", "#Credit", "#Balance"],
        rows,
        note="Balances are debits minus credits.",
        more=more,
    )
    return {
        "badges": [
            (report.account.get_type_display(), "info"),
            *([("Control account", "warning")] if report.account.is_control else []),
        ],
        "subject": f"{report.account.code} {report.account.name}",
        "notes": [f"A {normal} makes this account larger."],
        "figures": [
            ("Opening", money_cell(figures.opening)),
            ("Debits", money_cell(figures.debits)),
            ("Credits", money_cell(figures.credits)),
            ("Closing", money_cell(figures.closing)),
        ],
        "tables": [table] if report.lines or figures.opening else [],
    }


def _edge(title: str, on: date, balance: Any) -> list[Cell]:
    """The first or last row: a balance and no movement."""
    blank = Cell("")
    return [
        Cell(day(on), look="muted"), blank, Cell(title, look="strong"), blank, blank, blank, blank,
        money_cell(balance, look="strong"),
    ]  # fmt: skip


def _line(line: StatementLine, user: Any) -> list[Cell]:
    posting = ""
    if line.posting_id and user.has_perm("ledger.view_ledgerposting"):
        posting = reverse("admin:ledger_ledgerposting_change", args=[line.posting_id])
    entry = _entry_page(line.je_number, user)
    return [
        Cell(day(line.je_date)),
        Cell(line.je_number, entry),
        Cell(what_line(line)),
        Cell(line.driver_name or ""),
        Cell(line.reference or line.description, posting),
        money_cell(line.debit, entry) if line.debit is not None else Cell("", look="money"),
        money_cell(line.credit, entry) if line.credit is not None else Cell("", look="money"),
        money_cell(line.balance),
    ]


def _entry_page(number: str, user: Any) -> str:
    """The page of a journal entry, for those who may see it."""
    return entry_url(number) if user.has_perm("ledger.view_entryheader") else ""


def summary_page(report: summaries.Summary, asked: Asked, user: Any) -> dict[str, Any]:
    names = summaries.FIGURES
    may_list = user.has_perm("ledger.view_ledgerposting")
    details = {"driver": "TLC licence", "lease": "Driver", "vehicle": "Plate"}
    detailed = report.by in details
    rows = []
    for row in report.rows:
        link = _postings(report, report.by, row["key"]) if may_list else ""
        rows.append(
            [
                Cell(row["label"], link, "strong"),
                *([Cell(row["detail"])] if detailed else []),
                *_summary_cells(row, link),
            ]
        )
    blank = [Cell("")] if detailed else []
    everything = _postings(report, "", "") if may_list else ""
    last = (asked.page - 1) * SUMMARY_PAGE + len(report.rows)
    more = Cell("Next page", f"?{asked.query(page=asked.page + 1)}") if last < report.total_rows else None
    tables = [
        Table(
            f"By {report.by}",
            [
                report.by.capitalize(),
                *([details[report.by]] if detailed else []),
                "#Postings",
                "#Charged",
                "#Credited",
                "#Voided",
                "#Net",
            ],
            rows,
            note="Charged less credited, with what was voided taken back, is the net: what drivers' balances moved by.",
            footer=[Cell("Total"), *blank, *_summary_cells(report.totals, everything)],
            more=more,
        )
    ]
    if report.by != "category":
        tables.append(_by_category(report, may_list))
    return {
        "figures": [
            (name.capitalize(), money_cell(report.totals[name])) for name in names if name != "count"
        ],
        "tables": tables if report.total_rows else [],
    }


def aging_page(report: aging.Aging, asked: Asked, user: Any) -> dict[str, Any]:
    """Who owes how much for how long; each row leads to the account."""
    leads = user.has_perm("ledger.view_driveraccount")
    keys = {row["lease_id"] for row in report.rows}
    accounts = (
        dict(DriverAccount.objects.filter(lease__in=keys).values_list("lease_id", "pk")) if leads else {}
    )
    rows = []
    for row in report.rows:
        key = accounts.get(row["lease_id"])
        link = reverse("admin:ledger_driveraccount_change", args=[key]) if key else ""
        rows.append(
            [
                Cell(row["driver_name"], link, "strong"),
                Cell(row["lease_number"]),
                *(money_cell(row[name]) for name in aging.COLUMNS),
            ]
        )
    last = (asked.page - 1) * SUMMARY_PAGE + len(report.rows)
    table = Table(
        "By driver and lease",
        ["Driver", "Lease", *(f"#{aging.LABELS[name]}" for name in aging.COLUMNS)],
        rows,
        note="Charges by days past due, and what is in hand for the driver. Together they are account 1200.",
        footer=[Cell("Total"), Cell(""), *(money_cell(report.totals[name]) for name in aging.COLUMNS)],
        more=Cell("Next page", f"?{asked.query(page=asked.page + 1)}") if last < report.accounts else None,
    )
    names = (*aging.BUCKETS, "open_credits", "balance")
    return {
        "figures": [(aging.LABELS[name], money_cell(report.totals[name])) for name in names],
        "tables": [table] if report.accounts else [],
    }


def _summary_cells(row: Mapping[str, Any], link: str) -> list[Cell]:
    return [
        Cell(f"{row['count']:,}", link, "money"),
        *(money_cell(row[name], link) for name in ("charged", "credited", "voided")),
        money_cell(row["net"], link, "strong"),
    ]


def _by_category(report: summaries.Summary, may_list: bool) -> Table:
    labels = dict(LedgerPosting._meta.get_field("category").flatchoices)
    rows = []
    for name, net in report.totals["categories"].items():
        link = _postings(report, "category", name) if may_list else ""
        rows.append([Cell(str(labels.get(name, name)), link), money_cell(net, link)])
    return Table(
        "Net by category",
        ["Category", "#Net"],
        rows,
        footer=[Cell("Total"), money_cell(report.totals["net"] or ZERO)],
    )


def _postings(report: summaries.Summary, by: str, key: str) -> str:
    filters = f"effective_on_from={report.start}&effective_on_to={report.end}"
    return list_url(LedgerPosting, f"{_LISTED_BY[by]}={key}&{filters}" if by else filters)


def accounts_offered() -> list[tuple[str, str]]:
    """Finance's own accounts, to choose from; those of clients are named by their code."""
    return list(Account.objects.filter(kind__isnull=True).values_list("code", "name"))


def _cut(rows: int) -> str:
    return f"The first {MOST_SHOWN} of {rows:,} rows; the files have them all." if rows > MOST_SHOWN else ""


def _others(currencies: Any, currency: str) -> list[str]:
    return [f"In {currency}; {', '.join(currencies)} is not in these figures."] if currencies else []
