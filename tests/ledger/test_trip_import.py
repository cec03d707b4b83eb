"""Importing trips: what is accepted, for whom, what is ignored and what is parked, and what it adds up to."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from batconnect.common.models import AuditEntry
from batconnect.common.weeks import NEW_YORK
from leases.models import Lease, LeaseDriver, VehicleAssignment
from ledger.models import DriverAccount, ImportBatch, ParkedRow, SourceRowSeen, SourceTransaction, TripTotal
from tests.factories import cancelled_before, make_driver, make_lease, make_medallion, make_vehicle

from .trip_files import load, trip

pytestmark = pytest.mark.django_db

UNREADABLE_ROWIDS = (
    "100340 100409 100738 100936 101489 101548 102930 103249 103548 103930 104399 104533 105287 106048 106157"
)


@pytest.fixture
def lease() -> Lease:
    return make_lease()


def reasons() -> list[str]:
    return list(ParkedRow.objects.values_list("reason", flat=True))


# --- the month of March 2019 --------------------------------------------------------------------------------


def test_march_2019_adds_up_to_the_published_figures(shared_data: Path) -> None:
    call_command(
        "import_fleet",
        medallions=shared_data / "medallions.csv",
        drivers=shared_data / "drivers.csv",
        lease_from="2019-02-24",
        weekly_fee="150.00",
        stdout=StringIO(),
    )
    first, again = (_command(shared_data / "curb_trips_2019-03.csv") for _ in range(2))
    assert first == {
        "rows": 6499,
        "accepted": 6484,
        "rejected": 15,
        "duplicates": 0,
        "card_earnings": "93622.09",
        "taxes": "17826.80",
    }
    assert again == {
        "rows": 6499,
        "accepted": 0,
        "rejected": 15,
        "duplicates": 6484,
        "card_earnings": "0.00",
        "taxes": "0.00",
    }
    assert list(ParkedRow.objects.values_list("source_rowid", flat=True)) == UNREADABLE_ROWIDS.split()
    assert set(reasons()) == {ParkedRow.Reason.DOES_NOT_ADD_UP}
    assert SourceTransaction.objects.count() == SourceRowSeen.objects.count() == 6484


def _command(path: Path) -> dict[str, object]:
    out = StringIO()
    call_command("import_trips", str(path), "--json", stdout=out)
    return json.loads(out.getvalue())


# --- one trip -----------------------------------------------------------------------------------------------


def test_a_trip_is_stored_with_its_lease_account_vehicle_and_week(tmp_path: Path, lease: Lease) -> None:
    result = load(
        tmp_path, trip(lease, ROWID="9", START_DATE="03/02/2019 23:50:00", END_DATE="03/03/2019 00:10:00")
    )
    stored = SourceTransaction.objects.get()
    assert (result.accepted, result.card_earnings, result.taxes) == (1, Decimal("15.80"), Decimal("3.30"))
    assert stored.account == DriverAccount.objects.get(lease=lease)
    assert (stored.driver, stored.lease, stored.medallion) == (lease.driver, lease, lease.medallion)
    assert stored.vehicle == lease.vehicle
    assert stored.started_at == datetime(2019, 3, 2, 23, 50, tzinfo=NEW_YORK)
    # A trip belongs to the day and week it starts in, here a Saturday.
    assert (stored.bank_value_date, stored.week, stored.txn_month) == (
        date(2019, 3, 2),
        date(2019, 2, 24),
        date(2019, 3, 1),
    )
    assert (stored.txn_type, stored.product_code, stored.channel, stored.currency) == (
        "TRIP",
        "C",
        "CURB",
        "USD",
    )
    assert (stored.row_number, stored.source, stored.source_rowid) == (2, "curb", "9")
    assert stored.gross_amount == Decimal("15.80")
    assert stored.batch == ImportBatch.objects.get()
    audit = AuditEntry.objects.get(action="trips.imported")
    assert (audit.after or {})["card_earnings"] == "15.80"


def test_card_and_prepaid_earn_cash_is_taxed_the_others_only_counted(tmp_path: Path, lease: Lease) -> None:
    result = load(tmp_path, *(trip(lease, PAYMENT_TYPE=kind) for kind in "CP$ND"))
    total = TripTotal.objects.get()
    assert (result.accepted, result.card_earnings, result.taxes) == (5, Decimal("31.60"), Decimal("9.90"))
    assert (total.earnings, total.card_trips, total.cash_trips, total.other_trips) == (
        Decimal("31.60"),
        2,
        1,
        2,
    )
    assert (total.mta_tax, total.mta_trips) == (Decimal("1.50"), 3)
    assert (total.airport_fee, total.airport_trips) == (Decimal("0.00"), 0)


def test_a_negative_card_row_reduces_earnings(tmp_path: Path, lease: Lease) -> None:
    refund = trip(lease, TRIPFARE="-10.00", TRIPEXTRAS="-0.50", TRIPTIPS="-2.00", TAX="-0.50", IMPTAX="-0.30",
                  CongFee="-2.50", TOTAL_AMOUNT="-15.80")  # fmt: skip
    assert load(tmp_path, trip(lease), refund).card_earnings == Decimal("0.00")


def test_the_day_a_lease_ends_still_counts_and_the_next_does_not(tmp_path: Path) -> None:
    lease = make_lease(ends_on=date(2019, 3, 1))
    last = trip(lease, START_DATE="03/01/2019 23:59:59", END_DATE="03/02/2019 00:20:00")
    after = trip(lease, START_DATE="03/02/2019 00:00:00", END_DATE="03/02/2019 00:20:00")
    result = load(tmp_path, last, after)
    assert (result.accepted, reasons()) == (1, ["NO_LEASE"])


def test_the_lease_of_the_day_decides_where_a_cab_changed_hands(tmp_path: Path) -> None:
    former = make_lease(ends_on=date(2019, 2, 28))
    later = make_lease(medallion=former.medallion, vehicle=former.vehicle, starts_on=date(2019, 3, 1))
    before = trip(former, START_DATE="02/28/2019 23:00:00", END_DATE="02/28/2019 23:30:00", PERIOD="201902")
    load(tmp_path, before, trip(later))
    assert [row.lease for row in SourceTransaction.objects.order_by("row_number")] == [former, later]


def test_an_additional_drivers_trip_is_on_the_leases_account(tmp_path: Path, lease: Lease) -> None:
    helper = make_driver()
    LeaseDriver.objects.create(
        lease=lease, driver=helper, starts_on=date(2019, 3, 1), ends_on=date(2019, 3, 1)
    )
    on_day = trip(lease, DRIVER=helper.tlc_license)
    day_after = trip(
        lease, DRIVER=helper.tlc_license, START_DATE="03/02/2019 10:00:00", END_DATE="03/02/2019 10:09:00"
    )
    load(tmp_path, on_day, day_after)
    stored = SourceTransaction.objects.get()
    assert (stored.driver, stored.account.driver) == (helper, lease.driver)
    assert reasons() == ["NOT_ON_LEASE"]


def test_a_swapped_vehicle_is_the_one_on_the_cab_at_the_minute(tmp_path: Path, lease: Lease) -> None:
    swap_at = datetime(2019, 3, 1, 12, 0, tzinfo=NEW_YORK)
    VehicleAssignment.objects.filter(medallion=lease.medallion).update(ended_at=swap_at)
    spare = make_vehicle()
    VehicleAssignment.objects.create(medallion=lease.medallion, vehicle=spare, started_at=swap_at)
    minute_before = trip(lease, START_DATE="03/01/2019 11:59:59", END_DATE="03/01/2019 12:20:00")
    at_swap = trip(lease, START_DATE="03/01/2019 12:00:00", END_DATE="03/01/2019 12:20:00")
    load(tmp_path, minute_before, at_swap)
    assert [row.vehicle for row in SourceTransaction.objects.order_by("row_number")] == [lease.vehicle, spare]


def test_a_lease_without_account_gets_one(tmp_path: Path, lease: Lease) -> None:
    bare = Lease.objects.create(
        driver=make_driver(), medallion=make_medallion(), vehicle=make_vehicle(), starts_on=date(2019, 2, 24)
    )
    assert load(tmp_path, trip(bare)).accepted == 1
    assert DriverAccount.objects.get(lease=bare).trips.count() == 1


# --- what does not pass -------------------------------------------------------------------------------------


def test_a_cancelled_lease_is_none(tmp_path: Path, lease: Lease) -> None:
    cancelled_before(lease)
    load(tmp_path, trip(lease))
    assert reasons() == ["NO_LEASE"]


def test_one_cent_off_is_parked_with_row_number_and_reason(tmp_path: Path, lease: Lease) -> None:
    wrong = trip(lease, TOTAL_AMOUNT="15.81")
    result = load(tmp_path, trip(lease), wrong)
    parked = ParkedRow.objects.get()
    assert (result.accepted, result.rejected) == (1, 1)
    assert (parked.row_number, parked.source_rowid, parked.raw) == (3, wrong["ROWID"], wrong)
    assert parked.message == "The parts add up to 15.80, but TOTAL_AMOUNT is 15.81: a difference of 0.01."
    assert result.rejects[0].message == parked.message


def test_an_unknown_cab_or_driver_and_a_stranger_are_told_apart(tmp_path: Path, lease: Lease) -> None:
    stranger = make_driver()
    load(
        tmp_path,
        trip(lease, CABNUMBER="0X00"),
        trip(lease, DRIVER="000"),
        trip(lease, DRIVER=stranger.tlc_license),
    )
    assert reasons() == ["UNKNOWN_CAB", "UNKNOWN_DRIVER", "NOT_ON_LEASE"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *[
            ("TRIPFARE", v)
            for v in ("", "NaN", "1e9", "10.001", "ten", "$10.00", "1000000", "+-1", "10.", "inf", "１０")
        ],
        *[("START_DATE", v) for v in ("02/29/2019 10:00:00", "3/1/2019 00:03:29", "2019-03-01 00:03:29", "")],
        ("START_DATE", "03/01/2019 24:00:00"),
        ("START_DATE", "03/01/2019 00:03:60"),
        ("START_DATE", "03/10/2019 02:30:00"),
        ("START_DATE", "03/01/1999 00:03:29"),
        ("START_DATE", "03/01/9999 00:03:29"),
        ("END_DATE", "03/01/2019 00:03:28"),
        ("PAYMENT_TYPE", "X"),
        ("PAYMENT_TYPE", "c"),
        ("PERIOD", "201913"),
        ("ROWID", ""),
        ("ROWID", "9" * 65),
        ("DRIVER", " "),
        ("CABNUMBER", ""),
    ],
)
def test_a_value_that_cannot_be_read_parks_the_row_and_names_the_column(
    tmp_path: Path, lease: Lease, column: str, value: str
) -> None:
    result = load(tmp_path, trip(lease, **{column: value}), trip(lease))
    parked = ParkedRow.objects.get()
    assert (result.accepted, parked.reason) == (1, ParkedRow.Reason.BAD_VALUE)
    assert column in parked.message
    assert parked.raw[column] == value


def test_a_thousands_separator_in_quotes_is_a_bad_value(tmp_path: Path, lease: Lease) -> None:
    load(tmp_path, trip(lease, TRIPFARE='"1,234"'))
    parked = ParkedRow.objects.get()
    assert parked.message.startswith("TRIPFARE '1,234' is not an amount")
    assert parked.raw["TRIPFARE"] == "1,234"


def test_all_bad_columns_are_named_at_once(tmp_path: Path, lease: Lease) -> None:
    load(tmp_path, trip(lease, TRIPFARE="x" * 300, PAYMENT_TYPE="?"))
    message = ParkedRow.objects.get().message
    assert "TRIPFARE 'xxx" in message
    assert "PAYMENT_TYPE '?' is none of C, P, $, N, D" in message


def test_a_thousand_bad_rows_are_all_parked_and_twenty_listed(tmp_path: Path, lease: Lease) -> None:
    result = load(tmp_path, *(trip(lease, TOTAL_AMOUNT="1.00") for _ in range(1000)))
    assert (result.rejected, len(result.rejects), ParkedRow.objects.count()) == (1000, 20, 1000)


# --- the clocks ---------------------------------------------------------------------------------------------


def test_in_the_hour_that_comes_twice_the_first_is_meant_unless_the_trip_would_end_before_it_starts(
    tmp_path: Path,
) -> None:
    lease = make_lease()
    load(
        tmp_path,
        trip(lease, START_DATE="11/03/2019 00:50:00", END_DATE="11/03/2019 01:30:00"),
        trip(lease, START_DATE="11/03/2019 01:50:00", END_DATE="11/03/2019 01:10:00"),
    )
    first, second = SourceTransaction.objects.order_by("row_number")
    assert first.ended_at == datetime(2019, 11, 3, 5, 30, tzinfo=UTC)
    assert second.started_at == datetime(2019, 11, 3, 5, 50, tzinfo=UTC)
    assert second.ended_at == datetime(2019, 11, 3, 6, 10, tzinfo=UTC)


def test_a_trip_over_the_hour_that_is_skipped_is_as_long_as_it_was(tmp_path: Path, lease: Lease) -> None:
    load(tmp_path, trip(lease, START_DATE="03/10/2019 01:59:00", END_DATE="03/10/2019 03:01:00"))
    stored = SourceTransaction.objects.get()
    assert (stored.ended_at - stored.started_at).total_seconds() == 120
