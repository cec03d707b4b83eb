"""Journals by hand: a bank fee, a correction taken back, and everything that is refused."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry, User
from ledger.models import DTR, Account, EntryHeader, EntryReversal, LedgerPosting, ManualJournal, Origin
from ledger.selectors.journal import entry_numbered, lines_of, provenance
from ledger.services import journal_lines as lines_service
from ledger.services import journals, statements
from ledger.services.errors import AlreadyReversed, AmountTooLarge, ClosedPeriod, LedgerError
from ledger.services.postings import DatedAhead
from ledger.services.reasons import ReasonLength
from tests.factories import make_lease

from .factories import MONDAY_AFTER, SATURDAY, SUNDAY, WEEK, charge, make_account, run
from .journal_stories import (
    FEE_DAY,
    TODAY,
    accountant,
    bank_fee,
    controller,
    enter,
    line,
    moved,
    submit,
    written,
)
from .trip_files import load, trip

pytestmark = pytest.mark.django_db

WHY = "It was the fee of another account."


def refused(error: type[LedgerError], act: Callable[[], Any]) -> LedgerError:
    """Do what has to be refused with this error; nothing may be written."""
    before = written()
    with pytest.raises(error) as caught:
        act()
    assert written() == before
    return caught.value


# --- stories ------------------------------------------------------------------------------------------------


def test_a_bank_fee_is_written_by_one_and_entered_by_another() -> None:
    ann, bob = accountant(), controller()
    journal = submit(by=ann, reference="Statement 3/2019", metadata={"page": "2"})
    assert (journal.number, journal.status, journal.entry_id) == ("MJ-2019-00001", "SUBMITTED", None)
    assert moved("5200") == moved("1010") == 0  # written is not entered

    journals.approve_journal(number=journal.number, actor=bob, note="Seen on the statement")
    journal.refresh_from_db()
    entry = EntryHeader.objects.get(pk=journal.entry_id)
    assert (journal.status, journal.decided_by, journal.decision_note) == (
        "POSTED",
        bob,
        "Seen on the statement",
    )
    assert entry.je_number == f"JE-201903-{entry.pk}"
    assert (entry.origin, entry.je_date, entry.created_by, entry.reference) == (
        "MANUAL",
        FEE_DAY,
        ann,
        journal.number,
    )
    assert (entry.line_count, entry.total, entry.metadata) == (2, Decimal("35"), {"page": "2"})
    assert [
        (line.account.code, line.side, line.amount, line.fund, line.currency_id) for line in lines_of(entry)
    ] == [
        ("5200", "DR", Decimal("35"), "OP", "USD"),
        ("1010", "CR", Decimal("35"), "OP", "USD"),
    ]
    assert (moved("5200"), moved("1010")) == (Decimal("35"), Decimal("-35"))
    trail = AuditEntry.objects.filter(subject=f"journal:{journal.number}").order_by("id")
    assert [(entry.action, entry.actor) for entry in trail] == [
        ("journal.submitted", ann),
        ("journal.approved", bob),
    ]
    assert provenance(entry).manual_journal == journal


def test_a_journal_of_many_lines_balances_as_a_whole() -> None:
    """CURB paid 970 of 1,000: the bank 970, fees 30, against the receivable; the drawer's 12 banked with it."""
    entry = enter(
        lines=[
            line("1010", "DR", "982.00"),
            line("5200", "DR", Decimal("30")),
            line("1100", "CR", 1000),
            line("1020", "CR", "12"),
        ]
    )
    assert (entry.line_count, entry.total) == (4, Decimal("1012"))
    assert {code: moved(code) for code in ("1010", "5200", "1100", "1020")} == {
        "1010": Decimal("982"), "5200": Decimal("30"), "1100": Decimal("-1000"), "1020": Decimal("-12"),
    }  # fmt: skip


