"""Trips fetched from the processor: the same as from its file to the cent, never half, never twice."""

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import DatabaseError, connection, connections, transaction

from batconnect.common.audit import system_user
from batconnect.common.errors import BatConnectError
from batconnect.common.weeks import NEW_YORK
from batconnect.jobs.models import JobRun
from batconnect.jobs.services import run_job
from ledger.models import ImportBatch, ParkedRow, SourceTransaction, TripTotal
from recon.models import CurbFetch
from recon.services import curb_fetches
from recon.services.curb_fetches import FetchAtWork, FetchUnset, WindowTooEarly, WrongWindow, fetch_trips
from recon.tasks import fetch_curb_trips, start_fetch
from tests.factories import make_lease
from tests.ledger.trip_files import load, trip

from .hosts import Answer, Host

NOW = datetime(2019, 3, 8, 12, tzinfo=UTC)
TOTALS = (
    "account__lease__medallion__number",
    "week",
    "earnings",
    "card_trips",
    "cash_trips",
    "mta_tax",
    "congestion_fee",
)


@pytest.fixture
def processor(host: Host, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Host:
    """The host, set up as the processor's API."""
    settings.CURB_TRIPS_URL = f"{host.url}?from={{from}}&to={{to}}"
    settings.CURB_TRIPS_PAGING = {
        "items": "trips",
        "next": "next",
        "total": "total",
        "token_env": "RECON_TOKEN_CURB",
    }
    settings.CURB_FETCH_OVERLAP_HOURS = 6
    monkeypatch.setenv("RECON_TOKEN_CURB", "s3cret")
    return host


def paged(
    rows: Sequence[Mapping[str, str]], *, size: int = 2, **instead: Answer
) -> Callable[[str, int], Answer]:
    """Answers with the rows, some to a page; `page3=...` is answered in place of the third."""
    pages = [rows[at : at + size] for at in range(0, len(rows), size)] or [[]]

    def answer(path: str, times: int) -> Answer:
        number = int(path.partition("p=")[2] or 1)
        following = f"/settlements?p={number + 1}" if number < len(pages) else None
        whole = {"trips": list(pages[number - 1]), "next": following, "total": len(rows)}
        return instead.get(f"page{number}") or (200, {}, json.dumps(whole).encode())

    return answer


def fetch(**window: Any) -> CurbFetch:
    return fetch_trips(actor=system_user(), now=window.pop("now", NOW), **window)


def totals() -> list[tuple[Any, ...]]:
    return list(TripTotal.objects.order_by(*TOTALS).values_list(*TOTALS))


def summary(fetched: CurbFetch) -> list[Any]:
    batch = fetched.batch
    assert batch is not None
    return [batch.accepted, batch.rejected, batch.card_earnings, batch.taxes]


def nothing_was_imported() -> bool:
    return not (
        SourceTransaction.objects.exists() or ImportBatch.objects.exists() or ParkedRow.objects.exists()
    )


# --- the same as the file -----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_real_trips_come_to_the_same_cent_as_from_their_file(
    processor: Host, shared_data: Path, tmp_path: Path
) -> None:
    call_command(
        "import_fleet", medallions=shared_data / "medallions.csv", drivers=shared_data / "drivers.csv",
        lease_from="2019-02-24", weekly_fee="150.00", stdout=StringIO(),
    )  # fmt: skip
    with (shared_data / "curb_trips_2019-03.csv").open() as file:
        rows = list(csv.DictReader(file))[:1200]
    assert sum(row["ROWID"] in ("100340", "100409", "100738", "100936") for row in rows) == 4  # do not add up
    path = tmp_path / "rows.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    mark = transaction.savepoint()
    told = load(tmp_path, content=path.read_bytes())
    from_file = totals()
    transaction.savepoint_rollback(mark)
    processor.answers = paged(rows, size=500)
    fetched = fetch(now=datetime(2019, 4, 10, tzinfo=UTC))
    assert (fetched.status, fetched.pages, fetched.rows, told.rejected) == ("DONE", 3, 1200, 4)
    assert summary(fetched) == [told.accepted, told.rejected, told.card_earnings, told.taxes]
    assert totals() == from_file
    with zipfile.ZipFile(curb_fetches.evidence(fetched)) as kept:
        table = csv.DictReader(StringIO(kept.read("trips.csv").decode()))
        assert [row["ROWID"] for row in table] == [row["ROWID"] for row in rows]
        assert json.loads(kept.read("pages/00003.json"))["total"] == 1200
    again = load(tmp_path, content=path.read_bytes())
    assert (again.accepted, again.duplicates) == (0, told.accepted)


