"""Sealing: what was sealed and is changed afterwards, by whomever, is found, and its block and row are named."""

import io
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry
from ledger.models import EntryHeader, EntryLine, LedgerAllocation, LedgerPosting, LedgerSeal
from ledger.selectors.seals import UnreadableHead, check_seals, heads, read_heads
from ledger.services import seals
from ledger.services.seals import StillWriting, seal_ledger

from .factories import MONDAY_AFTER, charge, make_account
from .journal_story import behind_the_triggers, enter_plain, entry_of, tell
from .lived_in import execute, refused
from .test_application_role import as_application

LOGS = {
    "POSTINGS": LedgerPosting,
    "ALLOCATIONS": LedgerAllocation,
    "HEADERS": EntryHeader,
    "LINES": EntryLine,
}


def broken() -> list[str]:
    return [proof.detail for proof in check_seals() if not proof.ok]


def sealed_rows() -> dict[str, int]:
    rows = dict.fromkeys(LOGS, 0)
    for seal in LedgerSeal.objects.all():
        rows[seal.log] += seal.rows
    return rows


def all_rows() -> dict[str, int]:
    return {log: model.objects.count() for log, model in LOGS.items()}


@pytest.fixture
def blocks_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Blocks so small that a short story has several."""
    return lambda rows: monkeypatch.setattr(seals, "BLOCK_ROWS", rows)


@pytest.mark.django_db
class TestSealing:
    def test_everything_is_sealed_once_and_what_comes_later_is_chained_to_it(self, blocks_of, tmp_path):
        blocks_of(4)
        story = tell(tmp_path)
        made = seal_ledger(actor=system_user())
        assert made.rows == sealed_rows() == all_rows()
        assert LedgerSeal.objects.filter(log="LINES").count() == -(-EntryLine.objects.count() // 4)
        assert broken() == []

        assert seal_ledger(actor=system_user()).rows == {}, "a second time there is nothing to seal"
        assert AuditEntry.objects.filter(action="ledger.sealed").count() == 1

        before = {head.log: head for head in heads()}
        charge(story.paid, "MISC", "3.00", on=MONDAY_AFTER)
        assert seal_ledger(actor=system_user()).rows == {"POSTINGS": 1, "HEADERS": 1, "LINES": 2}
        assert broken() == []
        after = {head.log: head for head in heads()}
        assert after["ALLOCATIONS"] == before["ALLOCATIONS"]
        assert after["LINES"].block == before["LINES"].block + 1
        assert [proof.ok for proof in check_seals(expected=list(before.values()))] == [True] * 8

    def test_the_same_ledger_has_the_same_seal_whatever_the_session_s_settings(self, tmp_path):
        tell(tmp_path)
        seal_ledger(actor=system_user())
        execute("SET LOCAL TimeZone = 'Asia/Tokyo'")
        execute("SET LOCAL DateStyle = 'German'")
        execute("SET LOCAL extra_float_digits = 0")
        assert broken() == []

    def test_a_void_changes_no_sealed_posting(self, tmp_path):
        from ledger.services import voids

        story = tell(tmp_path)
        seal_ledger(actor=system_user())
        voids.void_posting(
            posting_id=story.toll.pk, reason="Another cab's toll", actor=system_user(), on=MONDAY_AFTER
        )
        assert broken() == []
        assert seal_ledger(actor=system_user()).rows["POSTINGS"] == 1

    def test_the_application_s_role_can_seal_and_check_and_never_change_a_seal(self, tmp_path):
        tell(tmp_path)
        with as_application():
            seal_ledger(actor=system_user())
            assert broken() == []
        assert sealed_rows() == all_rows()
        for statement in (
            "UPDATE ledger_seal SET rows = 0",
            "DELETE FROM ledger_seal",
            "TRUNCATE ledger_seal",
        ):
            assert refused(statement)

    def test_every_night_a_job_seals(self, tmp_path):
        from batconnect.jobs.models import JobRun
        from batconnect.jobs.services import run_job
        from ledger.tasks import seal_ledger as nightly

        tell(tmp_path)
        job = JobRun.objects.get(pk=nightly())
        assert run_job(job_id=job.pk)
        job.refresh_from_db()
        assert job.result["heads"] == [str(head) for head in heads()]
        assert sealed_rows() == all_rows()

    def test_an_empty_ledger_has_nothing_to_seal(self):
        assert seal_ledger(actor=system_user()).as_dict() == {"blocks": {}, "rows": {}}
        assert broken() == []


# What somebody does who turned the triggers off, and how it is named.
TAMPERING: dict[str, tuple[list[str], list[str]]] = {
    "a line's amount": (
        ["UPDATE ledger_entry_line SET amount = amount + 1 WHERE entry_id = %(entry)s AND line_number = 2"],
        ["LINES", "line 2 of entry JE-201903-{entry} (CR 26 on 2400) was changed"],
    ),
    "a line's account": (
        ["UPDATE ledger_entry_line SET account_id = %(bank)s WHERE entry_id = %(entry)s AND line_number = 2"],
        ["LINES", "line 2 of entry JE-201903-{entry} (CR 25 on 1010) was changed"],
    ),
    "an entry, gone with its lines": (
        [
            "DELETE FROM ledger_entry_line WHERE entry_id = %(entry)s",
            "DELETE FROM ledger_entry_header WHERE id = %(entry)s",
        ],
        ["HEADERS", "entry {entry} is gone", "line 1 of entry {entry} is gone, line 2 of entry {entry} is gone"],
    ),
    "an entry put in between": (
        [
            "INSERT INTO ledger_entry_header (id, je_date, origin, event_on, line_count, total, created_by_id)"
            " SELECT %(unused)s, je_date, 'MANUAL', event_on, line_count, total, created_by_id"
            " FROM ledger_entry_header WHERE id = %(entry)s",
            "INSERT INTO ledger_entry_line (entry_id, line_number, je_date, account_id, currency, side, amount)"
            " SELECT %(unused)s, line_number, je_date, account_id, currency, side, amount"
            " FROM ledger_entry_line WHERE entry_id = %(entry)s",
        ],
        ["entry JE-201903-{unused} was added", "line 1 of entry JE-201903-{unused} (DR 25 on 1200) was added"],
    ),
    "an entry of another day": (
        ["UPDATE ledger_entry_header SET je_date = '2019-03-12' WHERE id = %(entry)s"],
        ["HEADERS", "entry JE-201903-{entry} was changed"],
    ),
    "who made an entry": (
        ["UPDATE ledger_entry_header SET created_by_id = 0 WHERE id = %(entry)s"],
        ["entry JE-201903-{entry} was changed"],
    ),
    "a posting's amount": (
        ["UPDATE ledger_posting SET amount = 24 WHERE id = %(posting)s"],
        ["POSTINGS", "posting {seq} (EZPASS TOLL-1 of account {account}, 24.00) was changed"],
    ),
    "a posting's moment": (
        ["UPDATE ledger_posting SET created_at = created_at - interval '1 microsecond' WHERE id = %(posting)s"],
        ["posting {seq} (EZPASS TOLL-1 of account {account}, 25.00) was changed"],
    ),
    "the parts of a posting": (
        ["UPDATE ledger_posting SET components = components || '{\"fees\": \"0.00\"}' WHERE category = 'LOAN'"],
        ["(LOAN LOAN-1 of account ", "was changed"],
    ),
    "a posting, gone": (
        ["DELETE FROM ledger_posting WHERE id = %(posting)s"],
        ["POSTINGS", "posting {seq} is gone"],
    ),
    "two postings in another order": (
        [
            "UPDATE ledger_posting p SET seq = CASE WHEN p.seq = %(seq)s THEN o.other ELSE %(seq)s END FROM ("
            " SELECT min(seq) AS other FROM ledger_posting WHERE seq > %(seq)s) o WHERE p.seq IN (%(seq)s, o.other)",
        ],
        ["POSTINGS", "posting {seq} (PVB TICKET-1 ", "(EZPASS TOLL-1 ", "was changed, posting "],
    ),
    "two lines in another order": (
        [
            "UPDATE ledger_entry_line SET line_number = 99 WHERE entry_id = %(entry)s AND line_number = 1",
            "UPDATE ledger_entry_line SET line_number = 1 WHERE entry_id = %(entry)s AND line_number = 2",
            "UPDATE ledger_entry_line SET line_number = 2 WHERE entry_id = %(entry)s AND line_number = 99",
        ],
        ["line 1 of entry JE-201903-{entry} (CR 25 on 2400) was changed, line 2 of entry"],
    ),
    "an allocation's amount": (
        ["UPDATE ledger_allocation SET amount = 9 WHERE debit_id = %(posting)s"],
        ["ALLOCATIONS", "of account {account}, 9.00 was changed"],
    ),
    "the digest of a block": (
        ["UPDATE ledger_seal SET digest = chain WHERE log = 'LINES' AND block = 2"],
        ["block 2 of LINES: its seal is not the one chained to block 1", "the seal was changed"],
    ),
    "the list of a block": (
        ["UPDATE ledger_seal SET marks = '' WHERE log = 'LINES' AND block = 2"],
        ["block 2 of LINES: its seal is not the one chained to block 1"],
    ),
    "a block, gone": (
        ["DELETE FROM ledger_seal WHERE log = 'HEADERS' AND block = 2"],
        ["block 2 of HEADERS is missing; 3 is the next that is there"],
    ),
}  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("what", TAMPERING)
def test_what_was_sealed_and_is_changed_is_named(what, blocks_of, tmp_path):
    blocks_of(5)
    story = tell(tmp_path)
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('ledger_entry_id_seq')")
        (unused,) = cursor.fetchone()
    enter_plain("1010", "3000", "1.00")
    facts: dict[str, Any] = {
        "posting": story.toll.pk,
        "seq": LedgerPosting.objects.get(pk=story.toll.pk).seq,
        "entry": entry_of(story.toll).pk,
        "account": story.paid.pk,
        "bank": enter_plain("1010", "3000", "1.00").lines.get(line_number=1).account_id,
        "unused": unused,
    }
    seal_ledger(actor=system_user())
    assert broken() == []
    statements, named = TAMPERING[what]
    behind_the_triggers(*statements, **facts)

    found = "\n".join(broken())

    for part in named:
        assert part.format(**facts) in found


@pytest.mark.django_db
class TestHeads:
    def test_a_chain_made_anew_is_found_by_the_head_that_was_kept(self, tmp_path):
        story = tell(tmp_path)
        seal_ledger(actor=system_user())
        kept = tmp_path / "heads.txt"
        assert run("verify_ledger", "--head") == "\n".join(map(str, heads())) + "\n"
        kept.write_text("# kept on paper, too\n" + run("verify_ledger", "--head"))
        assert "The ledger is proved." in run("verify_ledger", "--seals", "--head-file", str(kept))
        behind_the_triggers(
            "UPDATE ledger_posting SET reason = 'As if' WHERE id = %(toll)s", toll=story.toll.pk
        )
        assert "was changed" in failing("verify_ledger", "--seals")

        behind_the_triggers("DELETE FROM ledger_seal")
        seal_ledger(actor=system_user())

        assert "The ledger is proved." in run("verify_ledger", "--seals"), "by itself the new chain is sound"
        said = failing("verify_ledger", "--seals", "--head-file", str(kept))
        assert (
            f"block 1 of POSTINGS: kept was {read_heads(kept.read_text())[-1].chain}, and now it is" in said
        )
        posting_head = next(head for head in read_heads(kept.read_text()) if head.log == "POSTINGS")
        assert "kept was" in failing("verify_ledger", "--expect", str(posting_head).replace(" ", ":"))

    def test_a_chain_cut_off_at_its_end_is_found_by_the_head_that_was_kept(self, blocks_of, tmp_path):
        blocks_of(6)
        tell(tmp_path)
        seal_ledger(actor=system_user())
        last = next(head for head in heads() if head.log == "LINES")
        behind_the_triggers(
            "DELETE FROM ledger_seal WHERE log = 'LINES' AND block = %(block)s", block=last.block
        )
        assert broken() == []
        (wrong,) = [proof for proof in check_seals(expected=[last]) if not proof.ok]
        assert wrong.detail == f"block {last.block} of LINES was sealed, and is not there any more"

    def test_json_says_the_same(self, tmp_path):
        tell(tmp_path)
        sealed = json.loads(run("seal_ledger", "--json"))
        assert sealed["rows"] == all_rows()
        assert sealed["heads"] == json.loads(run("verify_ledger", "--head", "--json"))["heads"]
        assert json.loads(run("verify_ledger", "--seals", "--json"))["ok"] is True

    @pytest.mark.parametrize("text", ["", "# nothing", "LINES 1", "WORDS 1 abc", "LINES one abc"])
    def test_what_is_no_head_is_told_so(self, text):
        with pytest.raises(UnreadableHead):
            read_heads(text)


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def failing(*arguments: str) -> str:
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command(*arguments, stdout=out)
    assert ended.value.code == 1
    return out.getvalue()


class TestWhileOthersPost:
    def test_it_waits_for_whoever_drew_a_lower_key_and_has_not_committed(self, committing_database):
        account, other = make_account(), make_account()
        charge(other, "MISC", "9.00")  # the month's partitions are there before anybody is in a hurry
        drawn, committed = threading.Event(), threading.Event()

        def slow() -> None:
            with transaction.atomic():
                charge(account, "MISC", "1.00", "SLOW")
                drawn.set()
                assert committed.wait(30)
            connections.close_all()

        clerk = threading.Thread(target=slow)
        clerk.start()
        assert drawn.wait(30)
        charge(other, "MISC", "2.00", "QUICK")
        with pytest.raises(StillWriting, match=r"1 transactions have been writing .* nothing was sealed"):
            seal_ledger(actor=system_user(), patience=0.2)
        assert LedgerSeal.objects.count() == 0
        made: list[Any] = []

        def seal() -> None:
            made.append(seal_ledger(actor=system_user()))
            connections.close_all()

        sealer = threading.Thread(target=seal)
        sealer.start()
        sealer.join(0.5)
        assert sealer.is_alive(), "it waits"
        charge(other, "MISC", "3.00", "LATER")  # and nobody waits for it
        committed.set()
        clerk.join(30)
        sealer.join(30)
        seal_ledger(actor=system_user())
        assert made[0].rows["POSTINGS"] >= 2
        assert broken() == []
        assert sealed_rows() == all_rows()

    def test_it_does_not_wait_for_readers_nor_for_other_tables(self, committing_database):
        account = make_account()
        charge(account, "MISC", "1.00")
        reading, done = threading.Event(), threading.Event()

        def read() -> None:
            with transaction.atomic():
                LedgerPosting.objects.count()
                system_user().save()
                reading.set()
                assert done.wait(30)
            connections.close_all()

        reader = threading.Thread(target=read)
        reader.start()
        assert reading.wait(30)
        assert seal_ledger(actor=system_user(), patience=0).rows["POSTINGS"] == 1
        done.set()
        reader.join(30)

    @pytest.mark.slow
    def test_sealing_again_and_again_among_busy_clerks_misses_nothing(self, committing_database, blocks_of):
        blocks_of(7)
        accounts = [make_account() for _ in range(4)]
        charge(accounts[0], "MISC", "9.00")
        stop, failures = threading.Event(), []

        def post(number: int) -> None:
            try:
                count = 0
                while not stop.is_set() and count < 400:
                    with transaction.atomic():
                        for _ in range(number + 1):
                            charge(accounts[number], "MISC", "1.00", f"C{number}-{count}")
                            count += 1
            except Exception as error:
                failures.append(error)
            finally:
                connections.close_all()

        clerks = [threading.Thread(target=post, args=(number,)) for number in range(len(accounts))]
        for clerk in clerks:
            clerk.start()
        sealings = 0
        while any(clerk.is_alive() for clerk in clerks) and sealings < 60:
            seal_ledger(actor=system_user())
            sealings += 1
        stop.set()
        for clerk in clerks:
            clerk.join(60)
        seal_ledger(actor=system_user())
        assert failures == []
        assert sealings > 3
        assert broken() == []
        assert sealed_rows() == all_rows()


@pytest.mark.slow
def test_sealing_killed_at_any_statement_goes_on_where_it_was(cloned_database, tmp_path: Path):
    from tests.databases import PROJECT, manage_environment

    from .sacrifices import Point, Sacrifices
    from .test_kills import copied, wait_until_alone

    with Sacrifices(manage_environment(cloned_database), cwd=PROJECT) as sacrifices:
        assert sacrifices.run(cloned_database, "seed", "2").code == 0
        with copied(cloned_database) as calm:
            calm_run = sacrifices.run(calm, "seal_ledger")
            assert calm_run.code == 0, calm_run.output
            expected = sacrifices.run(calm, "verify_ledger", "--head").output
        assert expected.count("\n") >= 4
        names = [name for name, _ in calm_run.statements]
        for place in range(0, len(names), max(1, len(names) // 6)):
            point = Point(names[place], names[: place + 1].count(names[place]), when="after")
            sacrifices.run(cloned_database, "seal_ledger", at=point)
            wait_until_alone(cloned_database)
        again = sacrifices.run(cloned_database, "seal_ledger")
        assert again.code == 0, again.output
        proofs = sacrifices.run(cloned_database, "verify_ledger", "--seals")
        assert proofs.code == 0, proofs.output
        assert sacrifices.run(cloned_database, "verify_ledger", "--head").output == expected
