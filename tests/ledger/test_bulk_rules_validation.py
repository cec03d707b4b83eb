"""What validation finds in a staged shard: each fault that a worker, or a hand in the staging, could leave there."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from batconnect.common.audit import system_user
from ledger.engine import ledger_poster as poster
from ledger.models import Account, JournalRun, JournalShard

from .bulk_runs import (
    DAY,
    Entry,
    account_id,
    copy,
    entries,
    plan,
    posted_run,
    reverse,
    source_rows,
    stage,
    step,
    totals,
    validate,
)
from .lived_in import execute

pytestmark = pytest.mark.django_db

Made = list[Entry]


def line(entry: int, number: int, **columns: object) -> Callable[[Made], object]:
    return lambda made: made[entry].lines[number].update(columns)


def header(entry: int, **columns: object) -> Callable[[Made], object]:
    return lambda made: made[entry].header.update(columns)


def all_of(*changes: Callable[[Made], object]) -> Callable[[Made], object]:
    return lambda made: [change(made) for change in changes]


def add_account(**fields: object) -> int:
    return Account.objects.create(**{"code": "9990", "name": "New", "type": "ASSET", **fields}).pk


def on_new_account(**fields: object) -> Callable[[Made], object]:
    return lambda made: made[0].lines[0].update(account_id=add_account(**fields))


def two_currencies(made: Made) -> None:
    """Balanced in all, in neither currency."""
    made[0].lines[0].update(account_id=add_account(currency_id="JPY"), currency="JPY")


def long_entry(numbers: list[int]) -> Callable[[Made], object]:
    def change(made: Made) -> None:
        first = made[0].lines[0]
        made[0].lines[:] = [
            {**first, "line_number": number, "amount": Decimal(1 if at % 2 else -1)}
            for at, number in enumerate(numbers)
        ]
        made[0].header.update(line_count=len(numbers), total=Decimal(len(numbers) // 2))

    return change


def shifted(made: Made) -> None:
    """Numbers of the next shard's block."""
    made[0].header["entry_id"] += 300_000
    for row in made[0].lines:
        row["entry_id"] += 300_000


def numbered_alike(made: Made) -> None:
    """Two entries of one number, on two days: by number and day they are sound."""
    for row in [made[1].header, *made[1].lines]:
        row.update(entry_id=made[0].header["entry_id"], je_date=DAY + timedelta(1))


def dated(day: date) -> Callable[[Made], object]:
    return lambda made: [row.update(je_date=day) for row in [made[0].header, *made[0].lines]]


