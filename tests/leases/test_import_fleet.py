"""Bringing a fleet in from files: once, again, and from files that are wrong, of which nothing is kept."""

import json
from datetime import date, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from batconnect.common.models import AuditEntry
from batconnect.common.weeks import NEW_YORK
from leases import services
from leases.installments import LeaseInstallments
from leases.models import Driver, Lease, LeaseInstallment, Medallion, Vehicle, VehicleAssignment
from ledger.models import DriverAccount
from tests.databases import run_manage
from tests.factories import make_user

MEDALLIONS = """medallion_no,fleet,medallion_type,vehicle_type,model_year,plate,vin
1T54,BIG APPLE,OWNER MUST DRIVE,"",2019,T768624C,8DDVC8S21C7ZNFZRL
4P73,BIG APPLE,NAMED DRIVER,HYB,2020,T041732C,W9YAUCS6P5T6TCXB4
9L60,OTHER,NAMED DRIVER,WAV,,,29592W7HHM8CFZ06V
"""
DRIVERS = """tlc_license,medallion_no,name
5400000,1T54,Driver 001
5400037,4P73,Driver 002
"""
pytestmark = pytest.mark.django_db


@pytest.fixture
def load(tmp_path):
    """Write both files and import them; returns what the command printed."""

    def run(medallions=MEDALLIONS, drivers=DRIVERS, *options, lease_from="2019-02-24", weekly_fee="150.00"):
        for name, content in (("medallions.csv", medallions), ("drivers.csv", drivers)):
            data = content if isinstance(content, bytes) else content.encode()
            (tmp_path / name).write_bytes(data)
        output = StringIO()
        call_command(
            "import_fleet",
            *(f"--medallions={tmp_path / 'medallions.csv'}", f"--drivers={tmp_path / 'drivers.csv'}"),
            *(f"--lease-from={lease_from}", f"--weekly-fee={weekly_fee}"),
            *options,
            stdout=output,
        )
        return output.getvalue()

    return run


def everything():
    models = (Medallion, Vehicle, Driver, VehicleAssignment, Lease, DriverAccount)
    rows = [list(model.objects.order_by("pk").values()) for model in models]
    histories = [m.history.count() for m in (Medallion, Vehicle, Driver, VehicleAssignment, Lease)]
    return rows, histories, AuditEntry.objects.count()


def counts(created=0, updated=0, unchanged=0):
    return {"created": created, "updated": updated, "unchanged": unchanged}


def test_every_cab_comes_in_and_every_driver_named_gets_a_lease(load):
    assert json.loads(load(MEDALLIONS, DRIVERS, "--json")) == {
        "medallions": counts(created=3),
        "vehicles": counts(created=3),
        "drivers": counts(created=2),
        "leases": counts(created=2),
    }
    lease = Lease.objects.get(medallion__number="4P73")
    assert (lease.driver.tlc_license, lease.vehicle.vin) == ("5400037", "W9YAUCS6P5T6TCXB4")
    assert (lease.lease_type, lease.starts_on, lease.ends_on) == ("long-term", date(2019, 2, 24), None)
    assert lease.fees.get().weekly_fee == Decimal("150.00")
    assert set(VehicleAssignment.objects.values_list("started_at", "ended_at")) == {
        (datetime(2019, 2, 24, tzinfo=NEW_YORK), None)
    }
    bare = Vehicle.objects.get(vin="29592W7HHM8CFZ06V")
    assert (bare.plate, bare.model_year, bare.assignments.get().medallion.number) == ("", None, "9L60")


def test_a_second_run_changes_nothing_and_says_so(load):
    assert "3 created" in load()
    before = everything()
    assert "nothing was changed" in load()
    assert everything() == before
    again = json.loads(load(MEDALLIONS, DRIVERS, "--json"))
    assert again["leases"] == counts(unchanged=2)
    assert again["vehicles"] == counts(unchanged=3)


def test_a_second_run_after_the_fee_was_raised_or_the_lease_ended_changes_nothing(load):
    load()
    lease, other = Lease.objects.order_by("number")
    actor = make_user()
    services.change_fee(
        lease=lease,
        weekly_fee=Decimal("160.00"),
        effective_from=date(2019, 3, 3),
        actor=actor,
        on=date(2019, 3, 18),
    )
    services.end_lease(lease=other, ends_on=date(2019, 3, 9), actor=actor)
    before = everything()
    assert "nothing was changed" in load()
    assert everything() == before