def test_a_correction_is_reversed_and_the_right_one_entered() -> None:
    ann, bob = accountant(), controller()
    wrong = enter(by=ann, approver=bob, lines=bank_fee("53.00"))
    mirror = journals.reverse_journal(je_number=wrong.je_number, reason=WHY, actor=ann, on=TODAY)
    assert (mirror.je_date, mirror.reverses_id, mirror.reverses_date) == (TODAY, wrong.pk, FEE_DAY)
    assert mirror.lines == [
        line("5200", "CR", "53.00", fund="OP", currency="USD"),
        line("1010", "DR", "53.00", fund="OP", currency="USD"),
    ]
    assert provenance(wrong).reversal_waiting == mirror
    assert moved("5200") == Decimal("53")  # asked for is not done

    journals.approve_journal(number=mirror.number, actor=bob)
    reversal = EntryReversal.objects.get(pk=wrong.pk)
    assert moved("5200") == moved("1010") == 0
    told = provenance(wrong)
    assert (told.reversed_by, told.reversal_waiting) == (f"JE-201904-{reversal.reversed_by_id}", None)
    entry = entry_numbered(f"JE-201904-{reversal.reversed_by_id}")
    assert entry is not None and provenance(entry).reverses == wrong.je_number
    enter(by=ann, approver=bob)
    assert moved("5200") == Decimal("35")


def test_a_reversal_may_be_dated_on_a_day_of_choice_not_before_its_original() -> None:
    entry = enter()
    refused(
        journals.ReversedTooEarly,
        lambda: journals.reverse_journal(
            je_number=entry.je_number,
            reason=WHY,
            actor=accountant(),
            on=TODAY,
            je_date=FEE_DAY - timedelta(days=1),
        ),
    )
    mirror = journals.reverse_journal(
        je_number=entry.je_number, reason=WHY, actor=accountant(), on=TODAY, je_date=FEE_DAY
    )
    journals.approve_journal(number=mirror.number, actor=controller())
    assert EntryReversal.objects.get(pk=entry.pk).reversed_by_date == FEE_DAY


def test_a_rejected_journal_is_kept_with_the_reason_and_enters_nothing() -> None:
    journal, bob = submit(), controller()
    journals.reject_journal(number=journal.number, note="The statement says 53.00.", actor=bob)
    journal.refresh_from_db()
    assert (journal.status, journal.decided_by, journal.decision_note) == (
        "REJECTED", bob, "The statement says 53.00.",
    )  # fmt: skip
    assert not EntryHeader.objects.exists()
    assert AuditEntry.objects.latest("id").action == "journal.rejected"


def test_a_rejected_reversal_may_be_asked_for_again() -> None:
    entry = enter()
    first = journals.reverse_journal(je_number=entry.je_number, reason=WHY, actor=accountant(), on=TODAY)
    journals.reject_journal(number=first.number, note="It is our fee after all.", actor=controller())
    again = journals.reverse_journal(je_number=entry.je_number, reason=WHY, actor=accountant(), on=TODAY)
    journals.approve_journal(number=again.number, actor=controller())
    assert moved("5200") == 0


def test_amounts_have_their_accounts_currency_and_its_decimals() -> None:
    for code in ("9010", "9020"):
        Account.objects.create(code=code, name="Yen", type="ASSET", currency_id="JPY")
    Account.objects.create(code="9030", name="Dinar", type="ASSET", currency_id="KWD")
    entry = enter(
        lines=[
            line("9010", "DR", "500"),
            line("9020", "CR", "500", currency="JPY"),
            line("9030", "DR", "1.125"),
            line("9030", "CR", "1.125"),
            *bank_fee(),
        ]
    )
    assert entry.total == Decimal("536.125")
    problem = refused(
        lines_service.LineAmount,
        lambda: submit(lines=[line("9010", "DR", "500.5"), line("9020", "CR", "500.5")]),
    )
    assert "Line 1" in str(problem) and "0 decimals in JPY" in str(problem)


# --- what is refused ----------------------------------------------------------------------------------------

