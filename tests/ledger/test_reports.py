"""The financial reports against figures worked out by hand (`report_story`), before and after a month closes."""

from datetime import date
from decimal import Decimal

import pytest

from batconnect.common.audit import system_user
from ledger.models import Account, EntryHeader, LedgerPosting
from ledger.selectors import aging, summaries
from ledger.selectors.account_statements import (
    BadCursor,
    UnknownAccount,
    account_statement,
    find_account,
    stream_statement,
)
from ledger.selectors.trial_balance import (
    UnknownCurrency,
    UnknownFund,
    balance_sheet,
    profit_and_loss,
    trial_balance,
)
from ledger.services import voids
from ledger.services.entries import NewEntry, NewLine, enter

from .factories import balance, broken_proofs
from .report_story import APRIL, BOTH, MARCH, Story, close_march, tell

pytestmark = pytest.mark.django_db

# opening, debits, credits, closing
IN_MARCH = {
    "1010": ("0.00", "0.00", "5.00", "-5.00"),
    "1100": ("0.00", "31.60", "0.00", "31.60"),
    "1200": ("0.00", "31.60", "31.60", "0.00"),
    "2210": ("0.00", "0.00", "1.00", "-1.00"),
    "2220": ("0.00", "0.00", "0.60", "-0.60"),
    "2230": ("0.00", "0.00", "5.00", "-5.00"),
    "2300": ("0.00", "31.60", "31.60", "0.00"),
    "2500": ("0.00", "5.00", "5.00", "0.00"),
    "4000": ("0.00", "0.00", "20.00", "-20.00"),
}
IN_APRIL = {
    "1010": ("-5.00", "0.00", "2.00", "-7.00"),
    "1020": ("0.00", "10.00", "0.00", "10.00"),
    "1100": ("31.60", "0.00", "0.00", "31.60"),
    "1200": ("0.00", "55.00", "35.00", "20.00"),
    "2210": ("-1.00", "0.00", "0.00", "-1.00"),
    "2220": ("-0.60", "0.00", "0.00", "-0.60"),
    "2230": ("-5.00", "0.00", "0.00", "-5.00"),
    "2400": ("0.00", "25.00", "25.00", "0.00"),
    "4000": ("-20.00", "0.00", "0.00", "-20.00"),
    "4200": ("0.00", "0.00", "30.00", "-30.00"),
    "5200": ("0.00", "2.00", "0.00", "2.00"),
}


@pytest.fixture
def story(tmp_path):
    return tell(tmp_path)


@pytest.fixture(params=["March is open", "March is closed"])
def either_way(request, story):
    """The same reports whether March is read from its lines or from its snapshot."""
    if request.param == "March is closed":
        close_march()
    return story


def figures(row) -> tuple[str, ...]:
    return tuple(str(amount) for amount in (row.opening, row.debits, row.credits, row.closing))


def rows(window, fund=None) -> dict[str, tuple[str, ...]]:
    return {row.code: figures(row) for row in trial_balance(start=window[0], end=window[1], fund=fund).rows}


def test_trial_balance(either_way):
    assert rows(MARCH) == IN_MARCH
    assert rows(APRIL) == IN_APRIL
    both = rows(BOTH)
    assert both["1200"] == ("0.00", "86.60", "66.60", "20.00")
    assert {code: row[3] for code, row in both.items()} == {
        **{code: row[3] for code, row in IN_MARCH.items()},
        **{code: row[3] for code, row in IN_APRIL.items()},
    }
    assert broken_proofs() == []


def test_trial_balance_comes_to_zero(either_way):
    for window in (MARCH, APRIL, BOTH, (date(2019, 3, 9), date(2019, 4, 2))):
        report = trial_balance(start=window[0], end=window[1])
        (sums,) = report.totals
        assert (sums.opening, sums.closing, sums.debits) == (0, 0, sums.credits)
        assert report.balanced and sums.currency == "USD"
        assert [(each.fund, each.balanced) for each in report.funds] == [("OP", True)]


