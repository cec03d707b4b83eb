"""Making repayments and carrying out what was decided about them: each in one transaction, locks first."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeVar, cast

from django.db.models import QuerySet

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.money import parse_amount
from batconnect.common.numbers import reserve_numbers
from batconnect.common.transactions import money_transaction
from leases.models import Lease
from ledger.models import DriverAccount, InstallmentStatus, LedgerPosting
from ledger.services.accounts import lock_accounts, open_account
from ledger.services.reposting import post_again

from ..installments import PREFIXES, post_now
from ..matrix import Planned, lay_out, split, weekly_principal
from ..models import (
    LARGEST,
    SMALLEST,
    Because,
    Kind,
    Repayment,
    RepaymentInstallment,
    State,
)
from .decisions import Change, checked_first_due, pay_off
from .errors import AmountOutOfRange, DatedAhead, NoLongerOwed, NotVoided, TooOld, UnknownLease
from .plans import Plan, find_plan, hold_schedules, lock_plan

Made = TypeVar("Made", bound=Repayment)

OLDEST = timedelta(days=5 * 366)


def checked_amount(amount: Decimal) -> Decimal:
    """Raises AmountOutOfRange, BadAmount."""
    amount = parse_amount(amount)
    if not SMALLEST <= amount <= LARGEST:
        raise AmountOutOfRange(amount=amount, smallest=SMALLEST, largest=f"{LARGEST:,}")
    return amount


def checked_past(day: date, *, on: date) -> date:
    """Raises DatedAhead, TooOld."""
    if day > on:
        raise DatedAhead(date=day, today=on)
    if day < on - OLDEST:
        raise TooOld(date=day)
    return day


def checked_lease(*, driver_id: int, lease_id: int) -> Lease:
    """The lease, if it is that driver's and was not cancelled; ended ones too. Raises UnknownLease."""
    rows = Lease.objects.select_related("driver", "medallion", "vehicle").exclude(
        status=Lease.Status.CANCELLED
    )
    lease = rows.filter(pk=lease_id, driver_id=driver_id).first()
    if lease is None:
        raise UnknownLease
    return lease


def first_schedule(
    *, amount: Decimal, rate: Decimal, starts_on: date, first_due_on: date, on: date
) -> list[Planned]:
    """The schedule of a new repayment, by the matrix. Raises as `checked_first_due`."""
    checked_first_due(first_due_on, after=starts_on, on=on)
    parts = split(amount, weekly_principal(amount))
    return lay_out(parts, rate=rate, since=starts_on, first_due_on=first_due_on)


def make_repayment(
    model: type[Made],
    *,
    kind: Kind,
    lease: Lease,
    amount: Decimal,
    starts_on: date,
    planned: Sequence[Planned],
    actor: User,
    on: date,
    rate: Decimal = Decimal("0.00"),
    case_no: str = "",
    **own: Any,
) -> Made:
    """A draft with its number and schedule, inside the caller's transaction; without a schedule nothing is billed."""
    (number,) = reserve_numbers(prefix=PREFIXES[kind], year=on.year, count=1)
    made = cast(Any, model)._default_manager.create(
        number=number,
        kind=kind,
        account=open_account(driver_id=lease.driver_id, lease_id=lease.pk),
        driver_id=lease.driver_id,
        lease=lease,
        amount=amount,
        billed=amount if planned else Decimal("0.00"),
        rate=rate,
        starts_on=starts_on,
        weekly_principal=weekly_principal(amount),
        state=State.DRAFT,
        state_since=on,
        case_no=case_no,
        created_by=actor,
        **own,
    )
    _add(made, planned, first=1)
    audit.record(
        actor=actor,
        action=f"{kind.lower()}.drafted",
        subject=f"repayment:{number}",
        after={
            "amount": str(amount),
            "rate": str(rate),
            "starts_on": str(starts_on),
            "lease": lease.number,
            "schedule": told(planned),
        },
        case_no=case_no,
    )
    return cast(Made, made)


@money_transaction
def carry_out(
    *, kind: Kind, number: str, decide: Callable[[Plan], Change], actor: User, on: date, case_no: str = ""
) -> Plan:
    """Lock, decide on what is there now, write it; returns the plan as it then is. Raises what `decide` raises."""
    plan = lock_plan(kind=kind, number=number)
    apply(plan, decide(plan), actor=actor, on=on, case_no=case_no)
    return find_plan(kind=kind, number=number)


