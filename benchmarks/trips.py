"""How long `import_trips` takes, beside the limit: COPY of the same bytes into a bare table in the same run.

The file is as long as the real one of March 2019, or as ROWS in the environment says; it is on 43 cabs.
All of it happens in one transaction that is rolled back.
"""

import os
import resource
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

CABS = 43
MARCH = 6_499


def measure(rows: int = int(os.environ.get("ROWS", MARCH))) -> dict[str, float | int | str]:
    """Import a generated file of that many trips twice; seconds, the limit, the peak memory."""
    from django.db import transaction

    from batconnect.common.audit import system_user
    from ledger.services.trips import import_trips

    with tempfile.TemporaryDirectory() as folder, transaction.atomic():
        path = Path(folder) / "trips.csv"
        _write(path, rows)
        bare = _copy_bare(path)
        actor = system_user()
        started = time.perf_counter()
        first = import_trips(path=path, actor=actor)
        loaded = time.perf_counter()
        again = import_trips(path=path, actor=actor)
        repeated = time.perf_counter()
        transaction.set_rollback(True)
    assert (first.accepted, again.accepted, again.duplicates) == (rows, 0, rows), (first, again)
    return {
        "rows": rows,
        "seconds": round(loaded - started, 3),
        "again_seconds": round(repeated - loaded, 3),
        "copy_bare_seconds": round(bare, 3),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _write(path: Path, rows: int) -> None:
    """A fleet of 43 cabs and its trips from the first of March 2019 on, again and again."""
    from leases.models import Driver, Lease, Medallion, Vehicle

    cabs = []
    for number in range(CABS):
        driver = Driver.objects.create(tlc_license=f"88{number:05}", name=f"Bench {number}")
        medallion = Medallion.objects.create(number=f"B{number:03}")
        vehicle = Vehicle.objects.create(vin=f"BENCH{number:012}")
        Lease.objects.create(
            driver=driver, medallion=medallion, vehicle=vehicle, starts_on=datetime(2019, 2, 24).date()
        )
        cabs.append(f"{driver.tlc_license},{medallion.number}")
    starts = [datetime(2019, 3, 1) + timedelta(seconds=400 * n) for n in range(6_000)]
    # The 10th has no hour from two to three.
    lasting = timedelta(seconds=399)
    clocks = [
        f"{at:%m/%d/%Y %H:%M:%S},{at + lasting:%m/%d/%Y %H:%M:%S}" for at in starts if at.hour not in (1, 2)
    ]
    amounts = [
        "10.00,0.50,2.00,0.00,0.50,0.30,2.50,0.00,0.00,15.80,C",
        "8.00,0.50,0.00,0.00,0.50,0.30,2.50,0.00,0.00,11.80,$",
    ]
    with path.open("w") as file:
        file.write(
            "ROWID,PERIOD,DRIVER,CABNUMBER,START_DATE,END_DATE,TRIPFARE,TRIPEXTRAS,TRIPTIPS,TRIPTOLL,TAX,IMPTAX,"
            "CongFee,airportFee,cbdt,TOTAL_AMOUNT,PAYMENT_TYPE\n"
        )
        for row in range(rows):
            cab, clock = cabs[row % CABS], clocks[row // CABS % len(clocks)]
            file.write(f"9{row:09},201903,{cab},{clock},{amounts[row % 2]}\n")


def _copy_bare(path: Path) -> float:
    from django.db import connection

    with connection.cursor() as cursor:
        columns = ", ".join(f"c{n} text" for n in range(17))
        cursor.execute(f"CREATE TABLE bench_bare ({columns})")
        started = time.perf_counter()
        with (
            cursor.cursor.copy("COPY bench_bare FROM STDIN (FORMAT csv, HEADER)") as copy,
            path.open("rb") as file,
        ):
            while block := file.read(1 << 20):
                copy.write(block)
        seconds = time.perf_counter() - started
        cursor.execute("DROP TABLE bench_bare")
    return seconds
