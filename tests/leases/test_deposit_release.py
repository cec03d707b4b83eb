"""Deposits from the agreement to the refund, as an accountant would write it down."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry
from leases import services
from leases.deposit_models import LeaseDeposit
from leases.models import Lease, LeaseInstallment
from leases.services.amounts import AmountTooLarge
from leases.services.deposits import (
    DepositTerms,
    change_deposit,
    due_now,
    holds,
    preview_release,
    record_refund,
    release_deposit,
    return_refund,
)
from leases.services.deposits.refunds import (
    NothingRefunded,
    NothingToRefund,
    NotReleased,
    RefundDated,
    RefundNotOut,
    WhichRefund,
)
from leases.services.deposits.releasing import AlreadyReleased, LeaseNotOver
from leases.services.deposits.terms import (
    BelowCharged,
    DepositAmount,
    DepositExists,
    DepositParts,
    LeaseOver,
    NoPartLeft,
    NotCollecting,
)
from ledger.models import EntryLine, LedgerPosting
from ledger.services import voids, weekly_close
from ledger.services.errors import Refused
from ledger.services.payments import MethodReferenceMissing, UnknownMethod
from ledger.services.reasons import ReasonLength
from tests.factories import cancelled_before, make_lease
from tests.ledger.factories import (
    SATURDAY,
    SUNDAY,
    account_of,
    balance,
    broken_proofs,
    charge,
    open_items,
    pay,
)

from .deposit_stories import (
    ENDED,
    HELD_UNTIL,
    NEXT_SATURDAY,
    figures,
    lease_with_deposit,
    post_parts,
    release_expired,
    standing,
)

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def test_the_worked_example(db: None) -> None:
    """500 posted in two parts, 250 collected, PVB 100 open: the second 250 is voided, 100 applied, 150 refunded."""
    lease = lease_with_deposit("500.00", (SATURDAY, NEXT_SATURDAY))
    account = account_of(lease)
    number = lease.number
    assert standing(lease).status == "COLLECTING" and open_items(account) == {}

    post_parts()
    assert open_items(account) == {f"DEPOSIT:{number}/D1": 250, f"DEPOSIT:{number}/D2": 250}
    pay(account, "250.00", {f"{number}/D1": "250.00"})
    charge(account, "PVB", "100.00", "PVB-1", on=date(2019, 3, 20))
    assert figures(lease) == {
        "status": "COLLECTING", "agreed": "500.00", "charged": "500.00", "open_amount": "250.00",
        "collected": "250.00", "applied": "0.00", "held": "250.00", "to_refund": "0.00", "refunded": "0.00",
    }  # fmt: skip
    assert broken_proofs() == []

    assert release_expired(HELD_UNTIL - DAY).as_dict()["released"] == 0
    done = release_expired(HELD_UNTIL).as_dict()
    assert done == {
        "on": "2019-04-15", "released": 1, "applied": "100.00", "to_refund": "150.00", "cancelled": "250.00",
        "fell_due": "0.00", "failed": [],
    }  # fmt: skip
    second = LedgerPosting.objects.get(reference_id=f"{number}/D2", reversal_for__isnull=True)
    assert second.status == "VOIDED" and not second.replacements.exists()
    applied = LedgerPosting.objects.get(category="DEPOSIT_APPLIED")
    assert (applied.amount, applied.reference_id) == (Decimal("-100.00"), f"{number}/DEPOSIT")
    assert open_items(account) == {} and balance(account) == 0
    assert figures(lease)["status"] == "APPLIED" and figures(lease)["to_refund"] == "150.00"
    assert broken_proofs() == []

    refund = record_refund(
        lease=lease, method="CHECK", method_reference="1042", actor=system_user(), on=HELD_UNTIL + DAY
    )
    assert refund.amount == Decimal("150.00")
    lines = EntryLine.objects.filter(entry_id=refund.entry_id).select_related("account")
    assert {(line.account.code, line.side, str(line.amount)) for line in lines} == {
        ("2100", "DR", "150.000000"),
        ("1010", "CR", "150.000000"),
    }
    assert figures(lease)["status"] == "REFUNDED" and standing(lease).held == 0
    assert broken_proofs() == []
    with pytest.raises(NothingToRefund):
        record_refund(
            lease=lease, method="ACH", method_reference="9", actor=system_user(), on=HELD_UNTIL + DAY
        )
    actions = AuditEntry.objects.filter(subject=f"lease:{lease.pk}").values_list("action", flat=True)
    assert [*actions.order_by("id")] == [
        "lease.created", "deposit.agreed", "deposit.released", "deposit.refunded",
    ]  # fmt: skip


def test_a_part_paid_by_half_is_replaced_by_what_was_paid() -> None:
    lease = lease_with_deposit("400.00", (SATURDAY,))
    post_parts()
    pay(account_of(lease), "90.00", {f"{lease.number}/D1": "90.00"})
    release_expired()
    kept = LedgerPosting.objects.get(reference_id=f"{lease.number}/D1/2")
    assert kept.amount == Decimal("90.00") and kept.open_item.balance == 0
    assert figures(lease) == {
        "status": "APPLIED", "agreed": "90.00", "charged": "90.00", "open_amount": "0.00", "collected": "90.00",
        "applied": "0.00", "held": "90.00", "to_refund": "90.00", "refunded": "0.00",
    }  # fmt: skip
    assert broken_proofs() == []


def held(amount: str) -> Lease:
    """A lease whose deposit was collected in full at the desk."""
    lease = lease_with_deposit(amount)
    post_parts()
    pay(account_of(lease), amount, {f"{lease.number}/D1": amount})
    assert standing(lease).status == "HELD"
    return lease


def test_several_debts_are_paid_tolls_and_tickets_first_then_by_the_hierarchy() -> None:
    lease = held("300.00")
    account = account_of(lease)
    on = date(2019, 4, 1)
    for category, amount, reference in (
        ("MISC", "50.00", "M"), ("LEASE", "200.00", "L"), ("TLC", "40.00", "T"), ("REPAIR", "60.00", "R"),
        ("PVB", "70.00", "P"), ("EZPASS", "30.00", "E"),
    ):  # fmt: skip
        charge(account, category, amount, reference, on=on)
    shown = preview_release(lease=lease, actor=system_user(), on=HELD_UNTIL)
    release_expired()
    # 30 + 70 + 40 leave 160 of the 300 for the lease, which ranks before repairs and misc.
    assert [(one.reference_id, str(one.amount)) for one in shown.from_deposit] == [
        ("E", "30.00"), ("P", "70.00"), ("T", "40.00"), ("L", "160.00"),
    ]  # fmt: skip
    assert open_items(account) == {"LEASE:L": 40, "REPAIR:R": 60, "MISC:M": 50}
    assert figures(lease)["applied"] == "300.00" and figures(lease)["to_refund"] == "0.00"
    assert figures(lease)["status"] == "APPLIED"
    with pytest.raises(NothingToRefund):
        record_refund(lease=lease, method="ACH", method_reference="9", actor=system_user(), on=HELD_UNTIL)
    assert broken_proofs() == []


def test_a_ticket_is_paid_before_the_lease_though_the_hierarchy_has_it_later() -> None:
    lease = held("100.00")
    account = account_of(lease)
    charge(account, "LEASE", "100.00", "L", on=date(2019, 4, 1))
    charge(account, "TLC", "80.00", "T", on=date(2019, 4, 2))
    release_expired()
    assert open_items(account) == {"LEASE:L": 80}


def test_open_credits_are_used_before_the_deposit() -> None:
    lease = held("200.00")
    account = account_of(lease)
    pay(account, "70.00", on=date(2019, 4, 2))
    charge(account, "PVB", "100.00", "P", on=date(2019, 4, 3))
    shown = preview_release(lease=lease, actor=system_user(), on=HELD_UNTIL)
    assert [str(one.amount) for one in shown.from_credits] == ["70.00"]
    assert [str(one.amount) for one in shown.from_deposit] == ["30.00"]
    assert [str(one) for one in (shown.applied, shown.refundable, shown.owed_after)] == [
        "30.00",
        "170.00",
        "0.00",
    ]
    assert LedgerPosting.objects.filter(category="DEPOSIT_APPLIED").count() == 0, "a preview keeps nothing"
    release_expired()
    assert open_items(account) == {} and figures(lease)["to_refund"] == "170.00"
    assert broken_proofs() == []


def test_a_deposit_of_which_nothing_was_collected_is_cancelled_and_pays_nothing() -> None:
    lease = lease_with_deposit("500.00", (SATURDAY, date(2019, 5, 25)))
    account = account_of(lease)
    post_parts()
    charge(account, "PVB", "100.00", "P", on=date(2019, 4, 3))
    done = release_expired().as_dict()
    assert (done["applied"], done["to_refund"], done["cancelled"]) == ("0.00", "0.00", "250.00")
    assert open_items(account) == {"PVB:P": 100}
    assert not LedgerPosting.objects.filter(category="DEPOSIT_APPLIED").exists()
    # The part that was never posted does not post any more.
    for number in range(1, 12):
        weekly_close.run_week(
            week=SUNDAY + timedelta(weeks=number), today=date(2019, 6, 10), actor=system_user(), workers=1
        )
    assert not LedgerPosting.objects.filter(reference_id=f"{lease.number}/D2").exists()
    assert figures(lease)["agreed"] == "0.00" and broken_proofs() == []


def test_what_other_apps_have_not_posted_falls_due_and_is_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    lease = held("300.00")
    account = account_of(lease)
    pay(account, "20.00")

    def loans(*, leases: Any, actor: Any, on: date) -> None:
        for one in leases:
            charge(account_of(one), "LOAN", "120.00", f"DLN-{one.pk}", on=on)

    monkeypatch.setattr(due_now, "_registered", [])
    due_now.register_due_now(loans)
    done = release_expired().as_dict()
    assert (done["fell_due"], done["applied"], done["to_refund"]) == ("120.00", "100.00", "200.00")
    assert open_items(account) == {} and broken_proofs() == []


def test_a_week_of_the_lease_that_was_never_charged_falls_due() -> None:
    """350 a week from March 10; the run of March 10 charges the first week, and none the last four days, 200.00."""
    ends_on = date(2019, 3, 20)
    lease = lease_with_deposit("500.00", weekly_fee="350.00", starts_on=date(2019, 3, 10), ends_on=ends_on)
    account = account_of(lease)
    post_parts()
    pay(account, "500.00", {f"{lease.number}/D1": "500.00"})
    assert balance(account) == Decimal("350.00")
    done = release_expired(ends_on + timedelta(days=30)).as_dict()
    assert (done["fell_due"], done["applied"], done["to_refund"]) == ("200.00", "500.00", "0.00")
    assert open_items(account) == {f"LEASE:{lease.number}/2019-03-17": 50}
    assert not LeaseInstallment.objects.filter(posting_id__isnull=True).exists() and broken_proofs() == []


def test_a_lease_reopened_after_it_was_found_due_is_left_alone() -> None:
    lease = held("100.00")
    assert holds.expired_holds(HELD_UNTIL) == [lease.pk]
    Lease.objects.filter(pk=lease.pk).update(ends_on=None)
    assert holds._release(lease_ids=[lease.pk], actor=system_user(), on=HELD_UNTIL) == []
    assert standing(lease).status == "HELD"


def test_a_lease_that_is_reopened_keeps_its_deposit() -> None:
    lease = held("100.00")
    Lease.objects.filter(pk=lease.pk).update(ends_on=date(2019, 4, 10))
    assert release_expired().as_dict()["released"] == 0
    Lease.objects.filter(pk=lease.pk).update(ends_on=None)
    assert release_expired(date(2019, 9, 1)).as_dict()["released"] == 0
    assert standing(lease).due_on is None
    with pytest.raises(LeaseNotOver):
        release_deposit(lease=lease, actor=system_user(), on=HELD_UNTIL, reason="The driver asked for it")


def test_a_person_releases_before_the_hold_ends_with_a_reason() -> None:
    lease = held("100.00")
    with pytest.raises(LeaseNotOver):
        release_deposit(lease=lease, actor=system_user(), on=ENDED, reason="The driver leaves the city")
    with pytest.raises(ReasonLength):
        release_deposit(lease=lease, actor=system_user(), on=ENDED + DAY, reason="short")
    release = release_deposit(
        lease=lease, actor=system_user(), on=ENDED + DAY, reason="The driver leaves the city"
    )
    assert (str(release.refundable), release.reason) == ("100.00", "The driver leaves the city")
    with pytest.raises(AlreadyReleased):
        release_deposit(lease=lease, actor=system_user(), on=HELD_UNTIL)
    assert release_expired().as_dict()["released"] == 0 and broken_proofs() == []


def test_a_lease_cancelled_before_it_began_is_released_too() -> None:
    lease = held("100.00")
    cancelled_before(lease)
    assert standing(lease).due_on == date(2019, 3, 26)
    assert release_expired(date(2019, 3, 26)).as_dict()["to_refund"] == "100.00"


def test_a_deposit_charged_without_terms_is_released_like_any_other() -> None:
    lease = make_lease(weekly_fee="0.00", ends_on=ENDED)
    account = account_of(lease)
    charge(account, "DEPOSIT", "80.00", "OLD-DEPOSIT-7")
    pay(account, "80.00", {"OLD-DEPOSIT-7": "80.00"})
    assert release_expired().as_dict()["to_refund"] == "80.00"
    assert figures(lease)["status"] == "APPLIED" and broken_proofs() == []


def test_run_twice_it_releases_once_and_one_bad_lease_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad, better = held("100.00"), lease_with_deposit("70.00"), lease_with_deposit("60.00")

    def repairs(*, leases: Any, actor: Any, on: date) -> None:
        if any(one.pk == bad.pk for one in leases):
            raise LeaseNotOver(number=bad.number, ends_on="a flat tyre")

    monkeypatch.setattr(due_now, "_registered", [repairs])
    done = release_expired()
    assert [one.lease for one in done.failed] == [bad.number] and "flat tyre" in done.failed[0].message
    assert {release.deposit.lease_id for release in done.released} == {good.pk, better.pk}
    monkeypatch.setattr(due_now, "_registered", [])
    assert [release.deposit.lease_id for release in release_expired().released] == [bad.pk]
    before = LedgerPosting.objects.count()
    assert release_expired().as_dict()["released"] == 0 and LedgerPosting.objects.count() == before
    assert broken_proofs() == []


def test_many_deposits_at_once_take_a_few_statements_each() -> None:
    leases = [
        lease_with_deposit("100.00", weekly_fee="70.00", starts_on=SUNDAY, ends_on=ENDED) for _ in range(5)
    ]
    post_parts()
    for lease in leases:
        pay(account_of(lease), "100.00", {f"{lease.number}/D1": "100.00"})
    Lease.objects.filter(pk__in=[lease.pk for lease in leases[1:]]).update(ends_on=date(2019, 3, 17))
    with CaptureQueriesContext(connection) as one:
        assert release_expired().as_dict()["released"] == 1
    Lease.objects.update(ends_on=ENDED)
    with CaptureQueriesContext(connection) as four:
        assert release_expired().as_dict()["released"] == 4
    assert len(four) - len(one) <= 3, "one audit entry for each, and nothing else"
    assert broken_proofs() == []


# --- refunds ------------------------------------------------------------------------------------------------------


def test_a_refund_that_came_back_is_owed_again() -> None:
    lease = held("100.00")
    release_expired()
    record_refund(lease=lease, method="ACH", method_reference="TR-1", actor=system_user(), on=HELD_UNTIL)
    return_refund(lease=lease, reason="The account was closed", actor=system_user(), on=HELD_UNTIL + DAY)
    assert figures(lease)["status"] == "APPLIED" and figures(lease)["to_refund"] == "100.00"
    assert broken_proofs() == []
    with pytest.raises(NothingRefunded):
        return_refund(lease=lease, reason="The account was closed", actor=system_user(), on=HELD_UNTIL + DAY)
    record_refund(
        lease=lease, method="CHECK", method_reference="77", actor=system_user(), on=HELD_UNTIL + 2 * DAY
    )
    assert figures(lease)["status"] == "REFUNDED" and broken_proofs() == []


def test_of_two_refunds_the_one_that_is_named_came_back() -> None:
    """100 held, 60 applied and 40 refunded; the application is voided and its 60 refunded too. The 40 come back."""
    lease, today = held("100.00"), HELD_UNTIL + DAY
    charge(account_of(lease), "PVB", "60.00", "P", on=date(2019, 4, 3))
    release_expired()
    first = record_refund(
        lease=lease, method="ACH", method_reference="TR-1", actor=system_user(), on=HELD_UNTIL
    )
    applied = LedgerPosting.objects.get(category="DEPOSIT_APPLIED")
    voids.void_posting(
        posting_id=applied.pk, reason="Settled with the driver", actor=system_user(), on=HELD_UNTIL
    )
    second = record_refund(lease=lease, method="CHECK", method_reference="77", actor=system_user(), on=today)
    assert (str(first.amount), str(second.amount)) == ("40.00", "60.00")

    def came_back(refund_id: int | None = None) -> None:
        return_refund(
            lease=lease, reason="The account was closed", actor=system_user(), on=today, refund_id=refund_id
        )

    with pytest.raises(WhichRefund, match=rf"{first.pk} \(40.00 by ACH TR-1"):
        came_back()
    came_back(first.pk)
    assert figures(lease)["to_refund"] == "40.00" and broken_proofs() == []
    with pytest.raises(RefundNotOut, match=r"60.00 by CHECK 77"):
        came_back(first.pk)
    came_back()
    assert figures(lease)["to_refund"] == "100.00" and broken_proofs() == []


def test_a_refund_says_how_and_is_dated_after_the_release() -> None:
    lease = held("100.00")
    with pytest.raises(NotReleased):
        record_refund(lease=lease, method="CHECK", method_reference="1", actor=system_user(), on=ENDED)
    release_expired()
    with pytest.raises(UnknownMethod):
        record_refund(lease=lease, method="CASH", method_reference="1", actor=system_user(), on=HELD_UNTIL)
    with pytest.raises(MethodReferenceMissing):
        record_refund(lease=lease, method="CHECK", method_reference=" ", actor=system_user(), on=HELD_UNTIL)
    with pytest.raises(RefundDated):
        record_refund(
            lease=lease, method="CHECK", method_reference="1", actor=system_user(), on=HELD_UNTIL,
            paid_on=HELD_UNTIL - DAY,
        )  # fmt: skip
    assert figures(lease)["to_refund"] == "100.00" and broken_proofs() == []


def test_a_payment_that_bounces_after_the_release_is_not_refunded() -> None:
    lease = lease_with_deposit("100.00")
    post_parts()
    payment = pay(account_of(lease), "100.00", {f"{lease.number}/D1": "100.00"})
    release_expired()
    voids.void_posting(
        posting_id=payment.pk, reason="The check bounced", actor=system_user(), on=HELD_UNTIL + DAY
    )
    assert figures(lease)["to_refund"] == "0.00"
    with pytest.raises(NothingToRefund):
        record_refund(
            lease=lease, method="ACH", method_reference="9", actor=system_user(), on=HELD_UNTIL + DAY
        )
    assert broken_proofs() == []


def test_a_deposit_application_that_is_voided_is_left_to_refund() -> None:
    lease = held("100.00")
    charge(account_of(lease), "PVB", "60.00", "P", on=date(2019, 4, 3))
    release_expired()
    applied = LedgerPosting.objects.get(category="DEPOSIT_APPLIED")
    voids.void_posting(
        posting_id=applied.pk, reason="Settled with the driver", actor=system_user(), on=HELD_UNTIL
    )
    assert figures(lease)["to_refund"] == "100.00" and open_items(account_of(lease)) == {"PVB:P": 60}
    record_refund(lease=lease, method="ACH", method_reference="9", actor=system_user(), on=HELD_UNTIL)
    assert figures(lease)["status"] == "REFUNDED" and broken_proofs() == []


def test_a_charge_is_not_voided_from_under_what_was_applied_or_paid_back() -> None:
    """Of 100 paid in, 60 pay a ticket and 40 go back: the charge stays, or the driver would have 100 once more."""
    lease = held("100.00")
    charge(account_of(lease), "PVB", "60.00", "P", on=date(2019, 4, 3))
    release_expired()
    paid_in = LedgerPosting.objects.get(category="DEPOSIT", status="POSTED", amount__gt=0)
    applied = LedgerPosting.objects.get(category="DEPOSIT_APPLIED")

    def void(posting: LedgerPosting) -> None:
        voids.void_posting(
            posting_id=posting.pk, reason="Charged by mistake", actor=system_user(), on=HELD_UNTIL
        )

    with pytest.raises(Refused, match="applied to debts or paid back"):
        void(paid_in)
    void(applied)
    record_refund(lease=lease, method="ACH", method_reference="9", actor=system_user(), on=HELD_UNTIL)
    with pytest.raises(Refused, match="applied to debts or paid back"):
        void(paid_in)
    assert figures(lease)["held"] == "0.00" and balance(account_of(lease)) == 60
    return_refund(lease=lease, reason="The ACH failed", actor=system_user(), on=HELD_UNTIL)
    void(paid_in)
    assert figures(lease)["to_refund"] == "0.00" and balance(account_of(lease)) == -40
    assert broken_proofs() == []


# --- terms --------------------------------------------------------------------------------------------------------


def parts(lease: Lease) -> list[tuple[int, str, str]]:
    rows = lease.deposit.parts.order_by("number")
    return [(part.number, str(part.amount), str(part.due_on)) for part in rows]


def change(lease: Lease, amount: str, *due_on: date) -> LeaseDeposit:
    return change_deposit(lease=lease, terms=DepositTerms(Decimal(amount), due_on), actor=system_user())


def test_a_lease_is_made_with_its_deposit_and_the_first_half_has_the_odd_cent() -> None:
    model = make_lease()
    services.end_lease(lease=model, ends_on=date(2019, 2, 25), actor=system_user())
    lease = services.create_lease(
        driver=model.driver, medallion=model.medallion, vehicle=model.vehicle, starts_on=date(2019, 3, 3),
        weekly_fee=Decimal("500.00"), actor=system_user(),
        deposit=DepositTerms(Decimal("500.01"), [SATURDAY, NEXT_SATURDAY]),
    )  # fmt: skip
    assert parts(lease) == [(1, "250.01", "2019-03-09"), (2, "250.00", "2019-03-16")]


def test_terms_that_make_no_sense_are_refused() -> None:
    for amount, days, error in (
        ("100000.00", (SATURDAY,), AmountTooLarge),
        ("0.00", (SATURDAY,), DepositAmount), ("-5.00", (SATURDAY,), DepositAmount),
        ("0.01", (SATURDAY, NEXT_SATURDAY), DepositAmount), ("5.00", (), DepositParts),
        ("5.00", (SATURDAY, SATURDAY), DepositParts), ("5.00", (NEXT_SATURDAY, SATURDAY), DepositParts),
        ("5.00", (SUNDAY, SATURDAY, NEXT_SATURDAY), DepositParts),
    ):  # fmt: skip
        with pytest.raises(error):
            lease_with_deposit(amount, days)
    lease = lease_with_deposit()
    with pytest.raises(DepositExists):
        services.deposits.agree_deposit(
            lease=lease, terms=DepositTerms(Decimal(1), [SATURDAY]), actor=system_user()
        )
    ended = make_lease()
    services.end_lease(lease=ended, ends_on=ENDED, actor=system_user())
    with pytest.raises(LeaseOver):
        services.deposits.agree_deposit(
            lease=ended, terms=DepositTerms(Decimal(1), [SATURDAY]), actor=system_user()
        )


def test_what_is_not_posted_yet_is_raised_and_lowered() -> None:
    lease = lease_with_deposit("500.00", (SATURDAY, date(2019, 4, 20)))
    post_parts()  # the first half
    change(lease, "600.00", date(2019, 4, 27))
    assert parts(lease) == [(1, "250.00", "2019-03-09"), (2, "350.00", "2019-04-27")]
    with pytest.raises(BelowCharged):
        change(lease, "249.99")
    with pytest.raises(NoPartLeft):
        change(lease, "600.00", date(2019, 4, 20), date(2019, 4, 27))
    change(lease, "250.00")
    assert parts(lease) == [(1, "250.00", "2019-03-09")] and standing(lease).status == "COLLECTING"
    pay(account_of(lease), "250.00", {f"{lease.number}/D1": "250.00"})
    with pytest.raises(NotCollecting):
        change(lease, "300.00", date(2019, 4, 20))