def apply(plan: Plan, change: Change, *, actor: User, on: date, case_no: str = "") -> None:
    """Write a change of a plan that is locked, with its audit entry; what it charges is posted in the ledger."""
    repayment = plan.repayment
    before = {"state": repayment.state, "schedule": told(plan.scheduled)}
    fields = {
        "state": change.state,
        "state_reason": change.reason if change.state in (State.HOLD, State.CANCELLED) else "",
        "state_since": on if change.state != repayment.state else repayment.state_since,
        "weekly_principal": change.weekly_principal or repayment.weekly_principal,
        "waived": repayment.waived + change.waives,
        "forgiven": repayment.forgiven + change.forgives,
    }
    if change.state == repayment.state:
        fields["state_reason"] = repayment.state_reason
    Repayment.objects.filter(pk=repayment.pk).update(**fields)
    RepaymentInstallment.objects.filter(pk__in=[row.pk for row in change.cancels]).update(
        cancelled_on=on, cancelled_because=change.because
    )
    repayment.state = change.state
    added = _add(repayment, change.adds, first=len(plan.rows) + 1)
    posts = added if change.posts_added else list(change.posts)
    for row in posts:
        row.repayment = repayment
    if posts:
        post_now(rows=posts, actor=actor, on=on)
    audit.record(
        actor=actor,
        action=f"{repayment.kind.lower()}.{change.action}",
        subject=f"repayment:{repayment.number}",
        before=before,
        after={
            "state": change.state,
            **({"reason": change.reason} if change.reason else {}),
            **({"schedule": told(change.adds)} if change.adds else {}),
            **({"posted": [row.reference_id for row in posts]} if posts else {}),
            **({"forgiven": str(change.forgives)} if change.forgives else {}),
        },
        case_no=case_no,
    )


@money_transaction
def fall_due(*, kind: Kind, lease: Lease, on: date, actor: User) -> list[LedgerPosting]:
    """Charge at once all that is scheduled on a lease, open or on hold, as a payoff does; returns the postings.

    For the release of a deposit. Drafts were never agreed and stay. Source: domain.md, deposit.
    """
    hold_schedules()
    lock_accounts(DriverAccount.objects.filter(lease=lease).values_list("pk", flat=True))
    found = _scheduled(kind).filter(lease=lease)
    posted = []
    for number in found.order_by("number").values_list("number", flat=True):
        plan = lock_plan(kind=kind, number=number)
        apply(plan, pay_off(plan, on=on, because=Because.FELL_DUE), actor=actor, on=on)
        posted.append(find_plan(kind=kind, number=number).rows[-1].standing.current_posting)
    return [posting for posting in posted if posting is not None]


def with_something_scheduled(*, kind: Kind, leases: Sequence[Lease]) -> list[Lease]:
    """Those of these leases with repayments of this kind that are open or on hold, and not all posted."""
    found = set(_scheduled(kind).filter(lease__in=leases).values_list("lease_id", flat=True))
    return [lease for lease in leases if lease.pk in found]


def _scheduled(kind: Kind) -> QuerySet[Repayment]:
    return Repayment.objects.filter(kind=kind, state__in=[State.OPEN, State.HOLD], standing__scheduled__gt=0)


@money_transaction
def repost(*, kind: Kind, number: str, position: int, reason: str, actor: User, on: date) -> LedgerPosting:
    """Charge a voided installment again, as `RPR-…/1/2`. Raises NotVoided, UnknownRepayment, ReasonLength."""
    plan = lock_plan(kind=kind, number=number)
    row = next((row for row in plan.rows if row.position == position), None)
    if (
        row is None
        or row.standing.status != InstallmentStatus.VOIDED
        or row.standing.current_posting_id is None
    ):
        raise NotVoided(reference_id=f"{number}/{position}")
    if plan.repayment.state == State.CANCELLED or row.principal > plan.repayment.standing.adrift:
        raise NoLongerOwed(reference_id=row.reference_id, number=number)
    posting = post_again(posting_id=row.standing.current_posting_id, reason=reason, actor=actor, on=on)
    audit.record(
        actor=actor,
        action=f"{kind.lower()}.reposted",
        subject=f"repayment:{number}",
        after={"installment": row.reference_id, "posting": posting.reference_id, "reason": posting.reason},
    )
    return posting


def told(rows: Sequence[Planned | RepaymentInstallment]) -> list[str]:
    """A schedule as the audit trail keeps it."""
    return [f"{row.due_on}: {row.principal} + {row.interest}" for row in rows]


def _add(repayment: Repayment, planned: Sequence[Planned], *, first: int) -> list[RepaymentInstallment]:
    return RepaymentInstallment.objects.bulk_create(
        RepaymentInstallment(
            repayment_id=repayment.pk,
            position=position,
            reference_id=f"{repayment.number}/{position}",
            due_on=one.due_on,
            principal=one.principal,
            interest=one.interest,
            left=one.left,
        )
        for position, one in enumerate(planned, first)
    )
