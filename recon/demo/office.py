"""The week after the six: people at their desks, so that every page of the office has something on it.

A lease with its deposit, a repair, two loans, an expense, a fee that changes, a cab in the body shop, tolls and
summonses: each by the case, service or command that a person would use, once, ever.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone

from batconnect.cases.services.opening import open_case
from batconnect.cases.services.processing import process_step
from batconnect.common.models import User
from batconnect.common.weeks import NEW_YORK, WEEK
from batconnect.exports.pdf_files import write_whole
from leases.demo.fleet import CABS
from leases.demo.parts import Call, Say
from leases.demo.story import CHIEF, CLERK
from leases.demo.trips import WEEKS
from leases.models import Driver, Lease, LeaseType, Medallion, Vehicle
from leases.services import agreements, terms
from leases.services.deposits import DepositTerms
from ledger.models import DriverAccount, SourceTransaction
from loans.models import DriverLoan
from misc_expenses.models import MiscellaneousExpense
from repairs.models import RepairInvoice

from ..sources import tolls, violations

SUNDAY = WEEKS[-1] + WEEK
MONDAY, TUESDAY = SUNDAY + timedelta(days=1), SUNDAY + timedelta(days=2)
FIRST_DUE = SUNDAY + timedelta(days=13)
ROLES = {CLERK: ("Front desk", "Cashier"), CHIEF: ("Finance manager",)}
NEWCOMER, NEW_CAB = "Wanda Stone", 41
CLEANING = "Paint in the trunk"
TOLLS = 12


def work_the_office(*, out: Path, call: Call, say: Say) -> int:
    """Everything that is not done yet; returns how many things were new."""
    clerk, chief = (_person(name) for name in (CLERK, CHIEF))
    done = (
        _lease(clerk)
        + _repair(clerk)
        + _loan(clerk, cab=5, amount="900.00", purpose="Rent while the cab was in the shop")
        + _loan(clerk, cab=8, amount="1500.00", purpose="Family visit in December")
        + _expense(clerk)
        + _changes(chief)
    )
    if done:
        say(f"  the week after, at the desk: {done} leases, repairs, loans, expenses and changes")
    return done + _agencies(out, call, say)


def _lease(clerk: User) -> int:
    """A driver who owns what he drives once it is paid: a dov lease, with a deposit in two parts."""
    if Driver.objects.filter(name=NEWCOMER).exists():
        return 0
    agreements.create_lease(
        driver=Driver.objects.create(tlc_license=f"{9_900_000 + NEW_CAB}", name=NEWCOMER),
        medallion=Medallion.objects.create(number=f"0D{NEW_CAB}"),
        vehicle=Vehicle.objects.create(
            vin=f"DEMO{NEW_CAB:013}", plate=f"T{NEW_CAB:06}D", vehicle_type="HYB", model_year=2024
        ),
        lease_type=LeaseType.DOV,
        starts_on=SUNDAY,
        weekly_fee=Decimal("390.00"),
        actor=clerk,
        deposit=DepositTerms(Decimal("1000.00"), (SUNDAY + timedelta(days=6), FIRST_DUE)),
    )
    return 1


def _repair(clerk: User) -> int:
    if RepairInvoice.objects.filter(invoice_number="QB-2207").exists():
        return 0
    lease = Lease.objects.get(driver__name=NEWCOMER)
    return _worked(
        "RPR", clerk, lease, vendor="Queens Brakes", invoice_number="QB-2207", invoice_date=str(MONDAY),
        amount="1240.00", description="Front axle and brake discs", charge_driver=True, first_due_on=str(FIRST_DUE),
    )  # fmt: skip


def _loan(clerk: User, *, cab: int, amount: str, purpose: str) -> int:
    """Handed to somebody else to approve: the case stays open."""
    if DriverLoan.objects.filter(purpose=purpose).exists():
        return 0
    return _worked(
        "DLN", clerk, _lease_of(cab), amount=amount, rate="8.00", loan_date=str(TUESDAY), method="CHECK",
        method_reference=f"77{cab:02}", first_due_on=str(FIRST_DUE), purpose=purpose,
    )  # fmt: skip


def _expense(clerk: User) -> int:
    if MiscellaneousExpense.objects.filter(notes=CLEANING).exists():
        return 0
    return _worked(
        "MISCEXP", clerk, _lease_of(14), category="Cleaning", amount="60.00", expense_date=str(SUNDAY), notes=CLEANING
    )  # fmt: skip


def _changes(chief: User) -> int:
    """One driver's fee rises with the next week, another's cab is in the body shop for one."""
    raised, in_the_shop = _lease_of(22), _lease_of(33)
    next_week = SUNDAY + WEEK
    done = 0
    if not raised.fees.filter(effective_from=next_week).exists():
        terms.change_fee(
            lease=raised, weekly_fee=Decimal("465.00"), effective_from=next_week, actor=chief, on=TUESDAY,
            reason="New vehicle in spring, as agreed in the letter of October",
        )  # fmt: skip
        done += 1
    if not in_the_shop.suspensions.exists():
        terms.suspend_lease(
            lease=in_the_shop, starts_on=next_week, ends_on=next_week + timedelta(days=6), actor=chief, on=TUESDAY,
            reason="Rear-ended on the Bruckner; a week in the body shop",
        )  # fmt: skip
        done += 1
    return done


def _agencies(out: Path, call: Call, say: Say) -> int:
    """The agencies' files of the last week: most of it is certain, some waits for a person."""
    new = 0
    for kind, columns, rows in (
        ("tolls", tolls.COLUMNS, _toll_rows()),
        ("violations", violations.COLUMNS, _summons_rows()),
    ):
        path = out / f"{kind}.csv"
        write_whole(path, _csv_of(columns, rows).encode())
        told = call(f"import_{kind}", str(path))
        new += told["new"]
        ended = [f"{end['rows']} {state.lower().replace('_', ' ')}" for state, end in told["ended"].items()]
        say(f"  {told['new']} new: {', '.join(ended) or 'nothing'}")
    return new


