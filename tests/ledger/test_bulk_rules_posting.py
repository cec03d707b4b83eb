"""How a bulk run comes into the ledger: what is there afterwards, and what keeps it out."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from batconnect.common.audit import system_user
from ledger.engine import ledger_poster as poster
from ledger.models import (
    Account,
    AccountingMonth,
    BatchAccountTotal,
    EntryHeader,
    EntryLine,
    EntryReversal,
    JournalRun,
    JournalShard,
    SourceRowJournalised,
    TripTotal,
)
from ledger.services.batches.reversals import plan_reversal

from .bulk_runs import (
    DAY,
    MARCH,
    account_id,
    attach,
    entries,
    fill,
    plan,
    post,
    posted_run,
    reverse,
    source_rows,
    stage,
    step,
    taken_back,
    trip_entries,
    trips,
    validate,
    validated,
)
from .factories import SUNDAY, WEEK, broken_proofs, make_account
from .factories import run as run_week
from .lived_in import execute, refused
from .test_bulk_rules_steps import refused_step

pytestmark = pytest.mark.django_db

APRIL = date(2019, 4, 1)


@pytest.fixture(params=[True, False], ids=["large", "small"])
def large(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def broken() -> list[str]:
    """Proofs of the journal that do not hold; those of trips are for rows that the loader of trips loaded."""
    return [found for found in broken_proofs() if not found.startswith("trips are")]


def ready(ids: list[int] | None = None, *, large: bool = True, **more: object) -> JournalRun:
    """A run that only its last step is missing of."""
    ids = ids or source_rows()
    run, (shard,) = plan(ids, large=large, **more)
    assert validated(run, [shard], [entries(shard, ids)]) == "VALIDATED"
    if large:
        fill(run)
    return run


def refused_attach(run: JournalRun) -> tuple[str, str]:
    """SQLSTATE and sentence of the refusal; nothing of the run is in the ledger then."""
    before = EntryHeader.objects.count(), EntryLine.objects.count(), SourceRowJournalised.objects.count()
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        attach(run)
    assert (
        EntryHeader.objects.count(),
        EntryLine.objects.count(),
        SourceRowJournalised.objects.count(),
    ) == before
    assert JournalRun.objects.get(pk=run.pk).state == "VALIDATED"
    return caught.value.__cause__.sqlstate, str(caught.value)


# --- what is there afterwards -------------------------------------------------------------------------------


def test_a_posted_run_is_whole_in_the_ledger(large: bool) -> None:
    run = posted_run(large=large)
    batch = run.pk if large else 0
    assert run.state == "POSTED"
    assert EntryHeader.objects.filter(batch_id=batch, origin="BATCH").count() == 3
    assert EntryLine.objects.filter(batch_id=batch, template_line__gt=0).count() == 9
    assert SourceRowJournalised.objects.count() == 3
    assert run.layers["ledger"] == run.layers["staging"] == run.layers["frame"]
    assert broken() == []
    totals = {
        t.account.code: (t.debits, t.credits) for t in BatchAccountTotal.objects.select_related("account")
    }
    assert totals == ({"5200": (300, 0), "1010": (0, 150), "4100": (0, 150)} if large else {})


def test_nothing_of_a_large_run_is_seen_before_its_last_step() -> None:
    run = ready()
    assert not EntryHeader.objects.exists()
    attach(run)
    assert EntryHeader.objects.count() == 3


def test_a_run_over_two_months_comes_in_at_once(large: bool) -> None:
    march, april = source_rows(2), source_rows(2, month=APRIL)
    run, (one, other) = plan(march, april, months=[MARCH, APRIL], large=large)
    mixed = [*entries(other, april[:1], day=date(2019, 4, 12)), *entries(other, april, day=DAY)[1:]]
    post(run, [one, other], [entries(one, march), mixed])
    dates = list(EntryHeader.objects.order_by("id").values_list("je_date", flat=True))
    assert dates == [DAY, DAY, date(2019, 4, 12), DAY]
    assert broken() == []


def test_a_reversal_takes_a_run_back_and_frees_its_rows(large: bool) -> None:
    run = posted_run(large=large)
    assert taken_back(run).state == "POSTED"
    assert EntryReversal.objects.count() == 3
    assert SourceRowJournalised.objects.count() == 0
    assert broken() == []
    shard = run.shards.get()
    ids = range(shard.first_source_id, shard.last_source_id + 1)
    again, (its,) = plan(ids, large=large)
    assert post(again, [its], [entries(its, ids)]).state == "POSTED"


def test_a_run_is_taken_back_once(large: bool) -> None:
    run = posted_run(large=large)
    taken_back(run)
    with pytest.raises(DatabaseError, match="journal_run_reversed_once"), transaction.atomic():
        reverse(run)


def test_half_of_a_run_is_not_taken_back(large: bool) -> None:
    ids = source_rows(4)
    run, shards = plan(ids[:2], ids[2:], large=large)
    post(run, shards, [entries(shards[0], ids[:2]), entries(shards[1], ids[2:])])
    back = JournalRun.objects.create(
        pack=run.pack, origin=run.origin, month=run.month, reverses_run=run, large=large, started_by=system_user(),
        policy_version=run.policy_version,
    )  # fmt: skip
    half = JournalShard.objects.create(
        run=back,
        number=shards[0].number,
        txn_month=MARCH,
        first_source_id=ids[0],
        last_source_id=ids[1],
        source_rows=2,
    )
    step(poster.stage_reversal, half.pk)
    step(poster.run_staged, back.pk)
    assert validate(half) == []
    step(poster.run_validated, back.pk)
    if large:
        fill(back)
    state, said = refused_attach(back)
    assert (state, "the whole of run" in said) == ("BC013", True)


def test_a_reversal_is_not_taken_back(large: bool) -> None:
    back = taken_back(posted_run(large=large))
    with pytest.raises(DatabaseError, match="no reversal itself"), transaction.atomic():
        reverse(back)


# --- trips --------------------------------------------------------------------------------------------------


def test_trips_count_as_journalised_and_back(large: bool) -> None:
    ids = trips(make_account(), ["10.00", "12.50"])
    run, (shard,) = plan(ids, origin="TRIP", large=large)
    post(run, [shard], [trip_entries(shard, ids, ["10.00", "12.50"])])
    assert TripTotal.objects.get().journalised == Decimal("22.50")
    assert not any("2300" in found for found in broken())
    taken_back(run)
    assert TripTotal.objects.get().journalised == 0


def test_settled_trips_are_not_taken_back(large: bool) -> None:
    ids = trips(make_account(), ["10.00"], week=SUNDAY)
    run, (shard,) = plan(ids, origin="TRIP", large=large)
    post(run, [shard], [trip_entries(shard, ids, ["10.00"])])
    TripTotal.objects.update(settled_week=SUNDAY)
    back, (mirror,) = reverse(run)
    step(poster.run_staged, back.pk)
    assert validate(mirror) == []
    step(poster.run_validated, back.pk)
    if large:
        fill(back)
    state, _ = refused_attach(back)
    assert state == "BC014"
    assert TripTotal.objects.get().journalised == 10


def test_trips_that_come_to_nothing_together_are_entered_though_they_are_settled(large: bool) -> None:
    """Their total is nothing, as is what of it is journalised: so it settles before them, whatever their shards."""
    ids = trips(make_account(), ["10.00", "-10.00"], week=SUNDAY)
    run, shards = plan(ids[:1], ids[1:], origin="TRIP", large=large)
    made = [trip_entries(shard, [row], ["10.00"]) for shard, row in zip(shards, ids, strict=True)]
    for line in made[1][0].lines:
        line["amount"] = -line["amount"]
    assert validated(run, shards, made) == "VALIDATED"
    TripTotal.objects.update(settled_week=SUNDAY)
    if large:
        fill(run)
    attach(run)
    assert (
        plan_reversal(run_id=run.pk, actor=system_user(), reason="loaded by mistake, twice").shards.count()
        == 2
    )


def test_trips_without_their_total_are_refused(large: bool) -> None:
    ids = trips(make_account(), ["10.00"])
    run, (shard,) = plan(ids, origin="TRIP", large=large)
    assert validated(run, [shard], [trip_entries(shard, ids, ["10.00"])]) == "VALIDATED"
    if large:
        fill(run)
    execute("UPDATE journal_run_trip_total SET week = week + 7")
    state, said = refused_attach(run)
    assert state == "BC013", said


def test_a_trips_entry_is_taken_back_by_its_run_alone(large: bool) -> None:
    """By itself, it would free the trip and leave its total journalised."""
    ids = trips(make_account(), ["10.00"])
    run, (shard,) = plan(ids, origin="TRIP", large=large)
    post(run, [shard], [trip_entries(shard, ids, ["10.00"])])
    said = refused(
        "WITH h AS (INSERT INTO ledger_entry_header (id, je_date, origin, source_id, reverses_id, reverses_date,"
        " event_on, line_count, total, created_by_id)"
        " SELECT 5, je_date, origin, source_id, id, je_date, event_on, line_count, total, created_by_id"
        " FROM ledger_entry_header)"
        " INSERT INTO ledger_entry_line (entry_id, line_number, je_date, account_id, currency, side, amount)"
        " SELECT 5, line_number, je_date, account_id, currency, CASE side WHEN 'DR' THEN 'CR' ELSE 'DR' END, amount"
        " FROM ledger_entry_line"
    )
    assert "reversal of its run" in said


# --- what keeps a run out -----------------------------------------------------------------------------------


def test_a_row_gets_one_entry_whichever_run_is_first() -> None:
    ids = source_rows()
    late = ready(ids)
    first, (shard,) = plan(ids, pack="other")
    post(first, [shard], [entries(shard, ids)])
    state, said = refused_attach(late)
    assert (state, "3 source rows have their entries" in said) == ("BC012", True)


def test_a_small_run_finds_its_rows_taken() -> None:
    ids = source_rows()
    late = ready(ids, large=False)
    first, (shard,) = plan(ids, pack="other")
    post(first, [shard], [entries(shard, ids)])
    assert refused_attach(late)[0] in ("BC012", "23505")


def test_a_closed_month_takes_no_run(large: bool) -> None:
    run = ready(large=large)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounting_month DISABLE TRIGGER accounting_month_guard")
        cursor.execute("INSERT INTO accounting_month VALUES ('2019-03-01', 'CLOSED')")
    assert refused_attach(run)[0] == "BC001"
    AccountingMonth.objects.update(status="REOPENED")
    assert attach(run).state == "POSTED"


def test_a_closed_week_takes_no_run(large: bool) -> None:
    run = ready(large=large)
    make_account()
    run_week(SUNDAY)
    run_week(SUNDAY + WEEK)
    assert refused_attach(run)[0] == "BC001"


@pytest.mark.parametrize("column", ["je_date", "event_on"])
def test_the_future_takes_no_run(large: bool, column: str) -> None:
    ahead = date.today() + timedelta(2)
    ids = source_rows()
    run, (shard,) = plan(ids, large=large)
    made = entries(shard, ids, day=ahead if column == "je_date" else DAY)
    for entry in made:
        entry.header["event_on"] = ahead
    execute("SELECT ensure_journal_month(%(day)s)", day=ahead)
    validated(run, [shard], [made])
    if large:
        fill(run)
    assert refused_attach(run)[0] == "BC002"


CHANGES: dict[str, dict[str, object]] = {
    "given up": {"active": False},
    "guarded": {"overdraft_limit": 0},
    "a control account": {"control_origins": ["MANUAL"]},
    "in yen": {"currency_id": "JPY"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_account_that_changed_since_takes_no_run(large: bool, change: str) -> None:
    account = Account.objects.create(code="9990", name="New", type="INCOME")
    ids = source_rows()
    run, (shard,) = plan(ids, large=large)
    validated(run, [shard], [entries(shard, ids, credits=["9990"])])
    if large:
        fill(run)
    Account.objects.filter(pk=account.pk).update(**CHANGES[change])
    state, said = refused_attach(run)
    assert (state, "may not be posted to" in said) == ("BC008", True)


LEAF = "ledger_entry_line_201903_{run}"
HEADERS = "ledger_entry_header_201903_{run}"
TAMPERINGS = {
    "a line lost": f"DELETE FROM {LEAF} WHERE line_number = 3",
    "a line gained": f"INSERT INTO {LEAF} (entry_id, line_number, je_date, batch_id, account_id, currency, side, fund,"
    f" amount) SELECT entry_id, 9, je_date, batch_id, account_id, currency, side, fund, amount FROM {LEAF} LIMIT 1",
    "an entry lost": f"DELETE FROM {HEADERS} WHERE id = (SELECT min(id) FROM {HEADERS})",
    "a line moved": f"UPDATE {LEAF} SET account_id = account_id + 1 WHERE line_number = 3",
    "an amount changed": f"UPDATE {LEAF} SET amount = amount + 1 WHERE line_number = 3",
    "sides swapped": f"UPDATE {LEAF} SET side = CASE side WHEN 'DR' THEN 'CR' ELSE 'DR' END",
    "a cent from one entry to another": f"UPDATE {LEAF} SET amount = amount + CASE entry_id WHEN (SELECT min(entry_id)"
    f" FROM {LEAF}) THEN 1 ELSE -1 END WHERE line_number = 1 AND entry_id IN ((SELECT min(entry_id) FROM {LEAF}),"
    f" (SELECT max(entry_id) FROM {LEAF}))",
    "a total changed": f"UPDATE {HEADERS} SET total = total + 1",
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_a_leaf_that_is_not_what_its_shards_were_stays_out(tampering: str) -> None:
    run = ready()
    for leaf in (LEAF, HEADERS):
        execute(f"ALTER TABLE {leaf.format(run=run.pk)} DISABLE TRIGGER ALL")
    execute(TAMPERINGS[tampering].format(run=run.pk))
    assert refused_attach(run)[0] == "BC013"


LINE_COLUMNS = "entry_id, line_number, je_date, batch_id, account_id, currency, side, amount"


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO {LEAF} ({LINE_COLUMNS}) SELECT {LINE_COLUMNS} FROM {LEAF}",
        f"UPDATE {LEAF} SET amount = 1",
        f"DELETE FROM {LEAF}",
        f"TRUNCATE {LEAF}",
        f"DELETE FROM {HEADERS}",
        f"TRUNCATE {HEADERS}",
    ],
)
@pytest.mark.parametrize("attached", [False, True])
def test_a_runs_leaf_takes_no_change(attached: bool, statement: str) -> None:
    run = ready()
    if attached:
        attach(run)
    assert "is refused" in refused(statement.format(run=run.pk))


HEADER_COLUMNS = "id, je_date, batch_id, origin, source_id, event_on, line_count, total, created_by_id"


@pytest.mark.parametrize(("table", "columns"), [("header", HEADER_COLUMNS), ("line", LINE_COLUMNS)])
def test_a_posted_batch_takes_no_more_entries(table: str, columns: str) -> None:
    """Through the parent, which leads to the run's leaf."""
    run = posted_run()
    said = refused(
        f"INSERT INTO ledger_entry_{table} ({columns}) SELECT {columns} FROM ledger_entry_{table}"
        f" WHERE batch_id = {run.pk}"
    )
    assert "only ever added to" in said