@pytest.mark.django_db
def test_a_fetch_and_a_file_of_the_same_rows_leave_the_same_totals(processor: Host, tmp_path: Path) -> None:
    lease = make_lease()
    rows = [
        trip(lease),
        trip(lease, TRIPTIPS="0.00", TOTAL_AMOUNT="13.80", PAYMENT_TYPE="$"),
        trip(lease, TOTAL_AMOUNT="15.81"),
    ]
    processor.answers = paged(rows)
    mark = transaction.savepoint()
    told = summary(fetch())
    by_fetch = totals()
    transaction.savepoint_rollback(mark)
    from_file = load(tmp_path, *rows)
    assert told == [from_file.accepted, from_file.rejected, from_file.card_earnings, from_file.taxes]
    assert told == [
        2,
        1,
        Decimal("15.80"),
        Decimal("6.60"),
    ]  # 2 x (0.50 MTA + 0.30 improvement + 2.50 congestion)
    assert by_fetch == totals()


@pytest.mark.django_db
def test_windows_overlap_and_no_trip_comes_twice(processor: Host) -> None:
    lease = make_lease()
    rows = [trip(lease) for _ in range(4)]
    processor.answers = paged(rows[:3])
    first = fetch()
    assert first.window_to - first.window_from == timedelta(days=7)
    assert (
        processor.asked[0][0]
        == "/settlements?from=2019-03-01T12%3A00%3A00%2B00%3A00&to=2019-03-08T12%3A00%3A00%2B00%3A00"
    )
    assert processor.asked[0][1]["Authorization"] == "Bearer s3cret"
    changed = {**rows[1], "TRIPTIPS": "3.00", "TOTAL_AMOUNT": "16.80"}
    processor.answers = paged([rows[0], changed, rows[3]])
    second = fetch(now=NOW + timedelta(hours=1))
    assert second.window_from == NOW - timedelta(hours=6)
    assert second.batch is not None
    assert (second.batch.duplicates, second.batch.accepted, second.batch.rejected) == (1, 1, 1)
    assert ParkedRow.objects.get().reason == "REVISION"
    assert SourceTransaction.objects.count() == 4


@pytest.mark.django_db
def test_a_window_asked_for_further_ahead_leaves_no_hour_unfetched(processor: Host) -> None:
    processor.answers = paged([])
    fetch()
    hours = timedelta(hours=1)
    fetch(now=NOW + 72 * hours, begin=NOW + 70 * hours)
    third = fetch(now=NOW + 73 * hours)
    assert (third.window_from, third.window_to) == (NOW - 6 * hours, NOW + 73 * hours)
    fetch(now=NOW + 73 * hours, begin=NOW - 9000 * hours, end=NOW - 8999 * hours)
    assert fetch(now=NOW + 74 * hours).window_from == NOW + 67 * hours


@pytest.mark.django_db
def test_an_hour_without_trips_is_done_and_kept(processor: Host) -> None:
    processor.answers = paged([])
    done = fetch()
    assert (done.status, done.pages, done.rows, done.batch) == ("DONE", 1, 0, None)
    assert hashlib.sha256(curb_fetches.evidence(done).read_bytes()).hexdigest() == done.sha256


# --- a host that misbehaves ---------------------------------------------------------------------------------


BAD: dict[str, tuple[dict[str, Answer], str]] = {
    "dies on page 3": ({"page3": (500, {}, b"")}, "Page 3 did not come"),
    "garbage": ({"page2": (200, {}, b"<html>busy</html>")}, "Page 2 did not come: it is no whole JSON"),
    "cut off": ({"page2": (200, {"Content-Length": "900"}, b'{"trips": [')}, "Page 2 did not come"),
    "a page that came before": (
        {"page2": (200, {}, b'{"trips": [{"ROWID": "1"}], "next": "/settlements?p=2"}')}, "a page that came before"),
    "fewer than it says": ({"page3": (200, {}, b'{"trips": [], "total": 6}')}, "A count of 6 is stated"),
    "wrong credentials": ({"page1": (401, {}, b"")}, "401: it does not take the token"),
    "leads elsewhere": ({"page2": (302, {"Location": "http://10.0.0.1/"}, b"")}, "the host answered 302"),
    "next page elsewhere": (
        {"page2": (200, {}, b'{"trips": [], "next": "http://localhost:1/"}')}, "lies on the same host"),
    "a row without a column": (
        {"page3": (200, {}, b'{"trips": [{"ROWID": "5"}, {}], "total": 6}')}, "row 5 on page 3 has no"),
    "a row that is none": ({"page3": (200, {}, b'{"trips": [7]}')}, "row 5 is no object"),
    "too slow": ({"page2": (200, {}, [b" "] * 6)}, "Page 2 did not come: it took too long"),
}  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("how", BAD)
def test_a_fetch_that_does_not_come_whole_imports_nothing_and_is_told(processor: Host, how: str) -> None:
    lease = make_lease()
    rows = [trip(lease) for _ in range(6)]
    instead, says = BAD[how]
    processor.answers = paged(rows, **instead)
    with pytest.raises(BatConnectError, match=says):
        fetch()
    assert nothing_was_imported()
    failed = CurbFetch.objects.get()
    assert failed.status == "FAILED" and failed.error_code and failed.batch is None
    assert not any("10.0.0.1" in path or "localhost" in path for path, _ in processor.asked)
    processor.answers = paged(rows)
    done = fetch()  # and the next one asks for the same hours
    assert done.window_from == failed.window_from
    assert SourceTransaction.objects.count() == 6