def test_what_changed_in_the_files_is_brought_up_to_date_and_its_history_kept(load):
    load()
    changed = json.loads(
        load(MEDALLIONS.replace("T768624C", "T999999C"), DRIVERS.replace("Driver 002", "Ann Lee"), "--json")
    )
    assert changed["vehicles"] == counts(updated=1, unchanged=2)
    assert changed["drivers"] == counts(updated=1, unchanged=1)
    assert Driver.objects.get(tlc_license="5400037").history.count() == 2


def test_a_byte_order_mark_windows_line_ends_and_columns_in_another_order_are_fine(load):
    drivers = "﻿name,medallion_no,tlc_license,note\r\nAnn Lee,1T54,5400000,\r\n\r\n"
    assert json.loads(load(MEDALLIONS, drivers, "--json"))["leases"] == counts(created=1)


BAD_MEDALLIONS = {
    "not UTF-8": (MEDALLIONS.encode() + b"1A11,OTHER,x,,,T1,V\xff\n", "row 5, column vin: the text is not"),
    "UTF-16": (MEDALLIONS.encode("utf-16"), "row 1, column any: the text is not UTF-8"),
    "empty": ("", "row 1, column medallion_no, fleet"),
    "a column missing": (MEDALLIONS.replace(",vin\n", ",chassis\n"), "row 1, column vin: not in the header"),
    "a column twice": (MEDALLIONS.replace("fleet,", "plate,fleet,"), "row 1, column plate: in the header"),
    "a medallion twice": (MEDALLIONS.replace("9L60", "1T54"), "row 4, column medallion_no: 1T54 is already"),
    "a VIN twice": (MEDALLIONS.replace("29592W7HHM8CFZ06V", "8DDVC8S21C7ZNFZRL"), "row 4, column vin"),
    "no medallion number": (MEDALLIONS.replace("9L60", ""), "row 4, column medallion_no: empty"),
    "no VIN": (MEDALLIONS.replace("W9YAUCS6P5T6TCXB4", " "), "row 3, column vin: empty"),
    "a VIN too long": (MEDALLIONS.replace("W9YAUCS6P5T6TCXB4", "W" * 18), "row 3, column vin: 18 characters"),
    "a year of two digits": (MEDALLIONS.replace("2020", "20"), "row 3, column model_year: '20' is not"),
    "a year in words": (MEDALLIONS.replace("2020", "NaN"), "row 3, column model_year"),
    "a cell missing": (MEDALLIONS.replace("T041732C,", ""), "row 3, column vin: the row has 6 cells, not 7"),
    "a cell too many": (MEDALLIONS.replace("T041732C", "a,b"), "row 3, column vin: the row has 8 cells"),
    "an open quote": (MEDALLIONS + '"1A11,OTHER', "row 5, column any: not a well-formed CSV row"),
    "NUL": (MEDALLIONS.replace("HYB", "H\0B"), "row 3, column any: the row contains NUL"),
    "a very long row": (MEDALLIONS + "x" * 1_000_000, "row 5, column any: the row is longer than 10000"),
    "a line break in a cell": (MEDALLIONS.replace("T041732C", '"T04\n1732C"'), "row 3, column plate: cont"),
}  # fmt: skip
BAD_DRIVERS = {
    "a licence twice": (DRIVERS.replace("5400037", "5400000"), "row 3, column tlc_license: 5400000 is alre"),
    "two drivers on a cab": (DRIVERS.replace("4P73", "1T54"), "row 3, column medallion_no: 1T54 is already"),
    "an unknown medallion": (DRIVERS.replace("4P73", "7X77"), "row 3, column medallion_no: medallion 7X77"),
    "no licence": (DRIVERS.replace("5400037", ""), "row 3, column tlc_license: empty"),
    "no name": (DRIVERS.replace("Driver 002", ""), "row 3, column name: empty"),
    "a column missing": (DRIVERS.replace("tlc_license", "licence"), "row 1, column tlc_license: not in the"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "told"), BAD_MEDALLIONS.values(), ids=BAD_MEDALLIONS)
def test_a_bad_medallions_file_is_told_by_row_and_column_and_nothing_is_written(load, content, told):
    with pytest.raises(CommandError) as refused:
        load(content, DRIVERS)
    assert told in str(refused.value)
    assert "medallions.csv" in str(refused.value)
    assert "Nothing was imported." in str(refused.value)
    assert not Medallion.objects.exists()