FAULTS: dict[str, tuple[Callable[[Made], object], str]] = {
    "a cent more": (line(0, 0, amount=Decimal("100.01")), "entry.unbalanced"),
    "not a number": (line(0, 0, amount=Decimal("NaN")), "entry.unbalanced"),
    "a number left out": (line(0, 2, line_number=4), "line.numbers"),
    "a number twice": (line(0, 2, line_number=2), "line.numbers"),
    "a number below one": (all_of(line(0, 0, line_number=0)), "line.numbers"),
    "a number that looks like another": (line(0, 0, line_number=65), "line.numbers"),
    "numbers that only add up": (long_entry([1, 1, 4, 4]), "line.numbers"),
    "numbers of a long entry that only add up": (long_entry([1, 2, 2, 5, 5, *range(6, 71)]), "line.numbers"),
    "fewer lines than the header says": (header(0, line_count=4), "entry.lines"),
    "another total": (header(0, total=Decimal("99.00")), "entry.total"),
    "a header without lines": (lambda made: made[0].lines.clear(), "entry.no_lines"),
    "lines without a header": (
        lambda made: made[1].header.update(entry_id=made[0].header["entry_id"]), "entry.no_header",
    ),
    "one line": (
        all_of(lambda made: made[0].lines.__delitem__(slice(1, 3)), header(0, line_count=1)), "entry.no_lines",
    ),
    "a line of another day": (line(0, 1, je_date=DAY + timedelta(1)), "entry.date"),
    "a number of another block": (shifted, "entry.number"),
    "no amount": (all_of(line(0, 1, amount=Decimal(-100)), line(0, 2, amount=Decimal(0))), "amount.zero"),
    "a tenth of a cent": (
        all_of(line(0, 1, amount=Decimal("-50.001")), line(0, 2, amount=Decimal("-49.999"))), "amount.decimals",
    ),
    "no such account": (line(0, 0, account_id=999_999), "account.unknown"),
    "an account given up": (on_new_account(active=False), "account.inactive"),
    "an account in yen": (on_new_account(currency_id="JPY"), "account.currency"),
    "a guarded account": (on_new_account(overdraft_limit=0), "account.guarded"),
    "a control account": (on_new_account(control_origins=["TRIP"]), "account.control"),
    "two currencies": (two_currencies, "entry.unbalanced"),
    "no such currency": (line(0, 0, currency="XXX"), "account.currency"),
    "a row of another shard": (header(0, source_id=1), "entry.source"),
    "no row": (header(0, source_id=None), "entry.source"),
    "a row twice": (lambda made: made[0].header.update(source_id=made[1].header["source_id"]), "source.twice"),
    "a number of two entries": (numbered_alike, "entry.twice"),
    "no such template": (header(0, template_id=999_999), "template.not_in_force"),
    "no template": (header(0, template_id=None), "template.not_in_force"),
    "a template before its day": (dated(date(1999, 3, 1)), "template.not_in_force"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_the_shard_is_not_validated(fault: str) -> None:
    change, code = FAULTS[fault]
    ids = source_rows()
    _, (shard,) = plan(ids)
    made = entries(shard, ids)
    change(made)
    countable = made if fault != "not a number" else entries(shard, ids)
    step(poster.open_shard, shard.pk)
    copy(shard, made)
    step(poster.shard_staged, shard.pk, totals(countable, 3), {})
    assert code in {problem.code for problem in validate(shard)}
    shard.refresh_from_db()
    assert shard.state == "STAGED"


def test_sound_entries_pass_long_ones_too() -> None:
    ids = source_rows()
    _, (shard,) = plan(ids)
    made = entries(shard, ids)
    long_entry(list(range(1, 71)))(made)
    stage(shard, made)
    assert validate(shard) == []
    shard.refresh_from_db()
    assert (shard.state, shard.months) == ("VALIDATED", ["2019-03-01"])
    assert shard.accounts == {str(account_id(code)): "USD" for code in ("5200", "1010", "4100")}


@pytest.mark.parametrize("total", ["lines", "debits", "keys_total", "weighted_total"])
def test_a_total_that_the_frame_did_not_have_is_found(total: str) -> None:
    ids = source_rows()
    _, (shard,) = plan(ids)
    made = entries(shard, ids)
    stage(shard, made, **{total: getattr(totals(made, 3), total) + 1})
    assert [problem.code for problem in validate(shard)] == ["staging.totals"]


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM {} WHERE entry_id = (SELECT min(entry_id) FROM {})",
        "INSERT INTO {} SELECT * FROM {} LIMIT 1",
        "UPDATE {} SET amount = -amount",
        "UPDATE {} SET template_line = 1, account_id = account_id + 1 WHERE line_number = 3",
        "UPDATE {0} t SET account_id = o.account_id FROM {1} o WHERE o.entry_id = t.entry_id"
        " AND t.line_number IN (2, 3) AND o.line_number = 5 - t.line_number",
    ],
)
def test_staging_changed_by_one_whom_no_trigger_stops_is_found(change: str) -> None:
    ids = source_rows()
    _, (shard,) = plan(ids)
    stage(shard, entries(shard, ids))
    leaf = poster.line_leaf(shard.pk)
    execute(f"ALTER TABLE {leaf} DISABLE TRIGGER ALL")
    execute(change.format(leaf, leaf))
    assert validate(shard) != []


def test_amounts_that_two_entries_exchanged_are_found() -> None:
    """Their headers with them: each of the two is sound by itself."""
    ids = source_rows(2)
    _, (shard,) = plan(ids)
    made = entries(shard, ids)
    for row in [made[0].header, *made[0].lines]:
        row.update({name: 3 * row[name] for name in ("amount", "total") if name in row})
    stage(shard, made)
    for leaf, amount in ((poster.line_leaf(shard.pk), "amount"), (poster.header_leaf(shard.pk), "total")):
        execute(f"ALTER TABLE {leaf} DISABLE TRIGGER ALL")
        execute(
            f"UPDATE {leaf} SET {amount} = {amount}"
            f" * CASE entry_id WHEN {shard.entry_base + 1} THEN 1 / 3.0 ELSE 3 END"
        )
        execute(f"UPDATE {leaf} SET {amount} = round({amount}, 2)")
    assert [problem.code for problem in validate(shard)] == ["staging.totals"]