def test_every_fund_and_every_currency_comes_to_zero_by_itself(story):
    euros = Account.objects.create(code="1010E", name="Bank, euros", type="ASSET", currency_id="EUR")
    equity = Account.objects.create(code="3000E", name="Equity, euros", type="EQUITY", currency_id="EUR")
    by_code = {account.code: account.pk for account in Account.objects.all()}
    enter(
        [
            NewEntry(
                je_date=date(2019, 4, 5),
                lines=[
                    NewLine(euros.pk, Decimal("7.00"), currency="EUR"),
                    NewLine(equity.pk, Decimal("-7.00"), currency="EUR"),
                    NewLine(by_code["1010"], Decimal("3.00"), fund="TBR"),
                    NewLine(by_code["3000"], Decimal("-3.00"), fund="TBR"),
                ],
            )
        ],
        origin="MANUAL",
        actor_id=system_user().pk,
    )
    report = trial_balance(start=APRIL[0], end=APRIL[1])
    assert [(sums.currency, str(sums.debits), sums.balanced) for sums in report.totals] == [
        ("EUR", "7.00", True),
        ("USD", "95.00", True),
    ]
    assert [(sums.currency, sums.fund, sums.balanced) for sums in report.funds] == [
        ("EUR", "OP", True),
        ("USD", "OP", True),
        ("USD", "TBR", True),
    ]
    assert rows(APRIL, fund="TBR") == {
        "1010": ("0.00", "3.00", "0.00", "3.00"),
        "3000": ("0.00", "0.00", "3.00", "-3.00"),
    }
    sheet = balance_sheet(as_of=APRIL[1])
    assert sheet.other_currencies == ["EUR"] and sheet.balanced
    assert str(balance_sheet(as_of=APRIL[1], currency="EUR").assets.total) == "7.00"
    statement = account_statement(account=find_account("1010"), start=APRIL[0], end=APRIL[1], fund="TBR")
    assert [str(line.amount) for line in statement.lines] == ["3.00"]


def test_profit_and_loss(either_way):
    march = profit_and_loss(start=MARCH[0], end=MARCH[1])
    assert [(line.account.code, str(line.amount)) for line in march.income.lines] == [("4000", "20.00")]
    assert (march.expenses.lines, str(march.expenses.total), str(march.result)) == ([], "0.00", "20.00")
    both = profit_and_loss(start=BOTH[0], end=BOTH[1])
    assert [(line.account.code, str(line.amount)) for line in both.income.lines] == [
        ("4000", "20.00"),
        ("4200", "30.00"),
    ]
    assert [(line.account.code, str(line.amount)) for line in both.expenses.lines] == [("5200", "2.00")]
    assert (str(both.income.total), str(both.expenses.total), str(both.result)) == ("50.00", "2.00", "48.00")
    assert str(profit_and_loss(start=APRIL[0], end=APRIL[1]).result) == "28.00"


def test_balance_sheet(either_way):
    sheet = balance_sheet(as_of=APRIL[1])
    assert {line.account.code: str(line.amount) for line in sheet.assets.lines} == {
        "1010": "-7.00", "1020": "10.00", "1100": "31.60", "1200": "20.00",
    }  # fmt: skip
    assert {line.account.code: str(line.amount) for line in sheet.liabilities.lines} == {
        "2210": "1.00", "2220": "0.60", "2230": "5.00",
    }  # fmt: skip
    assert (str(sheet.assets.total), str(sheet.liabilities.total), sheet.equity.lines) == (
        "54.60",
        "6.60",
        [],
    )
    assert (str(sheet.result_before), str(sheet.result_of_year)) == ("0.00", "48.00")
    assert sheet.balanced and sheet.liabilities_and_equity == sheet.assets.total
    assert str(balance_sheet(as_of=date(2019, 4, 2)).result_of_year) == "50.00"
    # In the next year the result is that of an earlier one.
    later = balance_sheet(as_of=date(2020, 1, 1))
    assert (str(later.result_before), str(later.result_of_year), later.balanced) == ("48.00", "0.00", True)