@pytest.mark.django_db
def test_a_host_that_stumbles_or_is_busy_is_asked_again(processor: Host) -> None:
    rows = [trip(make_lease())]
    good = paged(rows)
    processor.answers = lambda path, times: (
        (500, {}, b"")
        if times == 1
        else (429, {"Retry-After": "1"}, b"")
        if times == 2
        else good(path, times)
    )
    assert fetch().rows == 1
    assert len(processor.asked) == 3


@pytest.mark.django_db
def test_what_cannot_be_asked_for_is_refused_before_anything_is_kept(processor: Host, settings: Any) -> None:
    for begin, end in ((NOW, NOW), (NOW, NOW - timedelta(hours=1)), (NOW, NOW + timedelta(hours=1))):
        with pytest.raises(WrongWindow):
            fetch(begin=begin, end=end)
    with pytest.raises(WindowTooEarly):
        fetch(end=datetime(1, 1, 1, 0, 30, tzinfo=NEW_YORK))
    settings.CURB_TRIPS_URL = ""
    with pytest.raises(FetchUnset):
        fetch()
    assert fetch_curb_trips() == ""
    assert not CurbFetch.objects.exists() and not processor.asked


# --- two at once, and killed --------------------------------------------------------------------------------


def test_of_two_fetches_at_once_one_is_told_to_wait(processor: Host, committing_database: str) -> None:
    lease = make_lease()
    good, waiting, go_on = paged([trip(lease)]), threading.Event(), threading.Event()

    def slowly(path: str, times: int) -> Answer:
        waiting.set()
        assert go_on.wait(20)
        return good(path, times)

    processor.answers = slowly
    ended: list[str] = []

    def first() -> None:
        try:
            ended.append(fetch().status)
        finally:
            connections.close_all()

    thread = threading.Thread(target=first)
    thread.start()
    assert waiting.wait(20)
    with pytest.raises(FetchAtWork):
        fetch()
    assert CurbFetch.objects.get().status == "RUNNING"
    go_on.set()
    thread.join()
    assert ended == ["DONE"]
    processor.answers = good
    assert fetch().status == "DONE"
    assert SourceTransaction.objects.count() == 1


@pytest.mark.slow
def test_a_fetch_that_is_killed_leaves_nothing_and_the_next_one_says_so(
    processor: Host, committing_database: str, tmp_path: Path
) -> None:
    """Killed as page 2 is on its way."""
    lease = make_lease()
    rows = [trip(lease) for _ in range(4)]
    good, hold, reached = paged(rows), threading.Event(), threading.Event()

    def answer(path: str, times: int) -> Answer:
        if "p=2" in path and not hold.is_set():
            reached.set()
            hold.wait(20)
        return good(path, times)

    processor.answers = answer
    environment = {
        **os.environ, "DATABASE_URL": committing_database, "DEBUG": "1", "RECON_TOKEN_CURB": "s3cret",
        "CURB_TRIPS_URL": django_settings.CURB_TRIPS_URL, "CURB_TRIPS_TOTAL": "total",
        "RECON_API_HOSTS": "127.0.0.1", "RECON_API_INSIDE_HOSTS": "127.0.0.1", "BATCONNECT_HOME": str(tmp_path),
    }  # fmt: skip
    command = [
        sys.executable,
        "manage.py",
        "fetch_curb",
        "--json",
        "--from",
        "2019-03-01",
        "--to",
        "2019-03-08",
    ]
    worker = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert reached.wait(30)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    finally:
        worker.kill()
        hold.set()
    assert CurbFetch.objects.get().status == "RUNNING" and nothing_was_imported()
    until = time.monotonic() + 10
    while True:  # the server has to notice that the session is gone
        try:
            done = fetch()
            break
        except FetchAtWork:
            assert time.monotonic() < until
            time.sleep(0.05)
    lost = CurbFetch.objects.order_by("pk").first()
    assert lost is not None and (lost.status, lost.error_code) == ("FAILED", "curb.lost")
    assert done.rows == 4 and SourceTransaction.objects.count() == 4