FEE, BANK = bank_fee()
BAD_LINES: dict[str, tuple[list[dict[str, Any]], type[LedgerError], str]] = {
    "no lines": ([], lines_service.LineCount, "has 2 to 500 lines; this one has 0"),
    "one line": ([FEE], lines_service.LineCount, "this one has 1"),
    "501 lines": ([FEE] * 501, lines_service.LineCount, "this one has 501"),
    "unbalanced by a cent": (
        [FEE, {**BANK, "amount": "34.99"}],
        lines_service.Unbalanced,
        "the difference is 0.01",
    ),
    "one side only": ([FEE, FEE], lines_service.Unbalanced, "debits are 70.00 and credits 0"),
    "unknown account": ([FEE, {**BANK, "account": "1011"}], lines_service.LineAccountUnknown, "Line 2"),
    "no account": ([{**FEE, "account": ""}, BANK], lines_service.LineAccountUnknown, "Line 1"),
    "a third side": ([FEE, {**BANK, "side": "XX"}], lines_service.LineSide, "Line 2"),
    "no side": ([{**FEE, "side": None}, BANK], lines_service.LineSide, "Line 1"),
    "nothing": ([FEE, {**BANK, "amount": "0.00"}], lines_service.LineAmount, "Line 2"),
    "negative": ([FEE, {**BANK, "amount": "-35.00"}], lines_service.LineAmount, "Line 2"),
    "a negative decimal": ([FEE, {**BANK, "amount": Decimal("-35.00")}], lines_service.LineAmount, "Line 2"),
    "a tenth of a cent": ([FEE, {**BANK, "amount": "35.001"}], lines_service.LineAmount, "2 decimals in USD"),
    "a float": ([FEE, {**BANK, "amount": 35.0}], lines_service.LineAmount, "Line 2"),
    "true": ([FEE, {**BANK, "amount": True}], lines_service.LineAmount, "Line 2"),
    "an exponent": ([FEE, {**BANK, "amount": "35e0"}], lines_service.LineAmount, "Line 2"),
    "a comma": ([FEE, {**BANK, "amount": "1,035.00"}], lines_service.LineAmount, "Line 2"),
    "other digits": ([FEE, {**BANK, "amount": "٣٥"}], lines_service.LineAmount, "Line 2"),
    "not a number": ([FEE, {**BANK, "amount": Decimal("NaN")}], lines_service.LineAmount, "Line 2"),
    "infinity": ([FEE, {**BANK, "amount": Decimal("Infinity")}], lines_service.LineAmount, "Line 2"),
    "a bomb": ([FEE, {**BANK, "amount": Decimal("1E+999999")}], lines_service.LineAmount, "Line 2"),
    "too large": ([FEE, {**BANK, "amount": 10**14}], lines_service.LineAmount, "Line 2"),
    "too large together": (
        [line(code, side, "99999999999999") for code, side in (("5200", "DR"), ("1010", "CR"))] * 2,
        AmountTooLarge,
        "larger than the ledger holds",
    ),
    "another currency": (
        [FEE, {**BANK, "currency": "EUR"}],
        lines_service.LineCurrency,
        "account 1010 is kept in USD",
    ),
    "an unknown fund": ([FEE, {**BANK, "fund": "XYZ"}], lines_service.LineFund, "there is no fund XYZ"),
    "drivers' receivable": (
        [line("1200", "DR", "35.00"), BANK],
        lines_service.LineControlAccount,
        "Line 1: account 1200 Drivers receivable is a control account",
    ),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_journal_is_refused_with_lines_of(case: str) -> None:
    lines, error, said = BAD_LINES[case]
    ann = accountant()
    assert said in str(refused(error, lambda: submit(by=ann, lines=lines)))


@pytest.mark.parametrize("code", ["1200", "1300", "2100", "2300", "2500"])
def test_no_control_account_takes_a_manual_line(code: str) -> None:
    refused(lines_service.LineControlAccount, lambda: submit(lines=[FEE, line(code, "CR", "35.00")]))


def test_every_fund_balances_by_itself() -> None:
    Account.objects.create(code="1610", name="Due from operator", type="ASSET", fund="TBR")
    problem = refused(
        lines_service.Unbalanced,
        lambda: submit(lines=[line("1610", "DR", "35.00"), line("1010", "CR", "35.00")]),
    )
    assert "fund TBR" in str(problem)


def test_an_account_that_is_not_active_is_refused_when_written_and_when_approved() -> None:
    journal = submit()
    Account.objects.filter(code="5200").update(active=False)
    refused(lines_service.LineAccountInactive, submit)
    bob = controller()
    problem = refused(
        lines_service.LineAccountInactive, lambda: journals.approve_journal(number=journal.number, actor=bob)
    )
    assert "Line 1: account 5200" in str(problem)
    journal.refresh_from_db()
    assert journal.status == "SUBMITTED"


def test_what_was_entered_on_an_account_that_was_given_up_since_can_be_taken_back() -> None:
    entry = enter()
    Account.objects.filter(code="5200").update(active=False)
    journal = journals.reverse_journal(je_number=entry.je_number, reason=WHY, actor=accountant(), on=TODAY)
    journals.approve_journal(number=journal.number, actor=controller())
    assert moved("5200") == moved("1010") == 0
    refused(lines_service.LineAccountInactive, submit)


def test_all_that_is_wrong_with_the_lines_is_found_at_once() -> None:
    _, problems = lines_service.examine([{**FEE, "account": "1"}, {**BANK, "amount": "x"}, BANK])
    assert [problem.details["line"] for problem in problems] == [1, 2]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"description": ""}, journals.DescriptionMissing),
        ({"description": "  \n "}, journals.DescriptionMissing),
        ({"description": "x" * 161}, journals.DescriptionMissing),
        ({"reference": "x" * 81}, journals.ReferenceTooLong),
        ({"je_date": TODAY + timedelta(days=1)}, DatedAhead),
        ({"je_date": date(1999, 3, 1)}, journals.DatedTooFarBack),
    ],
)
def test_a_journal_is_refused_with(change: dict[str, Any], error: type[LedgerError]) -> None:
    ann = accountant()
    refused(error, lambda: submit(by=ann, **change))


