"""Every row of the integration guide's table of integration points, through HTTP and on the screens.

One story, told twice: `OverHttp` and `OnScreens` bring the same events about, each by somebody who has the role for it
and no other. What the ledger says afterwards is worked by hand, and has to be the same through both doors. The table,
with its screens, endpoints and services, is in docs/integration-points.md.
"""

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from batconnect.common.weeks import NEW_YORK, local_date, sunday_of
from leases.models import Lease
from ledger.models import EntryLine, LedgerAllocation, LedgerPosting
from recon.sources import violations
from tests.common.test_staff_roles import ROLES
from tests.factories import make_lease
from tests.ledger.factories import account_of, balance, broken_proofs, open_items
from tests.ledger.trip_files import trip
from tests.recon.agency.stories import csv_of, summons
from tests.recon.conftest import host  # noqa: F401  (the fixture)
from tests.recon.hosts import Host
from tests.recon.test_curb_fetches import paged, processor  # noqa: F401  (the fixture)

from .on_screens import OnScreens
from .over_http import OverHttp
from .people import Office

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
# The week that ended last, so that it can be run; days after it are counted from its Sunday too. Every number below
# comes out the same on whichever day this is told.
WEEK = sunday_of(local_date(timezone.now())) - 7 * DAY
COMING_SATURDAY = WEEK + 13 * DAY  # up to where the run of that week posts
NOON = datetime.combine(WEEK + DAY, time(12), NEW_YORK)  # on its Monday
FRONT, MONEY = "Front desk", ("Accountant", "Finance manager")


class Books:
    """What the ledger says of one account: each posting once, as `news`."""

    def __init__(self, lease: Lease) -> None:
        self.account = account_of(lease)
        self._told: set[Any] = set()

    def news(self) -> list[str]:
        """Postings since the last look: category, entry type, amount; then its entry, debits above zero."""
        rows = LedgerPosting.objects.filter(account=self.account).exclude(pk__in=self._told)
        self._told.update(row.pk for row in rows)
        return sorted(f"{row.category} {row.entry_type} {row.amount}: {entry_of(row)}" for row in rows)

    def paid_by(self, category: str) -> dict[str, str]:
        """What credits of a category went to."""
        found = LedgerAllocation.objects.filter(account=self.account, credit__category=category)
        return {f"{row.debit.category}:{row.debit.reference_id}": str(row.amount) for row in found}

    def owes(self, amount: str) -> bool:
        assert balance(self.account) == Decimal(amount)
        assert broken_proofs() == []
        return True


def entry_of(posting: LedgerPosting) -> str:
    return _told(EntryLine.objects.filter(entry__posting=posting))


def balance_of(code: str) -> Decimal:
    lines = EntryLine.objects.filter(account__code=code).values_list("side", "amount")
    return sum((amount if side == "DR" else -amount for side, amount in lines), Decimal("0.00"))


def _told(lines: Iterable[EntryLine]) -> str:
    told = ((line.account.code, line.amount if line.side == "DR" else -line.amount) for line in lines)
    return ", ".join(f"{code} {amount:.2f}" for code, amount in sorted(told))


@pytest.fixture
def lease(processor: Host) -> Lease:  # noqa: F811
    """150.00 a week from the week's Sunday on, the driver's own car; on Monday it earned 300.00 by card, taxes 3.30."""
    made = make_lease(weekly_fee="150.00", starts_on=WEEK, lease_type="dov")
    driven = trip(
        made, PERIOD=f"{NOON:%Y%m}", START_DATE=f"{NOON:%m/%d/%Y %H:%M:%S}",
        END_DATE=f"{NOON + timedelta(minutes=30):%m/%d/%Y %H:%M:%S}", TRIPFARE="290.00", TRIPEXTRAS="0.00",
        TRIPTIPS="6.70", TAX="0.50", IMPTAX="0.30", CongFee="2.50", TOTAL_AMOUNT="300.00",
    )  # fmt: skip
    processor.answers = paged([driven])
    return made


