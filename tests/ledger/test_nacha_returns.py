"""What the bank sends back, by file and by hand: owed again, blocked where it must be, and nothing lost."""

from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from ledger.engine.nacha_returns import BLOCKING_CODES, read_returns
from ledger.models import DTR, DTRPayment, PayoutInstruction, PayoutReturn, ReturnFile
from ledger.selectors.pay_list import unpaid
from ledger.services import statements
from ledger.services.payouts import ach_batches, checks, nacha_file, nacha_returns
from tests.factories import make_user
from tests.ledger.factories import broken_proofs
from tests.ledger.payout_stories import (
    MONDAY,
    THURSDAY,
    WEDNESDAY,
    amount_on,
    entry_lines,
    filed,
    net_pay,
    paid_by,
    return_file,
    return_line,
    sent,
)

pytestmark = pytest.mark.django_db


def lines_of(batch) -> list[str]:
    return entry_lines(nacha_file.file_of(number=batch.number, actor=make_user()))


def back(line: str, code: str, **more: str) -> list[str]:
    return return_line(line, code=code, trace=line[79:94], **more)


def take_in(*lines: str) -> ReturnFile:
    return nacha_returns.take_in(
        content=return_file(*lines), file_name="returns.ach", actor=make_user(), on=WEDNESDAY
    )


def test_a_file_of_returns_makes_the_dtrs_owed_again_and_blocks_what_is_closed():
    closed, refunded, kept = net_pay("300.00", "20.00", "5.00")
    for dtr in (closed, refunded, kept):
        paid_by(dtr)
    lines = lines_of(sent())
    assert amount_on("1010") == Decimal("-325.00")
    taken = take_in(*back(lines[0], "R02"), *back(lines[1], "R06"))

    assert amount_on("1010") == Decimal("-5.00") and amount_on("2500") == Decimal("-320.00")
    assert [row.state for row in taken.returns.order_by("line_number")] == ["APPLIED", "APPLIED"]
    assert DTR.objects.get(pk=closed.pk).status == "FINALIZED"
    assert {line.number: line.held_because for line in unpaid()} == {
        closed.number: "bank details blocked: R02: account closed",
        refunded.number: "",
    }
    (check,) = checks.issue_checks(numbers=[closed.number], on=THURSDAY, actor=make_user())
    assert check.amount == Decimal("300.00")
    assert ach_batches.create_batch(actor=make_user(), on=THURSDAY).items.get().dtr == refunded
    assert broken_proofs() == []


def test_a_debit_of_somebody_that_is_in_the_file_too_does_not_stop_the_rest():
    """26 is a debit that came back; the bank counts it among the debits of its file."""
    (dtr,) = net_pay("300.00")
    paid_by(dtr)
    (line,) = lines_of(sent())
    other = f"626{line[3:79]}{'9' * 15}"
    taken = take_in(*back(line, "R03"), *return_line(other, code="R01", trace="9" * 15, of_credit=False))
    assert [row.state for row in taken.returns.order_by("line_number")] == ["APPLIED", "OPEN"]
    assert broken_proofs() == []


def test_the_same_file_again_and_the_same_return_in_another_file_return_nothing_twice():
    (dtr,) = net_pay("300.00")
    paid_by(dtr)
    (line,) = lines_of(sent())
    take_in(*back(line, "R03"))
    with pytest.raises(nacha_returns.FileTakenBefore):
        take_in(*back(line, "R03"))
    again = take_in(*back(line, "R03", information="AGAIN")).returns.get()
    assert (again.state, again.problem) == ("OPEN", "this transfer came back before")
    assert DTRPayment.objects.filter(kind="RETURNED").count() == 1
    row = PayoutReturn.objects.get(state="APPLIED")
    with pytest.raises(IntegrityError, match="applied_once"), transaction.atomic():
        PayoutReturn.objects.create(
            key="00000000-0000-4000-8000-000000000001", kind="RETURN", code="R01", amount=1, item=row.item,
            state="APPLIED", created_by=make_user(),
        )  # fmt: skip


def test_what_fits_nothing_is_kept_for_a_person_and_can_be_applied_or_handled():
    first, second = net_pay("300.00", "20.00")
    paid_by(first), paid_by(second)
    batch = filed()
    one, two = lines_of(batch)
    wrong_amount = two[:29] + "0000009999" + two[39:]
    unknown = two[:79] + "061999990999999"
    taken = take_in(*back(one, "R01"), *back(wrong_amount, "R01"), *back(unknown, "R01"), *back(two, "R61"))
    rows = list(taken.returns.order_by("line_number"))
    assert [row.state for row in rows] == ["OPEN"] * 4
    assert [row.problem for row in rows] == [
        f"batch {batch.number} is not marked as sent yet",
        "it returns 99.99, and 20.00 was paid",
        "no transfer of ours has this trace number",
        "R61 is no ordinary return of a credit",
    ]
    ach_batches.mark_sent(number=batch.number, on=MONDAY, actor=make_user())
    applied = nacha_returns.apply_open(return_id=rows[0].pk, on=WEDNESDAY, actor=make_user())
    assert applied.state == "APPLIED" and DTR.objects.get(pk=first.pk).status == "FINALIZED"
    with pytest.raises(nacha_returns.NotReturnable, match=r"20\.00 was paid"):
        nacha_returns.apply_open(return_id=rows[1].pk, on=WEDNESDAY, actor=make_user())
    nacha_returns.handle(return_id=rows[1].pk, note="The bank sent it by mistake", actor=make_user())
    with pytest.raises(nacha_returns.UnknownReturn):
        nacha_returns.handle(return_id=rows[1].pk, note="Handled once already", actor=make_user())
    with pytest.raises(DatabaseError, match="handled once"), transaction.atomic():
        PayoutReturn.objects.filter(pk=rows[1].pk).update(state="OPEN")
    assert broken_proofs() == []


