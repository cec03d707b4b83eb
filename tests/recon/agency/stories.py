"""Cabs with trips, and files of tolls and summonses, that stories start from. The calendar is that of March 2019."""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from batconnect.common.audit import system_user
from batconnect.common.weeks import NEW_YORK
from leases.models import Lease
from ledger.engine.trips import COLUMNS
from ledger.models import DriverAccount
from ledger.services.trips import import_trips
from recon.models import AgencyDecision, AgencyItem
from recon.services.agency.importing import AgencyImport, import_tolls, import_violations
from recon.sources import tolls, violations
from tests.factories import make_driver, make_lease, make_medallion, make_vehicle

DAY = date(2019, 3, 5)
TODAY = date(2019, 3, 11)
_numbers = count(1)


def make_cab(plate: str = "T768624C", name: str = "Ana Ruiz", **lease: Any) -> Lease:
    """A lease free of charge from 2019-02-24 on, on a vehicle with this plate."""
    return make_lease(
        weekly_fee="0.00",
        driver=make_driver(name=name),
        medallion=make_medallion(),
        vehicle=make_vehicle(plate=plate),
        **lease,
    )


def at(clock: str, day: date = DAY) -> datetime:
    hour, minute = clock.split(":")
    return datetime(day.year, day.month, day.day, int(hour), int(minute), tzinfo=NEW_YORK)


def drove(lease: Lease, start: str, end: str, *, toll: bool = False, day: date = DAY, card: str = "") -> str:
    """A trip of the lease's cab, loaded as from CURB; paid in cash, or by card where it earns. Returns its row id."""
    rowid = f"{700_000 + next(_numbers)}"
    gross = Decimal(card or "10.00")
    tolls_paid = Decimal("5.76") if toll else Decimal("0.00")
    row = dict.fromkeys(COLUMNS, "0.00") | {
        "ROWID": rowid,
        "PERIOD": f"{day:%Y%m}",
        "DRIVER": lease.driver.tlc_license,
        "CABNUMBER": lease.medallion.number,
        "START_DATE": f"{at(start, day):%m/%d/%Y %H:%M:%S}",
        "END_DATE": f"{at(end, day):%m/%d/%Y %H:%M:%S}",
        "TRIPFARE": str(gross - tolls_paid),
        "TRIPTOLL": str(tolls_paid),
        "TOTAL_AMOUNT": str(gross),
        "PAYMENT_TYPE": "C" if card else "$",
    }
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write(csv_of(COLUMNS, [row]))
        file.flush()
        result = import_trips(path=Path(file.name), actor=system_user())
    assert result.accepted == 1, result.rejects
    return rowid


def toll(
    number: str,
    clock: str = "12:00",
    amount: str = "$-6.12",
    *,
    plate: str = "NY T768624C",
    day: date = DAY,
    **more: str,
) -> Mapping[str, str]:
    moment = at(clock, day)
    return {
        "Lane Txn ID": number,
        "Tag/Plate #": plate,
        "Agency": "PANYNJ",
        "Entry Plaza": "",
        "Exit Plaza": "GWB",
        "Class": "1",
        "Date": f"{moment:%m/%d/%Y}",
        "Exit Time": f"{moment:%I:%M:%S %p}",
        "Amount": amount,
        **more,
    }


def summons(
    number: str, clock: str = "12:00", due: str = "65", *, paid: str = "0", plate: str = "T768624C", day: date = DAY,
    **more: str,
) -> Mapping[str, str]:  # fmt: skip
    moment = at(clock, day)
    fine = more.pop("fine_amount", str(int(due) + int(paid)))
    return {
        "plate": plate,
        "state": "NY",
        "license_type": "OMT",
        "summons_number": number,
        "issue_date": f"{moment:%m/%d/%Y}",
        "violation_time": f"{moment:%I:%M}{'A' if moment.hour < 12 else 'P'}",
        "violation": "DOUBLE PARKING",
        "fine_amount": fine,
        "penalty_amount": "0",
        "interest_amount": "0",
        "reduction_amount": "0",
        "payment_amount": paid,
        "amount_due": due,
        "precinct": "006",
        "county": "NY",
        "issuing_agency": "TRAFFIC",
        **more,
    }


def csv_of(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    lines = [",".join(columns), *(",".join(row[name] for name in columns) for row in rows)]
    return "\n".join(lines) + "\n"


def load_tolls(folder: Path, *rows: Mapping[str, str], on: date = TODAY) -> AgencyImport:
    path = folder / "tolls.csv"
    path.write_text(csv_of(tolls.COLUMNS, rows))
    return import_tolls(path=path, actor=system_user(), on=on)


def load_summonses(folder: Path, *rows: Mapping[str, str], on: date = TODAY) -> AgencyImport:
    path = folder / "summonses.csv"
    path.write_text(csv_of(violations.COLUMNS, rows))
    return import_violations(path=path, actor=system_user(), on=on)


def item(number: str, version: int = 1) -> AgencyItem:
    return (
        AgencyItem.objects.with_money()
        .select_related("decision__account", "decision__posting")
        .get(number=number, version=version)
    )


def stands(number: str, version: int = 1) -> tuple[str, str]:
    """How an item stands, and what the ledger says of its money."""
    found: Any = item(number, version)
    return found.state, found.money


def actions(number: str) -> list[str]:
    rows = AgencyDecision.objects.filter(item__number=number).order_by("item__version", "place")
    return [row.action for row in rows]


def charged_on(account: DriverAccount) -> dict[str, str]:
    """What stands of this account's tolls and tickets, by reference."""
    rows = account.postings.filter(status="POSTED", reversal_for=None, amount__gt=0)
    return {row.reference_id: str(row.amount) for row in rows}