def _toll_rows() -> list[dict[str, str]]:
    """Tolls that trips paid at the tunnel, one of a cab that stood still then, and one of a stranger's plate."""
    driven = [
        (f"NY {plate}", started + timedelta(minutes=4)) for plate, started in _last_trips(tolls__gt=0)[:TOLLS]
    ]
    early = datetime.combine(WEEKS[-1], time(4, 10), NEW_YORK)
    others = [(f"NY {CABS[9].plate}", early), ("NJ K41ZRT", early + timedelta(hours=8))]
    return [
        {
            "Lane Txn ID": f"9{number:09}", "Tag/Plate #": plate, "Agency": "MTABT", "Entry Plaza": "",
            "Exit Plaza": "QMT", "Class": "1", "Date": f"{at:%m/%d/%Y}", "Exit Time": f"{at:%I:%M:%S %p}",
            "Amount": "$-6.94",
        }
        for number, (plate, at) in enumerate([*driven, *others], 1)
    ]  # fmt: skip


def _summons_rows() -> list[dict[str, str]]:
    """One in the middle of a trip, one between two, one that the fleet has paid already."""
    trips = _last_trips()
    (driven, first), (waiting, second), (settled, third) = trips[40], trips[60], trips[80]
    written = (
        (driven, first + timedelta(minutes=2), "NO STANDING-DAY/TIME LIMITS", 115, 0),
        (waiting, second - timedelta(minutes=12), "FIRE HYDRANT", 115, 0),
        (settled, third + timedelta(minutes=2), "DOUBLE PARKING", 115, 115),
    )
    return [
        {
            "plate": plate, "state": "NY", "license_type": "OMT", "summons_number": f"89{number:08}",
            "issue_date": f"{at:%m/%d/%Y}", "violation_time": f"{at:%I:%M}{'A' if at.hour < 12 else 'P'}",
            "violation": violation, "fine_amount": f"{fine}", "penalty_amount": "0", "interest_amount": "0",
            "reduction_amount": "0", "payment_amount": f"{paid}", "amount_due": f"{fine - paid}",
            "precinct": "018", "county": "NY", "issuing_agency": "TRAFFIC",
        }
        for number, (plate, at, violation, fine, paid) in enumerate(written, 1)
    ]  # fmt: skip


def _last_trips(**which: Any) -> list[tuple[str, datetime]]:
    """Plates and starts of trips of the last week, in New York time, the first first."""
    trips = SourceTransaction.objects.filter(week=WEEKS[-1], account__isnull=False, **which)
    starts = trips.order_by("started_at", "id").values_list("vehicle__plate", "started_at")
    return [(plate, started.astimezone(NEW_YORK)) for plate, started in starts if started is not None]


def _worked(prefix: str, clerk: User, lease: Lease, **data: Any) -> int:
    """The first step of a new case, carried out by the clerk; 1."""
    case = open_case(prefix=prefix, actor=clerk, at=timezone.now())
    process_step(
        case_no=case.case_no,
        step_id=case.step,
        data={"driver_id": lease.driver_id, "lease_id": lease.pk, **data},
        actor=clerk,
        on=TUESDAY,
    )
    return 1


def _lease_of(cab: int) -> Lease:
    account = DriverAccount.objects.select_related("lease").get(driver__tlc_license=CABS[cab - 1].tlc_license)
    return account.lease


def _person(username: str) -> User:
    """One of the demo's people, with the roles of what they do here."""
    person = User.objects.get(username=username)
    person.groups.add(*Group.objects.filter(name__in=ROLES[username]))
    return person


def _csv_of(columns: Sequence[str], rows: Iterable[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