def test_a_notification_of_change_is_for_a_person_and_its_details_are_not_readable():
    (dtr,) = net_pay("300.00")
    paid_by(dtr)
    (line,) = lines_of(sent())
    row = take_in(*back(line, "C01", kind="98", information="9988776655")).returns.get()
    assert (row.kind, row.state, row.item.dtr) == ("CHANGE", "OPEN", dtr)
    assert row.sealed and "9988776655" not in row.sealed
    assert DTR.objects.get().status == "PAID"
    with pytest.raises(nacha_returns.NotReturnable):
        nacha_returns.apply_open(return_id=row.pk, on=WEDNESDAY, actor=make_user())


def test_a_single_return_by_hand():
    (dtr,) = net_pay("300.00")
    paid_by(dtr)
    with pytest.raises(nacha_returns.NotReturnable):
        nacha_returns.record_return(dtr=dtr, code="R16", on=MONDAY, actor=make_user())
    sent()
    for code in ("R99", "C01", "", "R02 1234567890"):
        with pytest.raises(nacha_returns.UnknownCode):
            nacha_returns.record_return(dtr=dtr, code=code, on=MONDAY, actor=make_user())
    row = nacha_returns.record_return(dtr=dtr, code="R16", on=WEDNESDAY, actor=make_user())
    assert row.blocked and PayoutInstruction.objects.get().blocked_why == "R16: account frozen"
    with pytest.raises(nacha_returns.NotReturnable, match="before"):
        nacha_returns.record_return(dtr=dtr, code="R16", on=WEDNESDAY, actor=make_user())


def test_a_return_without_its_code_gets_it_later_and_moves_no_money_again():
    (dtr,) = net_pay("300.00")
    paid_by(dtr)
    (line,) = lines_of(sent())
    statements.return_payment(dtr=dtr, on=WEDNESDAY, reason="The bank rang", actor=make_user())
    row = take_in(*back(line, "R04")).returns.get()
    assert (row.state, row.blocked) == ("APPLIED", True)
    assert DTRPayment.objects.filter(kind="RETURNED").count() == 1 and amount_on("1010") == 0


def test_newer_details_are_not_blocked_by_what_came_back_from_the_old():
    (dtr,) = net_pay("300.00")
    paid_by(dtr)
    (line,) = lines_of(sent())
    newer = paid_by(dtr, account_number="5550001")
    assert take_in(*back(line, "R02")).returns.get().blocked is False
    newer.refresh_from_db()
    assert newer.state == "ACTIVE" and unpaid()[0].held == ""


def test_blocking_codes_are_those_that_say_nothing_reaches_the_account():
    assert {"R02", "R03", "R04", "R16", "R20"} <= BLOCKING_CODES
    assert not {"R01", "R06", "R09", "R17", "R24", "R31"} & BLOCKING_CODES


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text.replace("R02", "X02"), "names its reason"),
        (lambda text: text[: text.index("\n9") + 1], "no file control"),
        (lambda text: text.replace("0000030000", "0000030001", 1), "not those of its entries"),
        (lambda text: text.replace("101 0", "201 0", 1), "begins with a file header"),
        (lambda text: text.replace("PPD", "PPD ", 1), "94 characters"),
        (lambda text: "hello", "begins with a file header"),
        (lambda text: "é", "other characters"),
        (lambda text: "", "begins with a file header"),
    ],
)
def test_a_spoilt_file_is_refused_whole_and_said_where(spoil, said):
    (dtr,) = net_pay("300.00")
    paid_by(dtr, account_number="1112223334")
    (line,) = lines_of(sent())
    content = spoil(return_file(*back(line, "R02")).decode()).encode()
    with pytest.raises(nacha_returns.UnreadableReturns, match=said) as refused:
        nacha_returns.take_in(content=content, file_name="x", actor=make_user(), on=WEDNESDAY)
    assert "1112223334" not in str(refused.value)
    assert not ReturnFile.objects.exists() and DTR.objects.get().status == "PAID"


def test_a_file_without_line_ends_reads_the_same():
    (dtr,) = net_pay("300.00")
    paid_by(dtr)
    (line,) = lines_of(sent())
    content = return_file(*back(line, "R02"))
    assert read_returns(content.replace(b"\n", b""))[0] == read_returns(content)[0] != []
