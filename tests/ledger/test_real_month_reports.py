"""The real month in the journal: what its six weeks come to on the accounts, by lines and by snapshots."""

from datetime import date
from decimal import Decimal

import pytest

from batconnect.common.audit import system_user
from ledger.models import Account
from ledger.selectors import aging
from ledger.selectors.account_statements import find_account, stream_statement
from ledger.selectors.summaries import summary
from ledger.selectors.trial_balance import balance_sheet, profit_and_loss, trial_balance
from ledger.services import months
from ledger.services.snapshots import rebuild_snapshots

from .test_real_month import WEEKS, command

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

FEBRUARY, MARCH, APRIL = (date(2019, number, 1) for number in (2, 3, 4))
END = date(2019, 4, 6)
EARNED, TAXED, OWED = Decimal("93622.09"), Decimal("17826.80"), Decimal("4370.70")
TAXES = ("2210", "2220", "2230", "2240", "2250")


def closing(start: date, end: date) -> dict[str, Decimal]:
    report = trial_balance(start=start, end=end)
    assert report.balanced
    return {row.code: row.closing for row in report.rows}


def test_six_weeks_settle_what_the_trips_brought(shared_data):
    command(
        "import_fleet", "--medallions", str(shared_data / "medallions.csv"), "--drivers",
        str(shared_data / "drivers.csv"), "--lease-from", "2019-02-24", "--weekly-fee", "150.00",
    )  # fmt: skip
    command("import_trips", str(shared_data / "curb_trips_2019-03.csv"))
    assert closing(FEBRUARY, END) == {"1100": EARNED, "2300": -EARNED}
    for week, *_ in WEEKS:
        command("run_week", "--week", week)

    rows = {row.code: row for row in trial_balance(start=FEBRUARY, end=END).rows}
    assert rows["1100"].closing == EARNED
    assert (rows["2300"].debits, rows["2300"].credits, rows["2300"].closing) == (EARNED, EARNED, 0)
    assert -sum(rows[code].closing for code in TAXES if code in rows) == TAXED
    leases, net_pay = -rows["4000"].closing, -rows["2500"].closing
    assert leases == 43 * 150 * (sum(week[3] for week in WEEKS) // 43)
    assert net_pay == sum(Decimal(week[5]) for week in WEEKS)
    assert rows["1200"].closing == OWED == TAXED + leases + net_pay - EARNED
    assert set(rows) - set(TAXES) == {"1100", "1200", "2300", "2500", "4000"}

    assert profit_and_loss(start=FEBRUARY, end=END).result == leases
    sheet = balance_sheet(as_of=END)
    assert sheet.balanced and sheet.assets.total == EARNED + OWED == TAXED + net_pay + leases
    assert aging.aging(today=END, as_of=END)[1]["balance"] == OWED
    totals = summary(by="driver", start=FEBRUARY, end=END).totals
    assert (totals["net"], totals["categories"]["EARNINGS"], totals["categories"]["TAXES"]) == (
        OWED,
        -EARNED,
        TAXED,
    )
    opening, lines = stream_statement(account=find_account("1200"), start=FEBRUARY, end=END)
    *_, last = lines
    assert (opening, last.balance) == (0, OWED)

    windows = [
        (MARCH, date(2019, 3, 31)),
        (APRIL, END),
        (date(2019, 3, 10), date(2019, 4, 2)),
        (FEBRUARY, END),
    ]
    from_lines = [trial_balance(start=start, end=end).rows for start, end in windows]
    first = months.next_to_close()
    for month in (each for each in (FEBRUARY, MARCH) if first and each >= first):
        months.close_month(month=month, actor=system_user(), on=date(2019, 5, 1))
    assert [trial_balance(start=start, end=end).rows for start, end in windows] == from_lines
    assert rebuild_snapshots() == []
    assert Account.objects.get(code="2300").snapshots.filter(month=MARCH).get().closing == Decimal("-2598.58")