@pytest.mark.parametrize(("content", "told"), BAD_DRIVERS.values(), ids=BAD_DRIVERS)
def test_a_bad_drivers_file_is_told_by_row_and_column_and_nothing_is_written(load, content, told):
    with pytest.raises(CommandError) as refused:
        load(MEDALLIONS, content)
    assert told in str(refused.value)
    assert "drivers.csv" in str(refused.value)
    assert not Medallion.objects.exists()


@pytest.mark.parametrize(
    "options",
    [
        {"lease_from": "24.02.2019"},
        {"lease_from": "2019-02-29"},
        {"weekly_fee": "1,500"},
        {"weekly_fee": "1e9"},
        {"weekly_fee": "NaN"},
        {"weekly_fee": "150.005"},
        {"weekly_fee": "-1"},
    ],
)
def test_a_bad_date_or_amount_is_refused(load, options):
    (value,) = options.values()
    with pytest.raises(CommandError, match=value):
        load(**options)
    assert not Medallion.objects.exists()


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CommandError, match=r"gone\.csv: No such file"):
        call_command(
            "import_fleet",
            f"--medallions={tmp_path / 'gone.csv'}",
            f"--drivers={tmp_path / 'gone.csv'}",
            "--lease-from=2019-02-24",
            "--weekly-fee=1",
        )


def test_a_cab_leased_on_other_terms_is_refused_with_its_row_and_nothing_is_written(load):
    load()
    before = everything()
    for options in ({"weekly_fee": "151.00"}, {"lease_from": "2019-03-03"}):
        with pytest.raises(
            CommandError, match="row 2, column medallion_no: medallion 1T54 is already on lease"
        ):
            load(MEDALLIONS.replace("BIG APPLE", "NEW NAME"), **options)
    assert everything() == before


def test_a_row_that_the_rules_of_leases_refuse_is_named(load):
    load(drivers="tlc_license,medallion_no,name\n")
    Medallion.objects.filter(number="4P73").update(is_active=False)
    with pytest.raises(CommandError, match=r"drivers\.csv, row 3, column medallion_no: .*4P73 is not active"):
        load()
    assert not Lease.objects.exists()


def test_the_statements_do_not_grow_with_the_cabs(load, django_assert_max_num_queries):
    cabs = "".join(f"Z{n:03},OTHER,NAMED DRIVER,,2019,T{n:06}C,VIN{n:014}\n" for n in range(300))
    with django_assert_max_num_queries(40):
        load(MEDALLIONS + cabs, "tlc_license,medallion_no,name\n")


def test_the_real_fleet_and_the_installments_of_its_first_run(shared_data):
    files = (f"--medallions={shared_data / 'medallions.csv'}", f"--drivers={shared_data / 'drivers.csv'}")
    output = StringIO()
    terms = ("--lease-from=2019-02-24", "--weekly-fee=150.00", "--json")
    call_command("import_fleet", *files, *terms, stdout=output)
    assert {kind: row["created"] for kind, row in json.loads(output.getvalue()).items()} == {
        "medallions": 731,
        "vehicles": 731,
        "drivers": 43,
        "leases": 43,
    }
    assert DriverAccount.objects.count() == 43
    LeaseInstallments().prepare(through=date(2019, 3, 9))
    assert LeaseInstallment.objects.count() == 86
    assert set(LeaseInstallment.objects.values_list("amount", flat=True)) == {Decimal("150.00")}


def test_as_a_process_it_prints_one_object_and_a_bad_file_ends_with_1(cloned_database, tmp_path):
    (tmp_path / "medallions.csv").write_text(MEDALLIONS)
    (tmp_path / "drivers.csv").write_text(DRIVERS)
    arguments = (
        "import_fleet",
        f"--medallions={tmp_path / 'medallions.csv'}",
        f"--drivers={tmp_path / 'drivers.csv'}",
        "--lease-from=2019-02-24",
    )
    done = run_manage(cloned_database, *arguments, "--weekly-fee=150.00", "--json")
    assert json.loads(done.stdout)["leases"] == counts(created=2)
    bad = run_manage(cloned_database, *arguments, "--weekly-fee=abc", check=False)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert "'abc' is not an amount" in bad.stderr
