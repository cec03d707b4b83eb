"""A week's net pay by ACH: drafted, approved, filed, sent, settled; and everything that may not happen on the way."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from batconnect.common.models import AuditEntry
from ledger.models import DTR, DTRPayment, PayoutBatch, PayoutItem
from ledger.selectors.pay_list import unpaid, unpaid_weeks
from ledger.services import statements, voids
from ledger.services.errors import Refused
from ledger.services.payouts import ach_batches, bank_details, checks, choosing, desk, holds, nacha_file
from ledger.services.payouts.banking_days import is_banking_day, next_banking_day
from tests.factories import make_user
from tests.ledger.factories import SUNDAY, broken_proofs
from tests.ledger.payout_stories import (
    MONDAY,
    TUESDAY,
    WEDNESDAY,
    amount_on,
    approved,
    filed,
    net_pay,
    paid_by,
    sent,
)

pytestmark = pytest.mark.django_db


def held() -> dict[str, str]:
    return {line.number: line.held_because for line in unpaid(week=SUNDAY)}


def statuses(dtrs: list[DTR]) -> list[str]:
    return [DTR.objects.get(pk=dtr.pk).status for dtr in dtrs]


def test_a_week_goes_from_the_pay_list_to_settled_and_is_booked_when_sent():
    first, second, by_check = dtrs = net_pay("300.00", "120.50", "80.00")
    paid_by(first), paid_by(second), paid_by(by_check, "CHECK")

    batch = approved()
    assert batch.number == "1903-001"
    assert (batch.payments, batch.total) == (2, Decimal("420.50"))
    assert held() == {
        first.number: "in batch 1903-001, which is not sent",
        second.number: "in batch 1903-001, which is not sent",
        by_check.number: "",
    }
    batch = nacha_file.make_file(number=batch.number, on=MONDAY, actor=make_user())
    assert batch.effective_on == TUESDAY
    assert amount_on("1010") == 0 and statuses(dtrs) == ["FINALIZED"] * 3

    ach_batches.mark_sent(number=batch.number, on=MONDAY, actor=make_user())
    assert amount_on("1010") == Decimal("-420.50")
    assert amount_on("2500") == Decimal("-80.00")
    assert statuses(dtrs) == ["PAID", "PAID", "FINALIZED"]
    assert [item.state for item in batch.items.all()] == ["PAID", "PAID"]

    ach_batches.mark_settled(number=batch.number, on=WEDNESDAY, actor=make_user())
    assert PayoutBatch.objects.get().state == "SETTLED"
    assert broken_proofs() == []


def test_what_is_held_back_is_listed_with_its_reason_and_not_paid():
    free, nothing, waiting, on_hold, disputed = net_pay("1.00", "2.00", "3.00", "4.00", "5.00")
    for dtr in (free, on_hold, disputed):
        paid_by(dtr)
    bank_details.request_method(driver_id=waiting.driver_id, method="CHECK", actor=make_user())
    holds.hold(dtr=on_hold, kind="HOLD", reason="Left with our radio", actor=make_user())
    holds.hold(dtr=disputed, kind="DISPUTED", reason="Says he drove more", actor=make_user())
    assert held() == {
        free.number: "",
        nothing.number: "nobody entered how the driver is paid",
        waiting.number: "how the driver is paid waits for approval",
        on_hold.number: "on hold: Left with our radio",
        disputed.number: "disputed: Says he drove more",
    }
    assert approved().payments == 1
    for pay in (
        lambda: statements.pay_dtr(dtr=on_hold, on=MONDAY, method="ACH", actor=make_user()),
        lambda: desk.pay_cash(number=on_hold.number, on=MONDAY, actor=make_user()),
        lambda: checks.issue_checks(numbers=[on_hold.number], on=MONDAY, actor=make_user()),
    ):
        with pytest.raises((statements.HeldBack, choosing.NotPayable), match=r"held|hold"):
            pay()
    holds.release(dtr=on_hold, reason="The radio is back", actor=make_user())
    assert held()[on_hold.number] == ""
    with pytest.raises(holds.NotHeld):
        holds.release(dtr=on_hold, reason="Released again?", actor=make_user())


def test_a_dtr_in_a_batch_is_paid_by_nothing_else_and_held_by_nobody():
    (dtr,) = net_pay("300.00")
    paid_by(dtr)
    batch = approved()
    with pytest.raises(statements.PaidAnotherWay):
        statements.pay_dtr(dtr=dtr, on=MONDAY, method="ACH", actor=make_user())
    with pytest.raises(choosing.NotPayable):
        checks.issue_checks(numbers=[dtr.number], on=MONDAY, actor=make_user())
    with pytest.raises(choosing.NothingToPayNow):
        ach_batches.create_batch(actor=make_user(), on=MONDAY)
    with pytest.raises(statements.PaidAnotherWay):
        holds.hold(dtr=dtr, kind="HOLD", reason="Too late for that", actor=make_user())
    with pytest.raises(Refused, match="is not sent: take it out"):
        voids.reverse_settlement(
            account=dtr.account, week=SUNDAY, reason="Trips of another cab", actor=make_user(), on=MONDAY
        )
    ach_batches.reverse_batch(number=batch.number, reason="The bank was closed", actor=make_user())
    assert PayoutItem.objects.get().state == "WITHDRAWN"
    statements.pay_dtr(dtr=dtr, on=MONDAY, method="ACH", actor=make_user())
    assert statuses([dtr]) == ["PAID"]


def test_nobody_approves_his_own_batch():
    (dtr,) = net_pay("300.00")
    paid_by(dtr)
    maker = make_user()
    batch = ach_batches.create_batch(actor=maker, on=MONDAY)
    with pytest.raises(ach_batches.OwnBatch):
        ach_batches.approve_batch(number=batch.number, actor=maker)
    with pytest.raises(IntegrityError, match="approved_by_another"), transaction.atomic():
        PayoutBatch.objects.filter(pk=batch.pk).update(
            state="APPROVED", approved_by=maker, approved_at=batch.created_at
        )


def test_a_batch_goes_step_by_step_and_is_reversed_until_it_is_sent():
    first, second = net_pay("300.00", "20.00")
    paid_by(first), paid_by(second)
    batch = ach_batches.create_batch(actor=make_user(), on=MONDAY)
    ach_batches.withdraw(number=batch.number, dtr=second.number, reason="He wants a check", actor=make_user())
    with pytest.raises(ach_batches.WrongState):
        nacha_file.make_file(number=batch.number, on=MONDAY, actor=make_user())
    with pytest.raises(ach_batches.WrongState):
        ach_batches.mark_sent(number=batch.number, on=MONDAY, actor=make_user())
    batch = ach_batches.approve_batch(number=batch.number, actor=make_user())
    assert (batch.payments, batch.total) == (1, Decimal("300.00"))
    with pytest.raises(ach_batches.WrongState):
        ach_batches.withdraw(
            number=batch.number, dtr=first.number, reason="Thought better", actor=make_user()
        )
    nacha_file.make_file(number=batch.number, on=MONDAY, actor=make_user())
    for day in (date(2019, 3, 10), WEDNESDAY):
        with pytest.raises(ach_batches.SentOnWrongDay):
            ach_batches.mark_sent(number=batch.number, on=day, actor=make_user())
    ach_batches.mark_sent(number=batch.number, on=TUESDAY, actor=make_user())
    with pytest.raises(ach_batches.WrongState):
        ach_batches.mark_sent(number=batch.number, on=TUESDAY, actor=make_user())
    with pytest.raises(ach_batches.WrongState):
        ach_batches.reverse_batch(number=batch.number, reason="Too late for it", actor=make_user())
    with pytest.raises(DatabaseError, match="cannot go from"), transaction.atomic():
        PayoutBatch.objects.filter(pk=batch.pk).update(state="REVERSED", reverse_reason="By hand, in SQL")
    assert DTRPayment.objects.count() == 1 and broken_proofs() == []


def test_details_changed_since_the_draft_are_not_paid_to():
    (dtr,) = net_pay("300.00")
    paid_by(dtr)
    batch = approved()
    paid_by(dtr, account_number="5550001")
    with pytest.raises(nacha_file.DetailsNotInForce, match=dtr.number):
        nacha_file.make_file(number=batch.number, on=MONDAY, actor=make_user())
    ach_batches.reverse_batch(number=batch.number, reason="His bank changed", actor=make_user())
    assert filed().number == "1903-002"


def test_the_database_alone_keeps_a_dtr_from_two_payments():
    (dtr,) = net_pay("300.00")
    details = paid_by(dtr)
    batch = ach_batches.create_batch(actor=make_user(), on=MONDAY)
    again = {"dtr": dtr, "method": "ACH", "amount": dtr.net_pay, "batch": batch, "instruction": details}
    with pytest.raises(IntegrityError, match="payout_item_one_alive"), transaction.atomic():
        PayoutItem.objects.create(**again, trace_sequence=99)
    payment = {"dtr": dtr, "kind": "PAID", "amount": dtr.net_pay, "on": MONDAY, "created_by": make_user()}
    for refused in (
        {**payment, "method": "CASH"},  # by something else than its batch
        {**payment, "method": "ACH", "item": PayoutItem.objects.get()},  # by a batch that is a draft
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            DTRPayment.objects.create(**refused)
    with pytest.raises(DatabaseError, match="not edited"), transaction.atomic():
        PayoutItem.objects.update(state="PAID")
    with pytest.raises(DatabaseError, match="not edited"), transaction.atomic():
        PayoutItem.objects.update(amount=1)
    assert statuses([dtr]) == ["FINALIZED"]


def test_a_held_dtr_is_refused_by_the_database_alone():
    (dtr,) = net_pay("300.00")
    holds.hold(dtr=dtr, kind="HOLD", reason="Left with our radio", actor=make_user())
    payment = {"dtr": dtr, "kind": "PAID", "amount": dtr.net_pay, "on": MONDAY, "created_by": make_user()}
    with pytest.raises(DatabaseError, match="held back"), transaction.atomic():
        DTRPayment.objects.create(**payment, method="CASH")
    item = {"dtr": dtr, "method": "CHECK", "amount": dtr.net_pay, "payee": "Nobody"}
    with pytest.raises(DatabaseError, match="held back"), transaction.atomic():
        PayoutItem.objects.create(**item)
    assert not DTRPayment.objects.exists()


def test_a_payment_that_its_entry_does_not_agree_with_is_named_by_a_proof():
    (dtr,) = net_pay("300.00")
    paid_by(dtr)
    sent()
    assert broken_proofs() == []
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE dtr_payment DISABLE TRIGGER USER")
        cursor.execute("UPDATE dtr_payment SET amount = amount - 1")
        cursor.execute("ALTER TABLE dtr_payment ENABLE TRIGGER USER")
    assert any(dtr.number in broken and "payments agree" in broken for broken in broken_proofs())


def test_every_step_is_in_the_audit_trail():
    (dtr,) = net_pay("300.00")
    paid_by(dtr)
    batch = sent()
    trail = AuditEntry.objects.filter(subject=f"payout_batch:{batch.number}").order_by("pk")
    assert [entry.action.partition(".")[2] for entry in trail] == [
        "prepared",
        "approved",
        "file_made",
        "sent",
    ]
    assert AuditEntry.objects.filter(action="dtr.paid", subject=f"dtr:{dtr.number}").count() == 1


@pytest.mark.parametrize(
    ("day", "following"),
    [
        (date(2026, 11, 25), date(2026, 11, 27)),  # Thanksgiving
        (date(2026, 7, 2), date(2026, 7, 3)),  # a Saturday's holiday is not kept on the Friday
        (date(2027, 7, 2), date(2027, 7, 6)),  # a Sunday's is kept on the Monday
        (date(2021, 12, 30), date(2021, 12, 31)),  # New Year on a Saturday: the Friday is a banking day
        (date(2022, 12, 31), date(2023, 1, 3)),
        (date(2026, 6, 18), date(2026, 6, 22)),  # Juneteenth on a Friday
    ],
)
def test_the_next_banking_day_is_that_of_the_federal_reserve(day, following):
    assert next_banking_day(day) == following and is_banking_day(following)


def test_a_week_whose_payouts_were_all_taken_back_has_nothing_to_pay():
    (dtr,) = net_pay("50.00")
    assert unpaid_weeks() == [SUNDAY]
    voids.void_posting(posting_id=dtr.payout_id, reason="It is owed to us", actor=make_user(), on=MONDAY)
    assert unpaid() == [] and unpaid_weeks() == []
