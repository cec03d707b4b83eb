"""A small ledger with figures that are worked out by hand, for the tests of reports.

Week of March 3: two card trips of 15.80 (taxes 0.50 MTA, 0.30 improvement, 2.50 congestion each) and a lease of
20.00; the run takes 26.60 of 31.60 and pays out 5.00, handed over on the Monday. April 2: misc 30.00, of which 10.00
is paid in cash, and a toll of 25.00 that is voided on the 3rd; that day a bank fee of 2.00 too.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from batconnect.common.audit import system_user
from leases.models import Lease
from ledger.models import DTR, DriverAccount, LedgerPosting
from ledger.services import months, statements, voids
from tests.factories import make_driver, make_lease, make_medallion

from .factories import MONDAY_AFTER, account_of, charge, pay, run
from .journal_story import enter_plain
from .trip_files import load, trip

MARCH = (date(2019, 3, 1), date(2019, 3, 31))
APRIL = (date(2019, 4, 1), date(2019, 4, 30))
BOTH = (date(2019, 3, 1), date(2019, 4, 30))
SECOND_OF_APRIL, THIRD_OF_APRIL = date(2019, 4, 2), date(2019, 4, 3)


@dataclass(frozen=True)
class Story:
    lease: Lease
    account: DriverAccount
    misc: LedgerPosting
    toll: LedgerPosting


def tell(folder: Path, name: str = "Ann Lee") -> Story:
    lease = make_lease(
        driver=make_driver(name=name, tlc_license="5999999"),
        medallion=make_medallion(number="9Z99"),
        weekly_fee="0.00",
    )
    account = account_of(lease)
    friday = {"START_DATE": "03/08/2019 08:00:00", "END_DATE": "03/08/2019 08:20:00"}
    load(folder, *(trip(lease, **friday) for _ in range(2)))
    charge(account, "LEASE", "20.00", "LEASE-1")
    run()
    statements.pay_dtr(
        dtr=DTR.objects.get(account=account), on=MONDAY_AFTER, method="ACH", actor=system_user()
    )
    misc = charge(account, "MISC", "30.00", "MISC-1", on=SECOND_OF_APRIL)
    toll = charge(account, "EZPASS", "25.00", "TOLL-1", on=SECOND_OF_APRIL)
    pay(account, "10.00", {"MISC-1": "10.00"}, on=SECOND_OF_APRIL)
    voids.void_posting(
        posting_id=toll.pk, reason="Another cab's toll", actor=system_user(), on=THIRD_OF_APRIL
    )
    enter_plain("5200", "1010", "2.00", on=THIRD_OF_APRIL, reference="FEE-1", description="Bank fee")
    return Story(lease, account, misc, toll)


def close_march() -> None:
    """Every week that ends in March runs, and the month closes."""
    for sunday in (10, 17, 24):
        run(date(2019, 3, sunday))
    months.close_month(month=MARCH[0], actor=system_user(), on=THIRD_OF_APRIL)