def test_account_statement_says_where_each_line_comes_from(either_way: Story):
    statement = account_statement(account=find_account("1200"), start=APRIL[0], end=APRIL[1])
    assert figures(statement.figures) == IN_APRIL["1200"]
    assert [
        (
            f"{line.je_date:%m-%d}",
            line.category,
            line.reference,
            line.side,
            str(line.amount),
            str(line.balance),
        )
        for line in statement.lines
    ] == [
        ("04-02", "MISC", "MISC-1", "DR", "30.00", "30.00"),
        ("04-02", "EZPASS", "TOLL-1", "DR", "25.00", "55.00"),
        ("04-02", "INTERIM_PAYMENT", statement.lines[2].reference, "CR", "10.00", "45.00"),
        ("04-03", "EZPASS", "TOLL-1", "CR", "25.00", "20.00"),
    ]
    assert [line.is_reversal for line in statement.lines] == [False, False, False, True]
    assert {line.driver_name for line in statement.lines} == {"Ann Lee"}
    first = statement.lines[0]
    assert first.posting_id == either_way.misc.pk
    entry = EntryHeader.objects.get(posting=either_way.misc)
    assert (first.entry_id, first.je_number) == (entry.pk, entry.je_number)
    assert balance(either_way.account) == statement.figures.closing == Decimal("20.00")