def test_a_number_of_a_run_is_not_used_online() -> None:
    ids = source_rows(1)
    execute("SELECT ensure_journal_month('2019-03-12')")
    said = refused(
        "WITH h AS (INSERT INTO ledger_entry_header (id, je_date, origin, source_id, event_on, line_count, total,"
        f" created_by_id) VALUES (1000000262145, '2019-03-12', 'BATCH', {ids[0]}, '2019-03-12', 2, 5,"
        f" {system_user().pk}))"
        " INSERT INTO ledger_entry_line (entry_id, line_number, je_date, account_id, currency, side, amount)"
        f" VALUES (1000000262145, 1, '2019-03-12', {account_id('5200')}, 'USD', 'DR', 5),"
        f" (1000000262145, 2, '2019-03-12', {account_id('1010')}, 'USD', 'CR', 5)"
    )
    assert "those of bulk runs" in said


def test_an_attached_leaf_has_all_that_its_month_has() -> None:
    run = posted_run()
    query = (
        "SELECT count(*) FROM pg_index WHERE indrelid = %s::regclass AND indisvalid",
        "SELECT count(*) FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('c', 'p') AND convalidated",
        "SELECT string_agg(tgname, ',' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = %s::regclass"
        " AND tgname <> 'ledger_batch_is_whole'",
    )
    for parent in ("ledger_entry_header_201903", "ledger_entry_line_201903"):
        for text in query:
            found = []
            for table in (f"{parent}_0", f"{parent}_{run.pk}"):
                with connection.cursor() as cursor:
                    cursor.execute(text, [table])
                    found.append(cursor.fetchone())
            assert found[0] == found[1], (parent, text)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO batch_account_total (batch_id, je_date, account_id, fund, debits, credits)"
        " VALUES (99, '2019-03-12', 1, 'OP', 1, 1)",
        "UPDATE batch_account_total SET debits = 1",
        "DELETE FROM batch_account_total",
        "TRUNCATE batch_account_total",
        "DELETE FROM source_row_journalised",
        "TRUNCATE source_row_journalised",
        "INSERT INTO source_row_journalised VALUES (1, 1, '2019-03-12')",
        "UPDATE source_row_journalised SET entry_id = 1",
        "DELETE FROM ledger_entry_reversal",
        "DELETE FROM journal_run",
        "TRUNCATE journal_run CASCADE",
        "DELETE FROM journal_run_shard",
    ],
)
def test_what_a_run_left_in_the_ledger_stands(statement: str) -> None:
    posted_run()
    assert "efused" in refused(statement) or "annot" in refused(statement)


