"""What the database refuses about repayments, whoever asks. Each test tries to break one rule."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import F

from batconnect.common.roles import APPLICATION_ROLE
from loans.models import DriverLoan, LoanMovement
from repairs.models import RepairInvoice
from repayments.installments import post_now
from repayments.models import Repayment, RepaymentInstallment
from tests.factories import make_user
from tests.ledger.factories import account_of, charge

from .repayment_stories import (
    REASON,
    SUNDAY,
    WEDNESDAY,
    WEEK,
    draft_loan,
    free_lease,
    hold,
    lend,
    plan_of,
    posting_of,
    repair,
    run,
    sound,
    statuses,
)

pytestmark = pytest.mark.django_db
D = Decimal


@contextmanager
def refused(what: str) -> Iterator[None]:
    """Refused at once, or when the transaction would end."""
    with pytest.raises(DatabaseError, match=what), transaction.atomic():
        yield
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def rows_of(repayment: Any) -> Any:
    return RepaymentInstallment.objects.filter(repayment_id=repayment.pk)


def plain(repayment: Any) -> Any:
    return Repayment.objects.filter(pk=repayment.pk)


def test_what_was_agreed_stays() -> None:
    loan = lend()
    for change in (
        {"amount": D("1.00"), "billed": D("1.00")},
        {"rate": D("1.00")},
        {"starts_on": date(2025, 9, 1)},
        {"number": "DLN-2025-99999"},
        {"case_no": "DLN000009"},
    ):
        with refused("was agreed and stays"):
            plain(loan).update(**change)


def test_a_state_follows_from_the_one_before() -> None:
    loan = lend()
    for state in ("DRAFT", "CLOSED"):
        with refused("does not become"):
            plain(loan).update(state=state)


def test_a_hold_and_a_cancellation_say_why() -> None:
    loan = lend()
    with refused("repayment_says_why"):
        plain(loan).update(state="HOLD")


def test_a_cancelled_one_has_nothing_to_come_and_is_the_end() -> None:
    invoice = repair()
    with refused("cancelled and has installments to come"):
        plain(invoice).update(state="CANCELLED", state_reason=REASON)
    with refused("does not become"):
        rows_of(invoice).update(cancelled_on=WEDNESDAY, cancelled_because="CANCELLED")
        plain(invoice).update(state="CANCELLED", state_reason=REASON)
        plain(invoice).update(state="OPEN")


def test_installments_add_up_to_what_is_repaid() -> None:
    invoice = repair()
    first = rows_of(invoice).first()
    with refused("do not add up"):
        rows_of(invoice).filter(pk=first.pk).update(cancelled_on=WEDNESDAY, cancelled_because="RESCHEDULED")
    with refused("do not add up"):
        RepaymentInstallment.objects.create(
            repayment_id=invoice.pk,
            position=4,
            reference_id=f"{invoice.number}/4",
            due_on=date(2025, 11, 1),
            principal=D("1.00"),
            interest=0,
            left=0,
        )


@pytest.mark.parametrize(
    ("due_on", "left"),
    [(date(2025, 10, 4), "0.00"), (date(2025, 10, 18), "0.50")],  # before the first; not what is left
)
def test_installments_are_in_order_and_say_what_is_left(due_on: date, left: str) -> None:
    invoice = repair()  # 100.00 on 10-11 and 10-18, 0.50 on 10-25
    with refused("out of its order"):
        rows_of(invoice).filter(position__gt=1).update(
            cancelled_on=WEDNESDAY, cancelled_because="RESCHEDULED"
        )
        RepaymentInstallment.objects.create(
            repayment_id=invoice.pk,
            position=4,
            reference_id=f"{invoice.number}/4",
            due_on=due_on,
            principal=D("100.50"),
            interest=0,
            left=D(left),
        )


def test_a_posted_installment_stays_as_it_is() -> None:
    loan = lend()
    run(SUNDAY)
    for change in (
        {"principal": D("1.00")},
        {"interest": D("0.00")},
        {"due_on": date(2025, 10, 18)},
        {"reference_id": "DLN-2025-00001/9"},
        {"posting_id": None},
        {"cancelled_on": WEDNESDAY, "cancelled_because": "CANCELLED"},
    ):
        with refused("stays as it is"):
            rows_of(loan).filter(position=1).update(**change)


def test_a_scheduled_installment_changes_in_no_other_way_either() -> None:
    loan = lend()
    with refused("stays as it is"):
        rows_of(loan).filter(position=2).update(due_on=F("due_on") + WEEK)
    with refused("stays as it is"):
        rows_of(loan).update(cancelled_on=WEDNESDAY, cancelled_because="CANCELLED")
        rows_of(loan).update(cancelled_on=None, cancelled_because="")


def test_an_installment_names_a_posting_that_fits_and_only_while_it_is_open() -> None:
    lease = free_lease()
    loan = lend(lease)
    run(SUNDAY)
    other = charge(account_of(lease), "LOAN", "251.82", "ELSEWHERE", on=WEDNESDAY)
    for posting_id in (other.pk, posting_of(loan, 1).pk):
        with refused("does not fit its posting|posting_once"):
            rows_of(loan).filter(position=2).update(posting_id=posting_id)
    hold(loan)
    with refused("does not fit its posting, or is not open"):
        post_now(rows=plan_of(loan).scheduled[:1], actor=make_user(), on=WEDNESDAY)


def test_nothing_is_deleted() -> None:
    loan, invoice = lend(), repair()
    for rows in (
        rows_of(loan),
        plain(loan),
        RepairInvoice.objects.filter(pk=invoice.pk),
        loan.movements.all(),
    ):
        with refused("Cannot delete|violates foreign key"):
            rows._raw_delete("default")
    with refused("TRUNCATE"), connection.cursor() as cursor:
        cursor.execute("TRUNCATE repayment_installment")


def test_facts_of_invoices_and_loans_never_change() -> None:
    loan, invoice = lend(), repair()
    for rows, change in (
        (RepairInvoice.objects.filter(pk=invoice.pk), {"vendor": "Other"}),
        (DriverLoan.objects.filter(pk=loan.pk), {"method": "ACH", "method_reference": "1"}),
        (loan.movements.all(), {"amount": D("1.00")}),
    ):
        with refused("Cannot update"):
            rows.update(**change)


def bare(lease: Any, **changes: Any) -> Repayment:
    """A repayment without installments, as nobody makes it."""
    fields = {
        "number": "RPR-2025-00777",
        "kind": "REPAIR",
        "account": account_of(lease),
        "driver": lease.driver,
        "lease": lease,
        "amount": D("100.00"),
        "billed": D("0.00"),
        "starts_on": WEDNESDAY,
        "weekly_principal": D("100.00"),
        "state_since": WEDNESDAY,
        "created_by": make_user(),
    }
    return Repayment.objects.create(**{**fields, **changes})


_ENTER_AS = """
INSERT INTO repair_invoice (repayment_ptr_id, vendor, invoice_number, vehicle_id, description)
SELECT %s, upper(vendor), coalesce(%s, invoice_number), vehicle_id, 'x' FROM repair_invoice WHERE repayment_ptr_id = %s
"""


def test_no_repair_is_charged_on_a_lease_that_is_not_dov() -> None:
    invoice = repair()
    with refused("is not charged to the driver"), connection.cursor() as cursor:
        repayment = bare(free_lease("long-term"), billed=D("100.00"))
        cursor.execute(_ENTER_AS, [repayment.pk, "another", invoice.pk])


def test_a_vendors_invoice_is_entered_once() -> None:
    invoice = repair()
    with refused("is entered already, as RPR"), connection.cursor() as cursor:
        cursor.execute(_ENTER_AS, [bare(free_lease()).pk, None, invoice.pk])


def test_a_loan_in_force_was_paid_out_and_a_draft_was_not() -> None:
    loan = draft_loan()
    with refused("0 paid out|0.00 paid out"):
        plain(loan).update(state="OPEN")
    paid = lend()
    with refused("forgiven in the books"):
        plain(paid).update(forgiven=D("1.00"))
    with refused("stays forgiven|repayment_forgiven"):
        plain(paid).update(forgiven=D("-1.00"))


def test_a_movement_is_an_entry_about_that_loan_and_is_approved_by_another() -> None:
    loan, other = lend(), draft_loan(amount="1200.00")
    (moved,) = loan.movements.all()
    fields = {
        "movement": "FORGIVEN",
        "amount": D("1200.00"),
        "je_date": moved.je_date,
        "je_number": moved.je_number,
        "reason": REASON,
        "created_by": make_user(),
    }
    with refused("does not fit its entry"):
        LoanMovement.objects.create(loan=other, entry_id=moved.entry_id, **fields)
    with refused("does not fit its entry"):
        LoanMovement.objects.create(loan=loan, entry_id=1, **fields)
    with refused("by who approves it"):
        LoanMovement.objects.create(
            loan=loan, entry_id=moved.entry_id, **{**fields, "approved_by": loan.created_by}
        )
    with refused("loan_movement"):  # the same entry again
        LoanMovement.objects.create(loan=loan, entry_id=moved.entry_id, **fields)


def test_a_repayment_makes_sense() -> None:
    lease = free_lease()
    for change in ({"kind": "LOAN"}, {"billed": D("50.00")}, {"rate": D("5.00")}, {"amount": D("0.00")}):
        with refused("repayment_"):
            bare(lease, **change)
    bare(lease)


def test_the_application_role_can_lend_post_and_hold_and_no_more() -> None:
    lease = free_lease()
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {APPLICATION_ROLE}")
        loan = lend(lease)
        run(SUNDAY)
        hold(loan)
        assert statuses(loan) == "ossss"
        for statement in (
            "UPDATE repayment SET amount = 1",
            "DELETE FROM repayment",
            "UPDATE repayment_installment SET interest = 0",
        ):
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                cursor.execute(statement)
        cursor.execute("RESET ROLE")
    assert sound()
