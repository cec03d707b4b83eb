"""Files in CURB's format for tests: one good trip, and what a test wants different about it."""

from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

from batconnect.common.audit import system_user
from leases.models import Lease
from ledger.engine.trips import COLUMNS
from ledger.services.trips import TripImport, import_trips

HEADER = ",".join(COLUMNS)

_rowids = count(700_001)


def trip(lease: Lease | None = None, **columns: str) -> dict[str, str]:
    """A card trip of 15.80 on Friday 2019-03-01, by the lease's driver on the lease's cab."""
    row = {
        "ROWID": str(next(_rowids)),
        "PERIOD": "201903",
        "DRIVER": lease.driver.tlc_license if lease else "5401036",
        "CABNUMBER": lease.medallion.number if lease else "4P58",
        "START_DATE": "03/01/2019 00:03:29",
        "END_DATE": "03/01/2019 00:13:32",
        "TRIPFARE": "10.00",
        "TRIPEXTRAS": "0.50",
        "TRIPTIPS": "2.00",
        "TRIPTOLL": "0.00",
        "TAX": "0.50",
        "IMPTAX": "0.30",
        "CongFee": "2.50",
        "airportFee": "0.00",
        "cbdt": "0.00",
        "TOTAL_AMOUNT": "15.80",
        "PAYMENT_TYPE": "C",
    }
    assert columns.keys() <= row.keys(), columns
    return {**row, **columns}


def written(rows: Iterable[dict[str, str]]) -> bytes:
    return "".join([HEADER + "\n", *(",".join(row.values()) + "\n" for row in rows)]).encode()


def load(folder: Path, *rows: dict[str, str], content: bytes | None = None, **more: Any) -> TripImport:
    """Write the rows to a file and import it."""
    path = folder / "trips.csv"
    path.write_bytes(written(rows) if content is None else content)
    return import_trips(path=path, actor=system_user(), **more)