@pytest.mark.parametrize("door", [OverHttp, OnScreens])
def test_every_row_of_the_table_ends_in_its_postings(door: type, lease: Lease) -> None:
    office, books = door(), Books(lease)
    week, coming = (f"LEASE:{lease.number}/{day}" for day in (WEEK, WEEK + 7 * DAY))

    # Agreed, and not due before the coming Saturday: nothing is posted.
    office.lend(lease, "300.00", rate="10.00", since=WEEK, first_due=COMING_SATURDAY)
    office.repair(lease, "200.50", since=WEEK, first_due=COMING_SATURDAY)
    assert books.news() == []
    assert balance_of("1300") == Decimal("300.00")

    # CURB Earnings: fetched, the fare is held for the driver until the week is settled.
    office.fetch_trips(datetime.combine(WEEK, time(), NEW_YORK), NOON + timedelta(hours=9))
    assert books.news() == [] and books.owes("0.00")
    assert (balance_of("1100"), balance_of("2300")) == (Decimal("300.00"), Decimal("-300.00"))

    # Tickets/Violations: imported, and entered; both written during that trip.
    plate = lease.vehicle.plate
    row = summons("PVB-1", "12:05", "65", plate=plate, day=NOON.date())
    office.load_violations(csv_of(violations.COLUMNS, [row]))
    assert books.news() == ["PVB DEBIT 65.00: 1200 65.00, 2410 -65.00"]
    office.enter_summons(lease, "TLC-1", "100.00", NOON + timedelta(minutes=10))
    assert books.news() == ["TLC DEBIT 100.00: 1200 100.00, 2420 -100.00"]

    # Misc. Expenses.
    key = office.charge(lease, "Lost Key", "50.00", WEEK + 2 * DAY)
    assert books.news() == ["MISC DEBIT 50.00: 1200 50.00, 4200 -50.00"] and books.owes("215.00")

    # Leases, Driver Loans, Vehicle Repairs fall due, and the week's DTR is made. First what it would give:
    tried = office.run_week(WEEK, dry_run=True)
    assert books.news() == []
    done = office.run_week(WEEK)
    assert all(figure in shown for shown in (tried, done) for figure in ("300.00", "3.30", "419.37"))
    # The loan: 300.00 at 10 % for 13 days is 1.07 of interest, on its first 100.00. The repair: 100.00 of 200.50.
    assert books.news() == [
        "EARNINGS CREDIT -300.00: 1200 -300.00, 2300 300.00",
        "LEASE DEBIT 150.00: 1200 150.00, 4000 -150.00",
        "LEASE DEBIT 150.00: 1200 150.00, 4000 -150.00",
        "LOAN DEBIT 101.07: 1200 101.07, 1300 -100.00, 4400 -1.07",
        "REPAIR DEBIT 100.00: 1200 100.00, 4100 -100.00",
        "TAXES DEBIT 0.30: 1200 0.30, 2220 -0.30",
        "TAXES DEBIT 0.50: 1200 0.50, 2210 -0.50",
        "TAXES DEBIT 2.50: 1200 2.50, 2230 -2.50",
    ]
    assert books.owes("419.37")  # 215.00 + 504.37 - 300.00
    # DTR Generation: taxes first, then the lease as far as it goes. Nothing is left to pay out.
    paid = books.paid_by("EARNINGS")
    assert sorted(paid.values()) == ["0.30", "0.50", "146.70", "150.00", "2.50"]
    assert (paid[week], paid[coming]) == ("150.00", "146.70")
    report = office.read_dtr(lease, WEEK)
    assert all(words in report for words in ("DTR-", "296.70", "419.37")), report
    assert (balance_of("2300"), balance_of("2500")) == (0, 0)

    # Interim Payments: 50.00 for the key, 65.00 for the ticket; 3.30 of the rest ends the lease, 1.70 stays credit.
    office.take_payment(lease, "120.00", {f"MISC:{key}": "50.00", "PVB:PVB-1": "65.00"})
    assert books.news() == ["INTERIM_PAYMENT CREDIT -120.00: 1020 120.00, 1200 -120.00"]
    assert books.paid_by("INTERIM_PAYMENT") == {f"MISC:{key}": "50.00", "PVB:PVB-1": "65.00", coming: "3.30"}
    assert books.owes("299.37")

    # Error Correction: the key was found. Its 50.00 are the driver's credit again.
    office.void(key, "The key was found in the cab")
    assert books.news() == ["MISC CREDIT -50.00: 1200 -50.00, 4200 50.00"] and books.owes("249.37")
    credit = {name: open_ for name, open_ in open_items(books.account).items() if open_ < 0}
    assert list(credit.values()) == [Decimal("-51.70")]

    # Lease Cancellation, to the Tuesday: 3 of the coming week's 7 days are 64.29, and within 28 days 500.00 are due.
    office.terminate(lease, WEEK + 9 * DAY, "The driver goes home")
    assert books.news() == [
        "CANCELLATION_FEE DEBIT 500.00: 1200 500.00, 4300 -500.00",
        "LEASE CREDIT -150.00: 1200 -150.00, 4000 150.00",
        "LEASE DEBIT 64.29: 1200 64.29, 4000 -64.29",
    ]
    assert books.owes("663.66")  # 249.37 - 150.00 + 64.29 + 500.00


# Row of the table: where it starts over HTTP, a body that nothing comes of, its screen, and who may.
DOORS = {
    "Driver Loans": ("/bpm/cases", {"flow": "DLN"}, "/admin/cases/case/start/DLN/", (FRONT, *MONEY)),
    "Vehicle Repairs": ("/repairs", {}, "/admin/cases/case/start/RPR/", (FRONT, *MONEY)),
    "Misc. Expenses": ("/bpm/cases", {"flow": "MISCEXP"}, "/admin/cases/case/start/MISCEXP/", (FRONT, *MONEY)),
    "Tickets, entered": ("/bpm/cases", {"flow": "TLC"}, "/admin/cases/case/start/TLC/", (FRONT, *MONEY)),
    "Tickets, imported": (
        "/recon/violations/import", None, "/admin/recon/agencyfile/upload/", (*MONEY, "Administrator"),
    ),
    "Lease Cancellation": ("/leases/{lease}/terminate", {}, "/admin/leases/lease/{lease}/end/", (FRONT, *MONEY)),
    "Interim Payments": (
        "/ledger/interim-payment", {}, "/admin/cases/case/start/INTPAY/", ("Cashier", *MONEY),
    ),
    "CURB Earnings": (
        "/recon/curb/fetches", {"from": "x"}, "/admin/recon/curbfetch/fetch/", (*MONEY, "Administrator"),
    ),
    "Leases, DTR Generation": ("/ledger/weeks", {"week": "x"}, "/admin/ledger/weeklyrun/run/", MONEY),
    "Error Correction": ("/bpm/cases", {"flow": "VOID"}, "/admin/cases/case/start/VOID/", MONEY),
}  # fmt: skip


def test_nobody_else_may(lease: Lease) -> None:
    office = Office()
    for role in ROLES:
        client = Client()
        client.force_login(office[role])
        for row, (path, body, screen, who) in DOORS.items():
            how = {} if body is None else {"content_type": "application/json"}
            answer = client.post(path.format(lease=lease.pk), body or {}, **how)
            assert (answer.status_code == 403) is (role not in who), (row, role, answer.content)
            if role not in who:
                assert client.get(screen.format(lease=lease.pk)).status_code == 403, (row, role)
    assert not LedgerPosting.objects.exists()
