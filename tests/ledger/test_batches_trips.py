"""Trips in bulk: loaded first and journalised afterwards, by the same templates and to the same cent."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from batconnect.common.audit import system_user
from leases.models import Lease
from ledger.models import EntryHeader, JournalRun, TripTotal
from ledger.selectors.batches import run_effect
from ledger.services.batches import reverse_run, work_on_run
from ledger.services.batches.errors import (
    AlreadyReversed,
    NothingToDo,
    NotReversible,
    RowsSettled,
    RunInProgress,
)
from ledger.services.batches.reversals import plan_reversal
from ledger.services.voids import reverse_settlement
from tests.factories import make_lease

from . import batch_stories as story
from .factories import account_of, broken_proofs, run
from .trip_files import load, trip

pytestmark = pytest.mark.django_db

WHY = "the file was that of another garage"
SUNDAY = date(2019, 3, 3)


@pytest.fixture
def lease() -> Lease:
    return make_lease(weekly_fee="0.00")


def on(day: int, **columns: str) -> dict[str, str]:
    return {
        "START_DATE": f"03/{day:02}/2019 08:00:00",
        "END_DATE": f"03/{day:02}/2019 08:20:00",
        **columns,
    }


def load_only(folder: Path, *rows: dict[str, str]) -> None:
    load(folder, *rows, journalise=False)


def free() -> dict[str, str]:
    amounts = ("TRIPFARE", "TRIPEXTRAS", "TRIPTIPS", "TRIPTOLL", "TAX", "IMPTAX", "CongFee", "TOTAL_AMOUNT")
    return dict.fromkeys(amounts, "0.00")


def journalised() -> list[Decimal]:
    return [total.journalised for total in TripTotal.objects.order_by("week", "batch_id")]


def post(**options: Any) -> JournalRun:
    return story.run("taxi", **options)


def test_trips_left_to_a_run_settle_once_it_has_entered_them(lease: Lease, tmp_path: Path) -> None:
    load_only(tmp_path, *(trip(lease, **on(4)) for _ in range(5)))
    assert (journalised(), EntryHeader.objects.count()) == ([Decimal(0)], 0)
    posted = post()
    assert (posted.state, posted.entries, posted.lines) == ("POSTED", 5, 10)
    assert story.balance_of("2300") == Decimal("-79.00")
    assert story.balance_of("1100") == Decimal("79.00")
    assert journalised() == [Decimal("79.00")]
    assert broken_proofs() == []
    run(SUNDAY)
    assert story.balance_of("2300") == 0
    assert broken_proofs() == []


def test_trips_that_were_not_entered_do_not_settle(lease: Lease, tmp_path: Path) -> None:
    load_only(tmp_path, trip(lease, **on(4)))
    run(SUNDAY)
    assert TripTotal.objects.get().settled_week is None
    assert broken_proofs() == []


def test_a_run_gives_what_an_import_would_have_given(lease: Lease, tmp_path: Path) -> None:
    rows = [trip(lease, **on(4 + n % 5), PAYMENT_TYPE="CP$ND"[n % 5]) for n in range(20)]
    load_only(tmp_path, *rows)
    post()
    in_bulk = [(line[0], *line[3:]) for line in story.bulk_lines()]
    other = make_lease(weekly_fee="0.00")
    again = [
        {
            **row,
            "ROWID": f"9{row['ROWID']}",
            "DRIVER": other.driver.tlc_license,
            "CABNUMBER": other.medallion.number,
        }
        for row in rows
    ]
    load(tmp_path, *again)
    online = [(line[0][1:], *line[3:]) for line in story.bulk_lines() if line[0].startswith("97")]
    assert online == in_bulk
    first, second = journalised()
    assert first == second


def test_cash_and_free_trips_have_no_entry_and_are_no_work_for_another_run(
    lease: Lease, tmp_path: Path
) -> None:
    load_only(
        tmp_path,
        trip(lease, **on(4)),
        trip(lease, **on(4), PAYMENT_TYPE="$"),
        trip(lease, **on(5), PAYMENT_TYPE="N"),
        trip(lease, **on(5), **free()),
    )
    posted = post()
    assert (posted.state, posted.entries, posted.skipped, posted.rejects) == ("POSTED", 1, 3, 0)
    with pytest.raises(NothingToDo):
        post()


def test_a_trip_of_a_closed_day_takes_the_first_open_one_and_keeps_its_own(
    lease: Lease, tmp_path: Path
) -> None:
    run(SUNDAY)
    load_only(tmp_path, trip(lease, **on(5)), trip(lease, **on(12)))
    assert post().state == "POSTED"
    days = list(EntryHeader.objects.order_by("id").values_list("je_date", "event_on"))
    assert days == [(date(2019, 3, 10), date(2019, 3, 5)), (date(2019, 3, 12), date(2019, 3, 12))]


def test_a_week_closed_after_planning_stops_the_run_and_resumed_it_takes_the_open_day(
    lease: Lease, tmp_path: Path
) -> None:
    from ledger.services.batches import plan_run, resume_run

    load_only(tmp_path, trip(lease, **on(5)), trip(lease, **on(12)))
    planned = plan_run(pack="taxi", actor=system_user(), month=date(2019, 3, 1))
    run(SUNDAY)
    stopped = work_on_run(run_id=planned.pk)
    assert (stopped.state, stopped.error_code) == ("VALIDATED", "batch.day_passed")
    assert EntryHeader.objects.count() == 0
    done = resume_run(run_id=planned.pk, actor=system_user())
    assert (done.state, done.floor_date) == ("POSTED", date(2019, 3, 10))
    assert EntryHeader.objects.order_by("id").first().je_date == date(2019, 3, 10)


# --- taken back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("large", [False, True])
def test_a_run_is_taken_back_by_its_mirror_and_its_trips_are_journalised_again(
    large: bool, lease: Lease, tmp_path: Path
) -> None:
    load_only(
        tmp_path, *(trip(lease, **on(4 + n % 3)) for n in range(30)), trip(lease, **on(4), PAYMENT_TYPE="$")
    )
    first = post(large=large, shard_rows=16)
    effect = run_effect(first)
    mirror = reverse_run(run_id=first.pk, actor=system_user(), reason=WHY)
    assert (mirror.state, mirror.error, mirror.reverses_run_id, mirror.reason) == (
        "POSTED",
        "",
        first.pk,
        WHY,
    )
    assert (mirror.entries, mirror.debits) == (first.entries, first.debits)
    assert story.balance_of("2300") == story.balance_of("1100") == 0
    assert journalised() == [Decimal(0)]
    swapped = {(row["account"], row["credits"], row["debits"]) for row in run_effect(mirror)}
    assert swapped == {(row["account"], row["debits"], row["credits"]) for row in effect}
    assert broken_proofs() == []
    with pytest.raises(AlreadyReversed):
        reverse_run(run_id=first.pk, actor=system_user(), reason=WHY)
    with pytest.raises(NotReversible):
        reverse_run(run_id=mirror.pk, actor=system_user(), reason=WHY)
    again = post()
    assert (again.state, again.entries) == ("POSTED", 30)
    assert story.balance_of("2300") == Decimal("-474.00")
    assert broken_proofs() == []
    run(SUNDAY)
    assert story.balance_of("2300") == 0


def test_a_run_is_not_taken_back_while_a_trip_of_it_is_settled_and_the_trips_are_named(
    lease: Lease, tmp_path: Path
) -> None:
    early, late = trip(lease, **on(4)), trip(lease, **on(12))
    load_only(tmp_path, early, late)
    posted = post()
    run(SUNDAY)
    with pytest.raises(RowsSettled, match=f"1 of its trips .* {early['ROWID']} ") as refusal:
        reverse_run(run_id=posted.pk, actor=system_user(), reason=WHY)
    assert late["ROWID"] not in str(refusal.value)
    reverse_settlement(
        account=account_of(lease), week=SUNDAY, reason=WHY, actor=system_user(), on=date(2019, 3, 11)
    )
    assert reverse_run(run_id=posted.pk, actor=system_user(), reason=WHY).state == "POSTED"
    assert story.balance_of("2300") == 0
    assert broken_proofs() == []


def test_trips_settled_while_a_run_is_taken_back_keep_it(lease: Lease, tmp_path: Path) -> None:
    load_only(tmp_path, trip(lease, **on(4)))
    posted = post()
    mirror = plan_reversal(run_id=posted.pk, actor=system_user(), reason=WHY)
    with pytest.raises(RunInProgress):
        plan_reversal(run_id=posted.pk, actor=system_user(), reason=WHY)
    TripTotal.objects.update(settled_week=SUNDAY)
    failed = work_on_run(run_id=mirror.pk)
    assert (failed.state, failed.error_code) == ("FAILED", "batch.settled_meanwhile")
    assert story.balance_of("2300") == Decimal("-15.80")


@pytest.mark.slow
def test_a_month_of_real_trips_goes_this_way_and_clears(shared_data: Path) -> None:
    fleet = [
        "--medallions",
        str(shared_data / "medallions.csv"),
        "--drivers",
        str(shared_data / "drivers.csv"),
    ]
    call_command("import_fleet", *fleet, "--lease-from", "2019-02-24", "--weekly-fee", "150.00", "--json")
    call_command("import_trips", str(shared_data / "curb_trips_2019-03.csv"), "--leave-journal", "--json")
    posted = post()
    assert (posted.state, posted.source_rows, posted.rejects) == ("POSTED", 6484, 0)
    assert posted.entries + posted.skipped == 6484
    assert story.balance_of("2300") == Decimal("-93622.09")
    assert broken_proofs() == []
    for week in ("2019-02-24", "2019-03-03", "2019-03-10", "2019-03-17", "2019-03-24", "2019-03-31"):
        run(date.fromisoformat(week))
    assert story.balance_of("2300") == 0
    assert broken_proofs() == []
