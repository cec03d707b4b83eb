"""Card settlements: each is entered once, its fees apart, and stands beside the trips of its day."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from batconnect.common.audit import system_user
from batconnect.common.errors import BatConnectError
from ledger.models import Account, EntryHeader, EntryLine, Origin
from ledger.services.house_events import enter_house_event
from recon.models import CurbSettlement, ExternalRow, ReconJob, ReconLog, ReconSource
from recon.selectors.exceptions import open_exceptions
from recon.services import decisions, settlements, write_offs
from recon.services.errors import NotEntered
from recon.services.files import Given
from recon.services.settlements import NotSo, StillMatched, UnknownSettlement
from recon.sources import BadFile, BadRow, Feed, get_adapter
from recon.sources.settlements import FIELDS
from tests.factories import make_lease
from tests.ledger.factories import broken_proofs
from tests.ledger.trip_files import load, trip

from .hosts import Host
from .stories import ends, log_of, make_source, reconcile

pytestmark = pytest.mark.django_db

FRIDAY = date(2019, 3, 1)
MONDAY = date(2019, 3, 4)
HEADER = ",".join(FIELDS)
# Two card trips of 15.80 on Friday, and 3 % for the processor: 31.60 - 0.95 = 30.65.
OF_FRIDAY = "S-0301,2019-03-04,2019-03-01,31.60,0.95,30.65,2"
REASON = "The processor was asked about it"


@pytest.fixture
def source() -> ReconSource:
    return make_source(
        name="curb_cards", title="Card settlements", adapter="curb_settlement", write_off_limit="20.00"
    )


def trips(folder: Path, *days: date, each: int = 2) -> None:
    """Card trips of 15.80 on these days."""
    lease = make_lease()
    rows = [
        trip(
            lease, START_DATE=f"{day:%m/%d/%Y} {10 + nth}:00:00", END_DATE=f"{day:%m/%d/%Y} {10 + nth}:20:00"
        )
        for day in days
        for nth in range(each)
    ]
    assert load(folder, *rows).accepted == len(rows)


def told(folder: Path, *rows: str, name: str = "settled.csv", header: str = HEADER) -> Given:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return Given(path, name)


def balances() -> dict[str, Decimal]:
    """Debits less credits of the accounts that a settlement touches."""
    found: dict[str, Decimal] = {}
    for code in ("1010", "1100", "5200"):
        lines = EntryLine.objects.filter(account__code=code)
        found[code] = sum((line.amount if line.side == "DR" else -line.amount for line in lines), Decimal(0))
    return found


def status_of(name: str) -> str:
    row: Any = CurbSettlement.objects.with_status().get(external_row__external_id=name)
    return str(row.status)


def pk_of(name: str) -> int:
    return CurbSettlement.objects.get(external_row__external_id=name).pk


# --- what a settlement enters -------------------------------------------------------------------------------


def test_a_days_trips_are_settled_less_fees_and_suggested_as_one_group(
    source: ReconSource, tmp_path: Path
) -> None:
    trips(tmp_path, FRIDAY)
    assert balances() == {"1010": 0, "1100": Decimal("31.60"), "5200": 0}
    job = reconcile(source, told(tmp_path, OF_FRIDAY), on=MONDAY)
    assert balances() == {"1010": Decimal("30.65"), "1100": 0, "5200": Decimal("0.95")}
    entry = EntryHeader.objects.get(reference="S-0301")
    assert (entry.origin, entry.je_date, entry.event_on) == (Origin.HOUSE, MONDAY, MONDAY)
    assert ends(job) == {"S-0301": ("suggested", "group_key")}
    # Its own entry's credit of 1100 is the same money told again, and is not looked at.
    assert list(ends(job, "ledger").values()) == [("suggested", "group_key")] * 2
    match = decisions.accept(log_id=log_of(job, "S-0301").pk, actor=system_user())
    assert (match.difference, match.rows.count()) == (0, 3)
    assert broken_proofs() == []


def test_the_same_file_again_enters_nothing(source: ReconSource, tmp_path: Path) -> None:
    trips(tmp_path, FRIDAY)
    file = told(tmp_path, OF_FRIDAY)
    first = reconcile(source, file, on=MONDAY)
    assert reconcile(source, file, on=MONDAY) == first
    reconcile(source, told(tmp_path, OF_FRIDAY, name="again.csv"), on=MONDAY + timedelta(days=1))
    assert CurbSettlement.objects.count() == 1 and balances()["5200"] == Decimal("0.95")


def test_one_that_says_the_same_of_a_day_is_held_until_a_person_says_what_it_is(
    source: ReconSource, tmp_path: Path
) -> None:
    trips(tmp_path, FRIDAY)
    twice = OF_FRIDAY.replace("S-0301", "S-0301-B").replace("2019-03-04", "2019-03-05")
    job = reconcile(source, told(tmp_path, OF_FRIDAY, twice), on=date(2019, 3, 5))
    assert (status_of("S-0301"), status_of("S-0301-B")) == ("ENTERED", "HELD")
    assert "S-0301 says the same" in CurbSettlement.objects.get(entry_id=None).held_because
    assert balances()["1010"] == Decimal("30.65")
    # The day still finds its settlement; the other one is an exception.
    assert {key: end for key, (end, _) in ends(job).items()} == {
        "S-0301": "suggested",
        "S-0301-B": "unmatched",
    }
    mark = transaction.savepoint()
    settlements.enter_held(settlement_id=pk_of("S-0301-B"), reason=REASON, actor=system_user())
    assert (status_of("S-0301-B"), balances()["1100"]) == ("ENTERED", Decimal("-31.60"))
    with pytest.raises(NotSo, match="is entered; it can be dismissed only while it is held"):
        settlements.dismiss(settlement_id=pk_of("S-0301-B"), reason=REASON, actor=system_user())
    transaction.savepoint_rollback(mark)
    settlements.dismiss(settlement_id=pk_of("S-0301-B"), reason=REASON, actor=system_user())
    assert (status_of("S-0301-B"), balances()["1100"]) == ("DISMISSED", 0)
    with pytest.raises(NotSo):
        settlements.enter_held(settlement_id=pk_of("S-0301-B"), reason=REASON, actor=system_user())


def test_one_that_is_not_entered_is_neither_matched_nor_written_off_and_a_decided_one_needs_nobody(
    source: ReconSource, tmp_path: Path
) -> None:
    trips(tmp_path, FRIDAY)
    twice = OF_FRIDAY.replace("S-0301", "S-0301-B")
    source.write_off_limit = Decimal("100.00")
    source.save()
    job = reconcile(source, told(tmp_path, OF_FRIDAY, twice), on=MONDAY)
    log = log_of(job, "S-0301-B")
    by_hand = {
        "source": source,
        "external": ["S-0301-B"],
        "ledger": list(ends(job, "ledger"))[:1],
        "reason": REASON,
        "actor": system_user(),
    }
    with pytest.raises(NotEntered, match="S-0301-B is held for a person"):
        decisions.match_by_hand(**by_hand)
    with pytest.raises(NotEntered):
        write_offs.write_off(log_id=log.pk, reason=REASON, actor=system_user(), on=MONDAY)
    assert balances()["1100"] == 0 and log in open_exceptions([job.pk])
    settlements.dismiss(settlement_id=pk_of("S-0301-B"), reason=REASON, actor=system_user())
    with pytest.raises(NotEntered, match="is dismissed"):
        decisions.match_by_hand(**by_hand)
    # Decided, it is no exception any more, neither of the run that found it nor of those that come.
    assert log not in open_exceptions([job.pk])
    anew = reconcile(source, told(tmp_path, OF_FRIDAY, twice, name="again.csv"), on=date(2019, 3, 5))
    assert list(ends(anew)) == ["S-0301"]


def test_a_short_one_is_matched_with_its_day_and_the_difference_written_off(
    source: ReconSource, tmp_path: Path
) -> None:
    """15.80 + 15.80 = 31.60 were driven, 30.00 settled: 1.60 is missing."""
    trips(tmp_path, FRIDAY)
    job = reconcile(source, told(tmp_path, "S-9,2019-03-04,2019-03-01,30.00,0.90,29.10,2"), on=MONDAY)
    assert ends(job)["S-9"][0] == "unmatched"
    assert balances()["1100"] == Decimal("1.60")
    match = settlements.match_day(settlement_id=pk_of("S-9"), reason=REASON, actor=system_user())
    assert (match.difference, match.rows.count()) == (Decimal("-1.60"), 3)
    with pytest.raises(settlements.NothingOfDay):
        settlements.match_day(settlement_id=pk_of("S-9"), reason=REASON, actor=system_user())
    written = write_offs.write_off_match(match_id=match.pk, reason=REASON, actor=system_user(), on=MONDAY)
    assert written.difference == 0 and balances()["1100"] == 0
    assert broken_proofs() == []


def test_a_day_that_was_settled_in_two_parts_is_matched_as_a_whole(
    source: ReconSource, tmp_path: Path
) -> None:
    trips(tmp_path, FRIDAY)
    rows = ["A,2019-03-04,2019-03-01,15.80,0.50,15.30,1", "B,2019-03-05,2019-03-01,15.79,0.50,15.29,1"]
    reconcile(source, told(tmp_path, *rows), on=date(2019, 3, 5))
    match = settlements.match_day(settlement_id=pk_of("B"), reason=REASON, actor=system_user())
    assert (match.difference, match.rows.count()) == (Decimal("-0.01"), 4)


def test_a_late_one_is_waited_for_and_comes(source: ReconSource, tmp_path: Path) -> None:
    trips(tmp_path, FRIDAY, date(2019, 3, 2))
    job = reconcile(source, told(tmp_path, OF_FRIDAY), on=MONDAY)
    waiting = ReconLog.objects.filter(job=job, side="ledger", outcome="unmatched")
    assert [log.waiting for log in waiting] == [True, True]
    late = "S-0302,2019-03-06,2019-03-02,31.60,0.95,30.65,2"
    later = reconcile(source, told(tmp_path, late, name="late.csv"), on=date(2019, 3, 6))
    assert ends(later)["S-0302"] == ("suggested", "group_key")


def test_what_settles_after_the_day_is_entered_by_a_later_run(source: ReconSource, tmp_path: Path) -> None:
    trips(tmp_path, FRIDAY)
    reconcile(source, told(tmp_path, OF_FRIDAY), on=date(2019, 3, 3))
    assert not CurbSettlement.objects.exists() and ExternalRow.objects.count() == 1
    reconcile(source, told(tmp_path, OF_FRIDAY), on=MONDAY)
    assert status_of("S-0301") == "ENTERED"


def test_a_run_that_fails_enters_nothing(source: ReconSource, tmp_path: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE journal_template SET effective_to = '2019-03-03' WHERE code = 'CURB_SETTLEMENT'"
        )
    with pytest.raises(BatConnectError):
        reconcile(source, told(tmp_path, OF_FRIDAY), on=MONDAY)
    assert not ExternalRow.objects.exists() and not CurbSettlement.objects.exists()
    assert ReconJob.objects.get().status == "FAILED"


# --- taking back --------------------------------------------------------------------------------------------


def test_an_entry_is_taken_back_once_and_not_while_it_is_matched(source: ReconSource, tmp_path: Path) -> None:
    trips(tmp_path, FRIDAY)
    job = reconcile(source, told(tmp_path, OF_FRIDAY), on=MONDAY)
    match = decisions.accept(log_id=log_of(job, "S-0301").pk, actor=system_user())
    take = {
        "settlement_id": pk_of("S-0301"),
        "reason": REASON,
        "actor": system_user(),
        "on": date(2019, 3, 8),
    }
    with pytest.raises(StillMatched):
        settlements.take_back(**take)
    write_offs.undo(match_id=match.pk, reason=REASON, actor=system_user(), on=MONDAY)
    settlements.take_back(**take)
    assert status_of("S-0301") == "REVERSED"
    assert balances() == {"1010": 0, "1100": Decimal("31.60"), "5200": 0}
    with pytest.raises(NotSo, match="is taken back"):
        settlements.take_back(**take)
    with pytest.raises(UnknownSettlement):
        settlements.take_back(**{**take, "settlement_id": 0})
    again = reconcile(source, told(tmp_path, OF_FRIDAY), on=date(2019, 3, 8))
    # Neither the entry nor its mirror is looked at.
    assert len(ends(again, "ledger")) == 2
    assert broken_proofs() == []


# --- what is refused ----------------------------------------------------------------------------------------


def test_one_that_was_taken_back_belongs_to_no_day(source: ReconSource, tmp_path: Path) -> None:
    trips(tmp_path, FRIDAY)
    job = reconcile(source, told(tmp_path, OF_FRIDAY), on=MONDAY)
    settlements.take_back(settlement_id=pk_of("S-0301"), reason=REASON, actor=system_user(), on=MONDAY)
    with pytest.raises(NotEntered, match="is taken back"):
        decisions.accept(log_id=log_of(job, "S-0301").pk, actor=system_user())
    assert "S-0301" not in ends(reconcile(source, told(tmp_path, OF_FRIDAY), on=MONDAY))
    anew = reconcile(source, told(tmp_path, OF_FRIDAY.replace("S-0301", "S-0301-C")), on=MONDAY)
    assert status_of("S-0301-C") == "ENTERED" and ends(anew)["S-0301-C"] == ("suggested", "group_key")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (
            "S,2019-03-04,2019-03-01,31.60,0.95,30.66,2",
            r"Row 2, column net: 31.60 less fees of 0.95 is not 30.66",
        ),
        (
            "S,2019-03-04,2019-03-05,31.60,0.95,30.65,2",
            "column settled_on: it is before the day of the trips",
        ),
        ("S,2019-03-04,2019-02-29,31.60,0.95,30.65,2", "column trip_date: '2019-02-29' is not a day"),
        ("S,2019-03-04,2019-03-01,31.605,0.95,30.655,2", "column card_gross: '31.605' is not an amount"),
        ("S,2019-03-04,2019-03-01,0,0,0,2", "column card_gross: the amount is zero"),
        ("S,2019-03-04,2019-03-01,NaN,0,0,2", "'NaN' is not an amount"),
        ("S,2019-03-04,2019-03-01,1e9,0,1e9,2", "column trips|not an amount|1000000000"),
        ("S,2019-03-04,2019-03-01,31.60,0.95,30.65,two", "column trips: 'two' is no count"),
        ("S,2019-03-04,2019-03-01,31.60,0.95,30.65,0000000005555555555", "is no count"),
        (",2019-03-04,2019-03-01,31.60,0.95,30.65,2", "column settlement_id: there is no id"),
        ("S,2019-03-04", "the row has 2 fields"),
    ],
)
def test_a_row_that_is_wrong_refuses_the_file(
    source: ReconSource, tmp_path: Path, row: str, says: str
) -> None:
    if "1e9" in row:
        reconcile(source, told(tmp_path, row), on=MONDAY)  # a number, if an odd one
        assert CurbSettlement.objects.get().gross == Decimal(1_000_000_000)
        return
    with pytest.raises(BadRow, match=says):
        reconcile(source, told(tmp_path, row), on=MONDAY)
    assert not ExternalRow.objects.exists() and not CurbSettlement.objects.exists()


@pytest.mark.parametrize("change", [("0.95,30.65", "0.90,30.70"), (",2", ",3"), ("2019-03-01", "2019-03-02")])
def test_the_same_id_with_other_figures_is_refused(
    source: ReconSource, tmp_path: Path, change: tuple[str, str]
) -> None:
    reconcile(source, told(tmp_path, OF_FRIDAY), on=MONDAY)
    head, _, tail = OF_FRIDAY.rpartition(change[0])
    with pytest.raises(BadRow, match="a row is never changed afterwards"):
        reconcile(source, told(tmp_path, head + change[1] + tail), on=MONDAY)
    assert CurbSettlement.objects.count() == 1


def test_columns_may_have_other_names_and_a_missing_one_is_told(tmp_path: Path) -> None:
    file = told(tmp_path, OF_FRIDAY, header=HEADER.replace("card_gross", "Gross Sales"))
    adapter = get_adapter("curb_settlement")
    with pytest.raises(BadFile, match="there is no column 'card_gross'"):
        adapter.read(Feed({}, "USD", 2, MONDAY, file.path))
    rows = adapter.read(Feed({"columns": {"card_gross": "Gross Sales"}}, "USD", 2, MONDAY, file.path)).rows
    assert rows.select("external_id", "amount", "group_key").row(0) == (
        "S-0301",
        Decimal("31.6"),
        "2019-03-01",
    )


def test_settlements_come_from_an_api_as_well(host: Host, tmp_path: Path) -> None:
    trips(tmp_path, FRIDAY)
    row = dict(zip(FIELDS, OF_FRIDAY.split(","), strict=True)) | {"card_gross": 31.60, "trips": 2}
    host.answers = lambda path, times: (200, {}, json.dumps({"rows": [row] if "=1" in path else []}).encode())
    source = make_source(
        adapter="curb_settlement_api",
        mapping={"url": host.url + "?day={date}", "items": "rows", "page": "page"},
    )
    job = reconcile(source, on=MONDAY)
    assert host.asked[0][0] == "/settlements?day=2019-03-04&page=1"
    assert ends(job) == {"S-0301": ("suggested", "group_key")} and balances()["1100"] == 0


def test_the_same_settlement_from_another_source_is_held(
    source: ReconSource, host: Host, tmp_path: Path
) -> None:
    trips(tmp_path, FRIDAY)
    reconcile(source, told(tmp_path, OF_FRIDAY), on=MONDAY)
    before = balances()
    row = dict(zip(FIELDS, OF_FRIDAY.split(","), strict=True))
    host.answers = lambda path, times: (200, {}, json.dumps({"rows": [row]}).encode())
    api = make_source(adapter="curb_settlement_api", mapping={"url": host.url, "items": "rows"})
    reconcile(api, on=MONDAY)
    held: Any = CurbSettlement.objects.with_status().get(source=api)
    assert held.status == "HELD" and "S-0301" in held.held_because and balances() == before


# --- the database's rules -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE curb_settlement SET fees = 1, net = 30.60",
        "UPDATE curb_settlement SET entry_id = NULL, entry_date = NULL, entered_by_id = NULL, held_because = 'x'",
        "UPDATE curb_settlement SET entry_id = entry_id + 1",
        "UPDATE curb_settlement SET dismissed_at = now(), dismissed_by_id = entered_by_id, dismissed_because = 'no'",
        "DELETE FROM curb_settlement",
        "TRUNCATE curb_settlement",
    ],
)
def test_what_a_settlement_says_stands(source: ReconSource, tmp_path: Path, change: str) -> None:
    reconcile(source, told(tmp_path, OF_FRIDAY), on=MONDAY)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


@pytest.mark.parametrize(
    "wrong",
    [
        {"gross": Decimal("31.61"), "net": Decimal("30.66")},  # not what its row says
        {"net": Decimal("30.66")},  # does not add up
        {"settled_on": date(2019, 2, 28)},  # before its trips
        {"entry": "none", "held_because": ""},  # held, and says not why
        {"entry": "another"},  # an entry of another amount
        {"entry": "manual"},  # an entry that is no event of the fleet
    ],
)
def test_a_settlement_fits_its_row_and_its_entry(
    source: ReconSource, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    job = ReconJob.objects.create(source=source, date=MONDAY, status="RUNNING", started_by=system_user())
    row = ExternalRow.objects.create(
        source=source, external_id="S-1", figures_hash="x", amount=Decimal("31.60"), currency_id="USD",
        occurred_at="2019-03-04T05:00:00Z", job=job,
    )  # fmt: skip
    amount = Decimal("31.59") if wrong.get("entry") == "another" else Decimal("31.60")
    entered = enter_house_event(
        "CURB_SETTLEMENT", amount=amount, on=MONDAY, actor=system_user(), parts={"fees": Decimal("0.95")},
        reference="somebody else's" if wrong.get("entry") == "manual" else "S-1",
    )  # fmt: skip
    entry: dict[str, Any] = {
        "entry_id": entered.entry_id,
        "entry_date": entered.je_date,
        "entered_by": system_user(),
    }
    values: dict[str, Any] = {
        "source": source, "external_row": row, "trip_date": FRIDAY, "settled_on": MONDAY, "gross": Decimal("31.60"),
        "fees": Decimal("0.95"), "net": Decimal("30.65"), "trips": 2,
    }  # fmt: skip
    with pytest.raises(DatabaseError), transaction.atomic():
        CurbSettlement.objects.create(
            **{
                **values,
                **(entry if wrong.get("entry") != "none" else {}),
                **{k: v for k, v in wrong.items() if k != "entry"},
            }
        )
    if "entry" not in wrong:
        made = CurbSettlement.objects.create(**values, **entry)
        with pytest.raises(DatabaseError), transaction.atomic():
            CurbSettlement.objects.filter(pk=made.pk).update(settled_on=FRIDAY)


@pytest.mark.parametrize("shares", [[100], [33, 67], [1, 1, 98]])
def test_receivable_bank_and_fees_always_come_to_what_was_driven(
    source: ReconSource, tmp_path: Path, shares: Sequence[int]
) -> None:
    """However a day is settled, 1010 + 5200 + 1100 is what the trips came to."""
    trips(tmp_path, FRIDAY)
    rows = []
    for nth, share in enumerate(shares):
        gross = Decimal("31.60") * share / 100
        gross = gross.quantize(Decimal("0.01"))
        fees = (gross * 3 / 100).quantize(Decimal("0.01"))
        rows.append(f"P{nth},2019-03-04,2019-03-01,{gross},{fees},{gross - fees},{nth}")
    reconcile(source, told(tmp_path, *rows), on=MONDAY)
    assert sum(balances().values()) == Decimal("31.60")
    assert Account.objects.filter(code="1100").exists() and broken_proofs() == []