def test_a_row_that_is_not_there_is_found() -> None:
    ids = source_rows(5)
    _, (shard,) = plan([ids[0], ids[4]])
    stage(shard, entries(shard, [ids[0], ids[4]]))
    assert validate(shard) == []
    gap = [max(ids) + 10, max(ids) + 11]
    _, (other,) = plan(gap, pack="other")
    stage(other, entries(other, gap))
    assert {problem.code for problem in validate(other)} == {"source.unknown"}


def test_a_row_that_has_its_entry_is_found() -> None:
    run = posted_run()
    shard = run.shards.get()
    ids = range(shard.first_source_id, shard.last_source_id + 1)
    _, (again,) = plan(ids)
    stage(again, entries(again, ids))
    problems = validate(again)
    assert [problem.code for problem in problems] == ["source.journalised"] * 3


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("line", "amount = 2 * amount"),
        ("line", "account_id = (SELECT id FROM chart_of_accounts WHERE code = '4200') WHERE line_number = 3"),
        ("line", "fund = 'TBR' WHERE line_number = 1"),
        ("line", "template_line = 7 WHERE line_number = 1"),
        ("header", "source_id = source_id + 1"),
        ("header", "reverses_id = reverses_id + 1"),
        ("header", "reverses_date = reverses_date + 1"),
        ("header", "reverses_id = NULL, reverses_date = NULL"),
    ],
)
def test_what_is_no_mirror_takes_nothing_back(large: bool, table: str, change: str) -> None:
    run = posted_run(large=large)
    _, (shard,) = reverse(run)
    leaf = f"je_{table}_staging_{shard.pk}"
    execute(f"ALTER TABLE {leaf} DISABLE TRIGGER ALL")
    execute(f"UPDATE {leaf} SET {change}")
    assert "reversal.not_mirrored" in {problem.code for problem in validate(shard)}


@pytest.mark.parametrize(
    "elsewhere", [{"txn_month": date(2019, 4, 1)}, {"first_source_id": 1}, {"last_source_id": 10**9}]
)
def test_a_mirror_is_of_the_same_source_rows(elsewhere: dict[str, Any]) -> None:
    run = posted_run()
    shard = run.shards.get()
    same = {
        "txn_month": shard.txn_month,
        "first_source_id": shard.first_source_id,
        "last_source_id": shard.last_source_id,
    }
    back = JournalRun.objects.create(
        pack=run.pack, origin=run.origin, month=run.month, reverses_run=run, large=True, started_by=system_user(),
        policy_version=run.policy_version,
    )  # fmt: skip
    mirror = JournalShard.objects.create(
        run=back, number=shard.number, source_rows=shard.source_rows, **{**same, **elsewhere}
    )
    step(poster.stage_reversal, mirror.pk)
    assert [problem.code for problem in validate(mirror)] == ["reversal.not_mirrored"]


def test_what_a_crash_emptied_is_pending_again() -> None:
    ids = source_rows()
    run, (shard,) = plan(ids)
    made = entries(shard, ids)
    stage(shard, made)
    step(poster.run_staged, run.pk)
    for leaf in (poster.header_leaf(shard.pk), poster.line_leaf(shard.pk)):
        execute(f"ALTER TABLE {leaf} DISABLE TRIGGER ALL")
        execute(f"TRUNCATE {leaf}")  # as the server empties an unlogged table after a crash
    assert [problem.code for problem in validate(shard)] == [poster.STAGING_LOST]
    shard.refresh_from_db()
    run.refresh_from_db()
    assert (shard.state, run.state) == ("PENDING", "PENDING")
    stage(shard, made)
    assert step(poster.run_staged, run.pk) == "STAGED"
    assert validate(shard) == []


def test_staged_again_its_rejects_are_those_of_the_last_time() -> None:
    ids = source_rows()
    run, (shard,) = plan(ids)
    step(poster.open_shard, shard.pk)
    run.reject_rows.create(shard=shard, source_id=ids[0], code="no.template", message="none fits")
    step(poster.open_shard, shard.pk)
    assert run.reject_rows.count() == 0
    copy(shard, entries(shard, ids))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*), min(run_id), min(shard_id) FROM {poster.line_leaf(shard.pk)}")
        assert cursor.fetchone() == (9, run.pk, shard.pk)
