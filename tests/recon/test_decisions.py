"""What people decide: accepted, rejected, matched by hand, written off, undone; audited, and never twice."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry, User
from ledger.models import EntryHeader, EntryLine
from ledger.services.errors import ControlAccount
from ledger.services.reasons import ReasonLength
from recon.models import ReconJob, ReconLog, ReconMatch
from recon.selectors.exceptions import open_exceptions, precision_by_score
from recon.services import decisions, matches, write_offs
from recon.services.errors import ChangedMeanwhile
from tests.factories import make_user
from tests.ledger.factories import broken_proofs

from .stories import DAY, bank_file, ends, key_of, log_of, make_source, post, reconcile
from .test_runs import line

pytestmark = pytest.mark.django_db
WHY = "Seen on the paper statement"
NINE = "2025-07-13T09:00:00-04:00"
MINUTE_LATER = "2025-07-13T09:01:00-04:00"


@pytest.fixture
def clerk(db: None) -> User:
    return make_user(username="clerk")


def suggested(folder: Path, *, outside: str = "25.00", inside: str = "25.00", **source: Any) -> ReconJob:
    """One pair that needs a person."""
    made = make_source(
        **{"match_from": "0.990", "suggest_from": "0.100", "write_off_limit": "5.00", **source}
    )
    post(inside, at=NINE, description="CURB CARD", account=source.get("accounts", ["1100"])[0])
    return reconcile(made, bank_file(folder, [line("A", outside, at=MINUTE_LATER, text="CURB TAXI")]))


def open_keys(job: ReconJob) -> set[str]:
    return set(open_exceptions([job.pk]).values_list("key", flat=True))


def test_accepting_makes_a_match_that_later_runs_leave_alone(tmp_path: Path, clerk: User) -> None:
    job = suggested(tmp_path)
    log = log_of(job, "A")
    match = decisions.accept(log_id=log.pk, actor=clerk, note="Same trip")
    assert (match.rule, match.score, match.decided_by, match.job) == ("score", log.score, clerk, job)
    assert open_keys(job) == set()
    with pytest.raises(ChangedMeanwhile):
        decisions.accept(log_id=log_of(job, log.partners[0]).pk, actor=clerk)
    again = reconcile(job.source, bank_file(tmp_path, [line("B", "1.00")]))
    assert ends(again)["A"] == ("matched", "decided")
    (audit,) = AuditEntry.objects.filter(action="recon.accepted")
    assert (audit.actor, audit.after["external"], audit.after["ledger"]) == (clerk, ["A"], log.partners)


def test_a_job_that_was_superseded_is_no_longer_decided_upon(tmp_path: Path, clerk: User) -> None:
    job = suggested(tmp_path)
    reconcile(job.source, bank_file(tmp_path, [line("B", "1.00")]))
    with pytest.raises(decisions.UnknownException):
        decisions.accept(log_id=log_of(job, "A").pk, actor=clerk)


def test_what_was_rejected_is_not_suggested_again(tmp_path: Path, clerk: User) -> None:
    job = suggested(tmp_path)
    partner = log_of(job, "A").partners[0]
    with pytest.raises(ReasonLength):
        decisions.reject(log_id=log_of(job, "A").pk, reason="no", actor=clerk)
    decisions.reject(log_id=log_of(job, "A").pk, reason=WHY, actor=clerk)
    assert open_keys(job) == {"A", partner}  # still without a partner
    assert all(row.turned_down for row in open_exceptions([job.pk]))  # type: ignore[attr-defined]
    again = reconcile(job.source)
    assert ends(again) == {"A": ("unmatched", "")}
    log = log_of(again, "A")
    assert (log.nearest, log.failed) == (partner, "rejected")


def test_an_ambiguous_row_is_accepted_with_the_partner_a_person_chose(tmp_path: Path, clerk: User) -> None:
    source = make_source()
    first, second = (post("10.00", at=NINE) for _ in range(2))
    job = reconcile(source, bank_file(tmp_path, [line("A", "10.00", at=MINUTE_LATER)]))
    log = log_of(job, "A")
    with pytest.raises(decisions.ChooseOne, match=key_of(first)):
        decisions.accept(log_id=log.pk, actor=clerk)
    decisions.accept(log_id=log.pk, actor=clerk, partner=key_of(second))
    assert open_keys(job) == {key_of(first)}


def test_a_group_is_accepted_as_a_whole_from_any_of_its_rows(tmp_path: Path, clerk: User) -> None:
    source = make_source()
    lines = [post(amount, at=NINE) for amount in ("10.00", "20.50", "4.49")]
    job = reconcile(source, bank_file(tmp_path, [line("P", "34.99", at="2025-07-13T09:10:00-04:00")]))
    match = decisions.accept(log_id=log_of(job, key_of(lines[1])).pk, actor=clerk)
    assert (match.rows.count(), match.difference) == (4, 0)
    assert open_keys(job) == set()


def test_an_unmatched_row_has_nothing_to_accept(tmp_path: Path, clerk: User) -> None:
    job = reconcile(make_source(), bank_file(tmp_path, [line("A", "10.00")]))
    with pytest.raises(decisions.NothingSuggested):
        decisions.accept(log_id=log_of(job, "A").pk, actor=clerk)


def test_rows_are_matched_by_hand_and_the_difference_is_kept(tmp_path: Path, clerk: User) -> None:
    source = make_source()
    entry = post("100.00", at="2025-07-11T09:00:00-04:00")
    job = reconcile(source, bank_file(tmp_path, [line("A", "60.00"), line("B", "39.50")]))
    asked = {"source": source, "external": ["A", "B"], "ledger": [key_of(entry)], "actor": clerk}
    with pytest.raises(ReasonLength):
        decisions.match_by_hand(**asked, reason="")
    match = decisions.match_by_hand(**asked, reason=WHY)
    assert (match.rule, match.difference, match.note) == ("hand", Decimal("-0.50"), WHY)
    assert open_keys(job) == set()
    with pytest.raises(ChangedMeanwhile):
        decisions.match_by_hand(**asked, reason=WHY)


@pytest.mark.parametrize(
    ("external", "ledger", "error"),
    [
        (["A"], [], decisions.OneSided),
        ([], ["JE-202507-1/1"], decisions.OneSided),
        (["nobody"], ["JE-202507-1/1"], matches.UnknownRow),
        (["A"], ["JE-202507-999999999/1"], matches.UnknownRow),
        (["A"], ["hello"], matches.UnknownRow),
        (["A"], ["4900"], matches.UnknownRow),  # the other line of the entry: an account of no concern
    ],
)
def test_rows_that_are_not_the_sources_are_not_matched(
    tmp_path: Path, clerk: User, external: list[str], ledger: list[str], error: Any
) -> None:
    source = make_source()
    entry = post("10.00", at="2025-07-11T09:00:00-04:00")
    reconcile(source, bank_file(tmp_path, [line("A", "60.00")]))
    ledger = [key_of(entry, 2) if key == "4900" else key for key in ledger]
    with pytest.raises(error):
        decisions.match_by_hand(source=source, external=external, ledger=ledger, reason=WHY, actor=clerk)
    assert not ReconMatch.objects.exists()


def test_undoing_an_acceptance_brings_the_suggestion_back(tmp_path: Path, clerk: User) -> None:
    job = suggested(tmp_path)
    match = decisions.accept(log_id=log_of(job, "A").pk, actor=clerk)
    undone = write_offs.undo(match_id=match.pk, reason=WHY, actor=clerk, on=DAY)
    assert (undone.status, undone.undone_by, undone.undo_reason) == ("UNDONE", clerk, WHY)
    assert len(open_keys(job)) == 2
    with pytest.raises(matches.AlreadyUndone):
        write_offs.undo(match_id=match.pk, reason=WHY, actor=clerk, on=DAY)
    decisions.accept(log_id=log_of(job, "A").pk, actor=clerk)


def test_an_automatic_match_that_is_undone_is_not_made_again(tmp_path: Path, clerk: User) -> None:
    source = make_source()
    post("10.00", at=NINE, reference="T")
    reconcile(source, bank_file(tmp_path, [line("A", "10.00", ref="T")]))
    match = ReconMatch.objects.get()
    write_offs.undo(match_id=match.pk, reason=WHY, actor=clerk, on=DAY)
    job = reconcile(source)
    assert ends(job) == {"A": ("unmatched", "")}
    assert log_of(job, "A").failed == "rejected"


# --- write-offs -------------------------------------------------------------------------------------------------


def moved(account: str) -> Decimal:
    lines = EntryLine.objects.filter(account__code=account)
    return sum((one.amount if one.side == "DR" else -one.amount for one in lines), Decimal(0))


def test_the_difference_of_a_pair_is_written_off_and_nothing_new_is_left_open(
    tmp_path: Path, clerk: User
) -> None:
    job = suggested(tmp_path, outside="23.80")
    match = write_offs.write_off(
        log_id=log_of(job, "A").pk, reason=WHY, actor=clerk, on=date(2025, 7, 20), with_partner=True
    )
    assert (match.rule, match.difference, match.rows.count()) == ("write_off", 0, 3)
    assert (moved("5200"), moved("1100")) == (Decimal("1.20"), Decimal("23.80"))
    entry = EntryHeader.objects.get(pk=match.entry_id)
    assert (entry.origin, entry.template.code, entry.created_by) == ("RECON", "RECON_DIFFERENCE", clerk)
    later = reconcile(job.source, on=date(2025, 7, 21))
    assert (ends(later), ends(later, "ledger")) == ({}, {})
    assert AuditEntry.objects.get(action="recon.written_off").after["amount"] == "1.200000"
    assert broken_proofs() == []


def test_an_outside_row_that_nobody_posted_is_written_off_into_the_account(
    tmp_path: Path, clerk: User
) -> None:
    job = reconcile(make_source(write_off_limit="5.00"), bank_file(tmp_path, [line("A", "3.00")]))
    match = write_offs.write_off(log_id=log_of(job, "A").pk, reason=WHY, actor=clerk, on=DAY)
    assert (moved("1100"), moved("5200"), match.difference) == (Decimal(3), Decimal(-3), 0)


def test_a_reversed_source_writes_off_in_its_own_direction(tmp_path: Path, clerk: User) -> None:
    source = make_source(write_off_limit="5.00", reversed_sign=True)
    job = reconcile(source, bank_file(tmp_path, [line("A", "3.00")]))
    write_offs.write_off(log_id=log_of(job, "A").pk, reason=WHY, actor=clerk, on=DAY)
    assert moved("1100") == Decimal(-3)


def test_another_account_is_written_off_against_the_account_that_the_source_names(
    tmp_path: Path, clerk: User
) -> None:
    from ledger.models import Account

    source = make_source(
        write_off_limit="5.00", accounts=["1010"], difference_account=Account.objects.get(code="5100")
    )
    job = reconcile(source, bank_file(tmp_path, [line("A", "-3.00")]))
    write_offs.write_off(log_id=log_of(job, "A").pk, reason=WHY, actor=clerk, on=DAY)
    assert (moved("1010"), moved("5100")) == (Decimal(-3), Decimal(3))


@pytest.mark.parametrize(("amount", "allowed"), [("5.00", True), ("5.01", False)])
def test_no_more_is_written_off_than_the_limit(
    tmp_path: Path, clerk: User, amount: str, allowed: bool
) -> None:
    job = reconcile(make_source(write_off_limit="5.00"), bank_file(tmp_path, [line("A", amount)]))
    if allowed:
        write_offs.write_off(log_id=log_of(job, "A").pk, reason=WHY, actor=clerk, on=DAY)
    else:
        with pytest.raises(write_offs.OverLimit, match=r"5\.01 is above what may be written off here, 5\.00"):
            write_offs.write_off(log_id=log_of(job, "A").pk, reason=WHY, actor=clerk, on=DAY)
        assert not EntryHeader.objects.exists() and not ReconMatch.objects.exists()


def test_a_control_account_takes_no_write_off(tmp_path: Path, clerk: User) -> None:
    job = reconcile(
        make_source(write_off_limit="5.00", accounts=["1200"]), bank_file(tmp_path, [line("A", "3.00")])
    )
    with pytest.raises(ControlAccount):
        write_offs.write_off(log_id=log_of(job, "A").pk, reason=WHY, actor=clerk, on=DAY)
    assert not EntryHeader.objects.exists() and not ReconMatch.objects.exists()


def test_equal_sides_have_nothing_to_write_off(tmp_path: Path, clerk: User) -> None:
    job = suggested(tmp_path)
    with pytest.raises(write_offs.NothingToWriteOff):
        write_offs.write_off(log_id=log_of(job, "A").pk, reason=WHY, actor=clerk, on=DAY, with_partner=True)


def test_a_source_of_two_accounts_cannot_tell_where_an_outside_row_belongs(
    tmp_path: Path, clerk: User
) -> None:
    source = make_source(write_off_limit="5.00", accounts=["1010", "1100"])
    job = reconcile(source, bank_file(tmp_path, [line("A", "3.00")]))
    with pytest.raises(write_offs.WhichAccount):
        write_offs.write_off(log_id=log_of(job, "A").pk, reason=WHY, actor=clerk, on=DAY)


def test_undoing_a_write_off_mirrors_its_entry_and_opens_the_rows_again(tmp_path: Path, clerk: User) -> None:
    job = suggested(tmp_path, outside="23.80")
    match = write_offs.write_off(
        log_id=log_of(job, "A").pk, reason=WHY, actor=clerk, on=DAY, with_partner=True
    )
    write_offs.undo(match_id=match.pk, reason=WHY, actor=clerk, on=DAY)
    assert (moved("5200"), moved("1100")) == (0, Decimal(25))
    assert len(open_keys(job)) == 2
    again = reconcile(job.source)
    assert [outcome for outcome, _ in ends(again, "ledger").values()] == ["suggested"]
    assert broken_proofs() == []


def test_what_an_automatic_match_left_over_is_written_off_afterwards(tmp_path: Path, clerk: User) -> None:
    source = make_source(write_off_limit="5.00", match_from="0.300", suggest_from="0.300")
    post("25.00", at=NINE, description="CURB CARD")
    reconcile(source, bank_file(tmp_path, [line("A", "24.50", at=MINUTE_LATER, text="CURB CARD")]))
    match = ReconMatch.objects.get()
    assert (match.status, match.difference) == ("ACTIVE", Decimal("-0.50"))
    made = write_offs.write_off_match(match_id=match.pk, reason=WHY, actor=clerk, on=DAY)
    assert (made.difference, moved("5200")) == (0, Decimal("0.50"))


def test_notes_stay_with_their_row(tmp_path: Path, clerk: User) -> None:
    job = suggested(tmp_path)
    decisions.comment(log_id=log_of(job, "A").pk, text="Asked the bank", actor=clerk)
    with pytest.raises(decisions.NoteMissing):
        decisions.comment(log_id=log_of(job, "A").pk, text=" ", actor=clerk)
    later = reconcile(job.source, bank_file(tmp_path, [line("B", "1.00")]))
    from recon.selectors.exceptions import notes_of

    assert [
        note.text for note in notes_of(ReconLog.objects.select_related("job").get(pk=log_of(later, "A").pk))
    ] == ["Asked the bank"]


def test_precision_by_score_counts_what_people_decided(tmp_path: Path, clerk: User) -> None:
    job = suggested(tmp_path)
    decisions.accept(log_id=log_of(job, "A").pk, actor=clerk)
    (row,) = precision_by_score(job.source)
    assert row == {"score": Decimal("0.8"), "accepted": 1, "rejected": 0, "precision": 1}
    assert system_user().pk != clerk.pk
