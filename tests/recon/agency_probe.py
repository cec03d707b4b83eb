import io
import json
import time

import pytest
from django.core.management import call_command

pytestmark = [pytest.mark.django_db]


def command(*a):
    out = io.StringIO()
    call_command(*a, "--json", stdout=out)
    return json.loads(out.getvalue().splitlines()[-1])


def test_probe(shared_data):
    t = time.time()
    import cProfile
    import pstats

    pr = cProfile.Profile()
    pr.enable()
    command(
        "import_fleet",
        "--medallions",
        str(shared_data / "medallions.csv"),
        "--drivers",
        str(shared_data / "drivers.csv"),
        "--lease-from",
        "2019-02-24",
        "--weekly-fee",
        "150.00",
    )
    print("fleet", time.time() - t)
    t = time.time()
    command("import_trips", str(shared_data / "curb_trips_2019-03.csv"))
    print("trips", time.time() - t)
    t = time.time()
    print(command("import_tolls", str(shared_data / "ezpass_statement_2019-03.csv")))
    print(time.time() - t)
    t = time.time()
    print(command("import_violations", str(shared_data / "pvb_violations.csv")))
    print(time.time() - t)
    t = time.time()
    print(command("import_violations", str(shared_data / "pvb_violations.csv")))
    print(time.time() - t)
    t = time.time()
    pr.disable()
    pstats.Stats(pr).sort_stats("cumtime").print_stats(45)
    from django.db import connection

    connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")
    from tests.ledger.factories import broken_proofs

    print(broken_proofs(), time.time() - t)