def test_a_closed_week_takes_no_journal() -> None:
    account = make_account()
    charge(account, "MISC", "10.00")
    run()
    assert "2019-03-09" in str(refused(ClosedPeriod, lambda: submit(je_date=SATURDAY)))
    assert enter(je_date=SATURDAY + timedelta(days=1)).je_date == SATURDAY + timedelta(days=1)


def test_a_week_that_closed_meanwhile_stops_the_approval() -> None:
    charge(make_account(), "MISC", "10.00")
    journal, bob = submit(je_date=SATURDAY), controller()
    run()
    refused(ClosedPeriod, lambda: journals.approve_journal(number=journal.number, actor=bob))
    journals.reject_journal(number=journal.number, note="Its week has closed meanwhile.", actor=bob)


def test_nobody_decides_on_his_own() -> None:
    ann = accountant()
    journal = submit(by=ann)
    refused(journals.OwnJournal, lambda: journals.approve_journal(number=journal.number, actor=ann))
    refused(
        journals.OwnJournal,
        lambda: journals.reject_journal(number=journal.number, note="I was mistaken.", actor=ann),
    )
    entry = enter(by=controller(), approver=accountant())
    mirror = journals.reverse_journal(je_number=entry.je_number, reason=WHY, actor=ann, on=TODAY)
    refused(journals.OwnJournal, lambda: journals.approve_journal(number=mirror.number, actor=ann))