def test_the_statement_of_trips_names_the_trip_and_its_driver(either_way):
    statement = account_statement(account=find_account("2300"), start=MARCH[0], end=MARCH[1])
    assert [(line.origin, line.driver_name, str(line.balance)) for line in statement.lines] == [
        ("TRIP", "Ann Lee", "-15.80"), ("TRIP", "Ann Lee", "-31.60"), ("POSTING", "Ann Lee", "0.00"),
    ]  # fmt: skip
    assert all(line.reference for line in statement.lines)
    (fee,) = account_statement(account=find_account("5200"), start=APRIL[0], end=APRIL[1]).lines
    assert (fee.description, fee.reference, fee.driver_name) == ("Bank fee", "FEE-1", None)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_of_a_statement_are_the_statement(either_way, limit):
    account, (start, end) = find_account("1200"), (MARCH[0], date(2019, 12, 31))
    whole = account_statement(account=account, start=start, end=end, limit=500)
    assert whole.next_cursor is None and len(whole.lines) == 10
    found, cursor, pages = [], None, 0
    while cursor or not pages:
        page = account_statement(account=account, start=start, end=end, limit=limit, cursor=cursor)
        assert page.balance_before == (found[-1].balance if found else whole.figures.opening)
        assert page.figures == whole.figures
        found += page.lines
        cursor, pages = page.next_cursor, pages + 1
    assert found == whole.lines and pages == -(-10 // limit)
    assert found[-1].balance == whole.figures.closing
    opening, streamed = stream_statement(account=account, start=start, end=end, size=3)
    assert (opening, list(streamed)) == (whole.figures.opening, whole.lines)


@pytest.mark.parametrize(
    "cursor", ["", "x", "2019-04-02.1", "2019-04-02.-1.1", "2019-02-02.1.1", "2019-04-02.1.99999", "2019-13-01.1.1",
               "2019-04-02.99999999999999999999.1", "2019-04-02.¹.1"],
)  # fmt: skip
def test_a_cursor_from_elsewhere_is_refused(story, cursor):
    if cursor:
        with pytest.raises(BadCursor):
            account_statement(account=find_account("1200"), start=BOTH[0], end=BOTH[1], cursor=cursor)


def test_what_is_not_there_is_said(story):
    with pytest.raises(UnknownAccount, match="no account 9999"):
        find_account("9999")
    with pytest.raises(UnknownAccount):
        find_account("00000000-0000-0000-0000-00000000000-")
    assert find_account(str(find_account("1200").uid)).code == "1200"
    with pytest.raises(UnknownFund, match="no fund XYZ; there are OP"):
        trial_balance(start=BOTH[0], end=BOTH[1], fund="XYZ")
    with pytest.raises(UnknownFund):
        account_statement(account=find_account("1200"), start=BOTH[0], end=BOTH[1], fund="XYZ")
    with pytest.raises(UnknownCurrency, match="XXX"):
        profit_and_loss(start=BOTH[0], end=BOTH[1], currency="XXX")


def test_nothing_posted_is_nothing_to_report(db):
    report = trial_balance(start=BOTH[0], end=BOTH[1], fund="OP")
    assert (report.rows, report.totals, report.balanced) == ([], [], True)
    sheet = balance_sheet(as_of=BOTH[1])
    assert sheet.balanced and str(sheet.liabilities_and_equity) == "0.00"


# --- summaries ----------------------------------------------------------------------------------------------


def test_summary_by_category(story):
    report = summaries.summary(by="category", start=APRIL[0], end=APRIL[1])
    assert [
        (row["key"], row["count"], *(str(row[name]) for name in ("charged", "credited", "voided", "net")))
        for row in report.rows
    ] == [
        ("EZPASS", 2, "25.00", "0.00", "-25.00", "0.00"),
        ("INTERIM_PAYMENT", 1, "0.00", "10.00", "0.00", "-10.00"),
        ("MISC", 1, "30.00", "0.00", "0.00", "30.00"),
    ]
    assert report.totals["net"] == Decimal("20.00") and report.totals["count"] == 4


@pytest.mark.parametrize("by", ["driver", "lease", "vehicle", "medallion"])
def test_summary_by_what_the_postings_name(story, by):
    report = summaries.summary(by=by, start=MARCH[0], end=MARCH[1])
    (row,) = report.rows
    lease = story.lease
    labels = {
        "driver": "Ann Lee", "lease": lease.number, "vehicle": lease.vehicle.vin, "medallion": "9Z99",
    }  # fmt: skip
    assert (row["label"], row["key"]) == (
        labels[by],
        str(lease.pk if by == "lease" else getattr(lease, by).pk),
    )
    assert row["categories"] == {
        "EARNINGS": Decimal("-31.60"), "LEASE": Decimal("20.00"), "PAYOUT": Decimal("5.00"), "TAXES": Decimal("6.60"),
    }  # fmt: skip
    assert (str(row["charged"]), str(row["credited"]), str(row["net"])) == ("31.60", "31.60", "0.00")
    assert {name: report.totals[name] for name in summaries.FIGURES} == {
        name: row[name] for name in summaries.FIGURES
    }


def test_a_voided_payment_is_voided_and_not_charged(story):
    paid = LedgerPosting.objects.get(category="INTERIM_PAYMENT")
    voids.void_posting(
        posting_id=paid.pk, reason="The check bounced", actor=system_user(), on=date(2019, 4, 3)
    )
    report = summaries.summary(by="lease", start=APRIL[0], end=APRIL[1])
    (row,) = report.rows
    assert [str(row[name]) for name in ("charged", "credited", "voided", "net")] == [
        "55.00", "10.00", "-15.00", "30.00",
    ]  # fmt: skip
    assert row["categories"] == {"EZPASS": 0, "INTERIM_PAYMENT": 0, "MISC": Decimal("30.00")}


def test_a_summary_is_the_movement_of_account_1200(either_way):
    for start, end in (MARCH, APRIL, BOTH):
        (row,) = [row for row in trial_balance(start=start, end=end).rows if row.code == "1200"]
        for by in summaries.DIMENSIONS:
            report = summaries.summary(by=by, start=start, end=end)
            assert report.totals["net"] == row.debits - row.credits
            assert sum(each["net"] for each in report.rows) == report.totals["net"]


def test_aging_comes_to_account_1200(either_way):
    for as_of in (MARCH[1], date(2019, 4, 2), APRIL[1]):
        _, totals, _ = aging.aging(today=as_of, as_of=as_of)
        (row,) = [row for row in trial_balance(start=as_of, end=as_of).rows if row.code == "1200"] or [None]
        assert totals["balance"] == (row.closing if row else 0)
    assert totals["balance"] == Decimal("20.00")