@pytest.mark.django_db
def test_an_import_that_fails_leaves_no_trip_and_a_fetch_that_says_so(
    processor: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fetch cannot be said to be done: then its trips are not there either."""
    processor.answers = paged([trip(make_lease())])
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN IF NEW.status = 'DONE' THEN RAISE EXCEPTION 'stop'; END IF; RETURN NEW; END$$;"
            "CREATE TRIGGER stop BEFORE UPDATE ON curb_fetch FOR EACH ROW EXECUTE FUNCTION stop()"
        )
    with pytest.raises(DatabaseError):
        fetch()
    assert nothing_was_imported()
    assert CurbFetch.objects.get().error_code == "curb.unexpected"


# --- jobs, the command, the database's rules ----------------------------------------------------------------


@pytest.mark.django_db
def test_a_fetch_is_a_job_and_a_command(processor: Host, capsys: pytest.CaptureFixture[str]) -> None:
    lease = make_lease()
    processor.answers = paged([trip(lease), trip(lease), trip(lease)])
    job = start_fetch(actor=system_user())
    assert start_fetch(actor=system_user()) == job  # asked twice, fetched once
    call_command("fetch_curb", "--from", "2019-03-01", "--to", "2019-03-08T12:00", "--json")
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["status"], told["rows"], told["imported"]["card_earnings"]) == ("DONE", 3, "47.40")
    assert told["from"] == "2019-03-01T05:00:00+00:00"  # midnight in New York
    call_command("fetch_curb", "--from", "2019-03-01", "--to", "2019-03-08T12:00")
    assert "0 new, 3 known, 0 parked" in capsys.readouterr().out
    processor.answers = paged([], page1=(500, {}, b""))
    with pytest.raises(SystemExit):
        call_command("fetch_curb", "--json")
    assert json.loads(capsys.readouterr().out)["error"] == "recon.source_unreachable"


def test_a_worker_fetches(processor: Host, committing_database: str) -> None:
    processor.answers = paged([trip(make_lease())])
    assert fetch_curb_trips()
    job = JobRun.objects.get()
    run_job(job_id=job.pk)
    job.refresh_from_db()
    assert job.status == "SUCCEEDED" and job.result is not None and job.result["rows"] == 1
    processor.answers = paged([], page1=(401, {}, b""))
    fetch_curb_trips()
    last = JobRun.objects.latest("created_at")
    run_job(job_id=last.pk)
    last.refresh_from_db()
    assert (last.status, last.error_code) == ("FAILED", "recon.source_unreachable")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE curb_fetch SET rows = 5",
        "UPDATE curb_fetch SET status = 'RUNNING', ended_at = NULL, batch_id = NULL",
        "DELETE FROM curb_fetch",
        "TRUNCATE curb_fetch",
        "INSERT INTO curb_fetch (window_from, window_to, status, pages, rows, sha256, file, error_code, error, "
        "started_by_id, ended_at) SELECT window_from, window_to, 'DONE', 1, 0, sha256, file, '', '', started_by_id, "
        "now() FROM curb_fetch",
    ],
)
def test_a_fetch_that_ended_stands(processor: Host, change: str) -> None:
    processor.answers = paged([trip(make_lease())])
    fetch()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "values",
    [
        {"status": "DONE", "pages": 1, "rows": 0, "sha256": "a" * 64, "file": ""},  # nothing kept
        {"status": "DONE", "pages": 1, "rows": 3, "sha256": "a" * 64, "file": "x"},  # rows, and no import
        {"status": "FAILED"},  # and does not say why
        {"window_to": NOW},  # another window
    ],
)
def test_a_fetch_says_how_it_ended(values: dict[str, Any]) -> None:
    made = CurbFetch.objects.create(
        window_from=NOW - timedelta(1), window_to=NOW - timedelta(hours=1), started_by=system_user()
    )
    with pytest.raises(DatabaseError), transaction.atomic():
        CurbFetch.objects.filter(pk=made.pk).update(
            **{"ended_at": NOW if "status" in values else None, **values}
        )
    with pytest.raises(DatabaseError, match="curb_fetch_one_at_work"), transaction.atomic():
        CurbFetch.objects.create(window_from=NOW - timedelta(1), window_to=NOW, started_by=system_user())


@pytest.mark.django_db
def test_a_file_that_was_changed_is_no_evidence(processor: Host) -> None:
    processor.answers = paged([trip(make_lease())])
    done = fetch()
    path = curb_fetches.evidence(done)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(curb_fetches.EvidenceGone):
        curb_fetches.evidence(done)