@pytest.mark.parametrize("status", ["POSTED", "REJECTED"])
def test_the_database_lets_nobody_decide_on_his_own_either(status: str) -> None:
    journal = submit()
    with pytest.raises(IntegrityError, match="manual_journal_approved_by_another"), transaction.atomic():
        ManualJournal.objects.filter(pk=journal.pk).update(
            status=status, entry_id=1 if status == "POSTED" else None, decided_by=journal.created_by
        )


@pytest.mark.parametrize("first", ["approve", "reject"])
def test_a_journal_is_decided_once(first: str) -> None:
    journal, bob = submit(), controller()
    if first == "approve":
        journals.approve_journal(number=journal.number, actor=bob)
    else:
        journals.reject_journal(number=journal.number, note="Not ours at all.", actor=bob)
    refused(journals.JournalDecided, lambda: journals.approve_journal(number=journal.number, actor=bob))
    refused(
        journals.JournalDecided,
        lambda: journals.reject_journal(number=journal.number, note="Not ours at all.", actor=bob),
    )


def test_a_rejection_says_why_and_unknown_journals_are_unknown() -> None:
    journal, bob = submit(), controller()
    refused(ReasonLength, lambda: journals.reject_journal(number=journal.number, note="no", actor=bob))
    refused(journals.UnknownJournal, lambda: journals.approve_journal(number="MJ-2019-09999", actor=bob))


def reversing(je_number: str, reason: str = WHY, actor: User | None = None) -> Callable[[], Any]:
    actor = actor or accountant()
    return lambda: journals.reverse_journal(je_number=je_number, reason=reason, actor=actor, on=TODAY)


def test_an_entry_is_reversed_once_also_while_a_reversal_waits() -> None:
    entry = enter()
    refused(ReasonLength, reversing(entry.je_number, "too short"))
    mirror = reversing(entry.je_number)()
    problem = refused(journals.ReversalWaiting, reversing(entry.je_number))
    assert mirror.number in str(problem)
    journals.approve_journal(number=mirror.number, actor=controller())
    refused(AlreadyReversed, reversing(entry.je_number))
    mirror.refresh_from_db()
    refused(journals.IsReversal, reversing(f"JE-201904-{mirror.entry_id}"))


@pytest.mark.parametrize(
    "number", ["JE-201903-999", "JE-201904-{}", "JE-999912-1", "JE-2019-1", "", "MJ-2019-00001"]
)
def test_only_entries_that_exist_are_reversed(number: str) -> None:
    entry = enter()
    refused(journals.UnknownJournal, reversing(number.format(entry.pk)))  # right id, wrong month


def test_entries_that_have_a_service_of_their_own_are_not_reversed_here(tmp_path: Path) -> None:
    lease = make_lease(weekly_fee="0.00")
    load(tmp_path, trip(lease))
    run(SUNDAY - WEEK)
    report = DTR.objects.get()
    statements.pay_dtr(dtr=report, on=SUNDAY, method="ACH", actor=system_user())
    expected = {
        "POSTING": "Void the posting instead",
        "TRIP": "Reverse the settlement",
        "DTR": "as returned instead",
    }
    for origin, said in expected.items():
        entry = EntryHeader.objects.filter(origin=origin).first()
        assert entry is not None
        assert said in str(refused(journals.NotReversible, reversing(entry.je_number)))
    told = provenance(EntryHeader.objects.get(origin="DTR"))
    assert told.dtr_number == report.number
    told = provenance(EntryHeader.objects.get(origin="TRIP"))
    assert told.source_row is not None and told.source_row.batch.file_name == "trips.csv"


def test_every_origin_says_what_to_do_instead() -> None:
    assert set(journals.INSTEAD) == set(Origin) - {Origin.MANUAL}


def test_a_posting_leads_to_its_entry_and_back() -> None:
    posting = charge(make_account(), "MISC", "10.00", on=MONDAY_AFTER)
    entry = EntryHeader.objects.get(posting=posting)
    found = entry_numbered(entry.je_number)
    assert found is not None and provenance(found).posting == LedgerPosting.objects.get(pk=posting.pk)