def test_a_row_keeps_its_entry_while_that_stands() -> None:
    """Past the trigger for direct writes, too."""
    posted_run()
    execute("ALTER TABLE source_row_journalised DISABLE TRIGGER source_row_journalised_no_direct_write")
    assert "until that is reversed" in refused("DELETE FROM source_row_journalised")


def test_a_discarded_run_leaves_its_rows_free_and_nothing_else(large: bool) -> None:
    ids = source_rows()
    run = ready(ids, large=large)
    step(poster.discard_run, run.pk, "Another file")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE relname ~ ('_' || %s || '$') AND relname ~ 'ledger_entry|staging'",
            [run.pk],
        )
        assert cursor.fetchone()[0] == 0
    run.refresh_from_db()
    assert (run.state, run.reason) == ("FAILED", "Another file")
    again, (shard,) = plan(ids, large=large)
    assert post(again, [shard], [entries(shard, ids)]).state == "POSTED"


def test_a_posted_run_is_not_discarded(large: bool) -> None:
    run = posted_run(large=large)
    assert "POSTED" in refused_step(poster.discard_run, run.pk, "why")


def test_staging_is_lineage_until_it_is_dropped(large: bool) -> None:
    run = posted_run(large=large)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM ledger_entry_line l JOIN je_line_staging s ON s.entry_id = l.entry_id"
            " AND s.line_number = l.line_number AND abs(s.amount) = l.amount AND s.template_line = l.template_line"
            " JOIN ledger_entry_header h ON h.id = l.entry_id JOIN txn_source_parent t ON t.id = h.source_id"
        )
        assert cursor.fetchone()[0] == 9
    assert "is refused" in refused("DELETE FROM je_line_staging")
    step(poster.drop_staging, run.pk)
    assert EntryLine.objects.count() == 9


def test_shards_of_one_run_may_claim_a_row_once() -> None:
    ids = source_rows(4)
    run, (one, other) = plan(ids[:3], ids[2:])
    stage(one, entries(one, ids[:3]))
    stage(other, entries(other, ids[2:]))
    step(poster.run_staged, run.pk)
    assert validate(one) == validate(other) == []
    step(poster.run_validated, run.pk)
    fill(run)
    assert refused_attach(run)[0] == "BC012"


def test_both_ways_come_to_the_same() -> None:
    """A large and a small run over rows alike say the same of them, but for their numbers."""
    columns = (
        "h.je_date, h.event_on, h.template_id, h.total, l.line_number, l.account_id, l.side, l.amount, l.fund"
    )
    text = (
        f"SELECT count(*), md5(string_agg(concat_ws('|', {columns}), ',' ORDER BY h.id, l.line_number))"
        " FROM ledger_entry_header h JOIN ledger_entry_line l ON l.entry_id = h.id WHERE h.batch_id {}"
    )
    posted_run(large=True)
    posted_run(large=False)
    with connection.cursor() as cursor:
        found = []
        for which in ("= 0", "> 0"):
            cursor.execute(text.format(which))
            found.append(cursor.fetchone())
    assert found[0] == found[1]
