"""What a change of a lease's terms does to what is billed, and doing it: the one place where installments are changed.

The terms (dates, fees, suspensions) say which stretches there are to be. Stretches that were not posted are simply made
anew. A posted one that is no longer right is replaced in the ledger, today, by what its days cost now; its row stays
and says so. Stretches that nobody posted yet are left to the weekly run, late ones too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max

from batconnect.common.errors import ConflictingState
from batconnect.common.models import User
from batconnect.common.money import ZERO
from batconnect.common.weeks import sunday_of
from leases import schedule
from leases.installments import told
from leases.models import Lease, LeaseInstallment
from ledger.models import DriverAccount, LedgerBalance, LedgerPosting
from ledger.selectors.account_items import open_credit
from ledger.services.accounts import lock_accounts
from ledger.services.replacements import Part, replace_with_parts

Told = TypeVar("Told")


class LeaseCancelled(ConflictingState):
    code = "lease.cancelled"
    message = "Lease {number} was cancelled before it began and can no longer be changed."


@dataclass(frozen=True)
class Line:
    """One installment, or the cancellation fee, as an effect tells it. `paid` is what was paid of a posted one."""

    reference_id: str
    amount: Decimal
    due_on: date
    period_start: date | None = None
    period_end: date | None = None
    weekly_fee: Decimal | None = None
    posting_id: UUID | None = None
    paid: Decimal = ZERO

    @property
    def days(self) -> int | None:
        if self.period_start is None or self.period_end is None:
            return None
        return (self.period_end - self.period_start).days + 1


@dataclass
class Effect:
    """What a change did, or would do. `cancelled` was scheduled and never posted; `replaced` was posted and is voided.

    Balances and credits are the account's, before and after; a credit is what the driver has in hand, as a positive
    amount.
    """

    lease: Lease
    balance_before: Decimal
    credit_before: Decimal
    balance_after: Decimal = ZERO
    credit_after: Decimal = ZERO
    cancelled: list[Line] = field(default_factory=list)
    replaced: list[Line] = field(default_factory=list)
    posted: list[Line] = field(default_factory=list)
    scheduled: list[Line] = field(default_factory=list)
    cancellation_fee: Decimal = ZERO
    waived: bool = False
    # Of a lease that was cancelled before it began: what was agreed as its deposit and is not charged.
    deposit_cancelled: Decimal = ZERO
    freed: bool = False  # the vehicle that was to come onto the medallion with it does not


@dataclass(frozen=True)
class _Standing:
    """A posted row's place in the ledger now."""

    posting_id: UUID
    voided: bool
    event_on: date
    paid: Decimal


_STANDING = """
SELECT i.id, p.id, p.status = 'VOIDED', p.event_on, p.amount - b.balance
  FROM lease_installment i
  JOIN ledger_posting p ON p.id = lease_installment_current_posting(i.posting_id)
  JOIN ledger_balance b ON b.posting_id = p.id
 WHERE i.id = ANY(%s)
"""


def previewed(change: Callable[[], Told]) -> Told:
    """What a change would do: it is carried out and taken back, so that preview and effect cannot differ."""
    with transaction.atomic():
        told_by = change()
        transaction.set_rollback(True)
    return told_by


def locked_lease(lease: Lease) -> Lease:
    """The lease as it is now, with its schedule held still. Raises LeaseCancelled.

    Others may still refer to it: a run's or a desk's transaction that holds the account does so as it commits.
    """
    schedule.hold_schedule()
    lease = Lease.objects.select_for_update(no_key=True).get(pk=lease.pk)
    if lease.status == Lease.Status.CANCELLED:
        raise LeaseCancelled(number=lease.number)
    return lease


def begun(lease: Lease) -> Effect:
    """The effect of a change that is about to be made, its account locked."""
    account = DriverAccount.objects.get(lease=lease, driver=lease.driver_id)
    lock_accounts([account.pk])
    account.refresh_from_db()
    return Effect(lease=lease, balance_before=account.balance, credit_before=open_credit(account.pk))


def completed(effect: Effect) -> Effect:
    """The effect with what the account came to."""
    account = DriverAccount.objects.get(lease=effect.lease, driver=effect.lease.driver_id)
    effect.balance_after, effect.credit_after = account.balance, open_credit(account.pk)
    open_amounts = dict(
        LedgerBalance.objects.filter(pk__in=[line.posting_id for line in effect.posted]).values_list(
            "pk", "balance"
        )
    )
    effect.posted = [
        Line(**{**line.__dict__, "paid": line.amount - open_amounts[line.posting_id]})
        for line in effect.posted
        if line.posting_id is not None
    ]
    return effect


def wanted_stretches(
    lease: Lease, *, through: date, free: Sequence[schedule.Days] = ()
) -> list[schedule.Stretch]:
    """What the lease's terms, as they are stored now, bill through a day; `free` days besides the suspended ones."""
    suspended = lease.suspensions.filter(withdrawn=False).values_list("starts_on", "ends_on")
    return schedule.weekly_schedule(
        starts_on=lease.starts_on,
        ends_on=lease.ends_on,
        fees=list(lease.fees.order_by("effective_from").values_list("effective_from", "weekly_fee")),
        through=through,
        suspensions=[*suspended, *free],
    )


def posted_past(lease: Lease, day: date) -> date | None:
    """The last day charged, if it is after `day`."""
    last = lease.installments.filter(posting_id__isnull=False, replaced=0).aggregate(day=Max("period_end"))[
        "day"
    ]
    return last if last and last > day else None


def rebill(effect: Effect, *, since: date, reason: str, actor: User, on: date) -> None:
    """Bring the lease's installments, from the week of `since` on, in accord with its terms; tell it in `effect`.

    As far ahead as there are any; later weeks are the weekly run's. What was voided by hand stays so: its days are not
    charged again. Raises as `replace_with_parts`.
    """
    lease, week = effect.lease, sunday_of(since)
    through = lease.installments.aggregate(day=Max("due_on"))["day"]
    if through is None:
        return
    rows = list(lease.installments.filter(week__gte=week, replaced=0).order_by("period_start"))
    standing = _standing([row.pk for row in rows if row.posting_id])
    forgiven = {row.pk for row in rows if row.pk in standing and standing[row.pk].voided}
    free = [(row.period_start, row.period_end) for row in rows if row.pk in forgiven]
    wanted = {
        _key(stretch): stretch
        for stretch in wanted_stretches(lease, through=through, free=free)
        if stretch.week >= week
    }
    stale = [row for row in rows if row.pk not in forgiven and _key(row) not in wanted]
    for row in rows:
        wanted.pop(_key(row), None)
    effect.cancelled += [installment_line(row) for row in stale if row.posting_id is None]
    lease.installments.filter(pk__in=[row.pk for row in stale if row.posting_id is None]).delete()
    by_week: dict[date, list[LeaseInstallment]] = {}
    for row in stale:
        if row.posting_id is not None:
            by_week.setdefault(row.week, []).append(row)
    for start, old in by_week.items():
        parts = [wanted.pop(key) for key in [*wanted] if wanted[key].week == start]
        _replace(effect, old, parts, standing, reason=reason, actor=actor, on=on)
    times = _times_replaced(lease)
    made = [_row(lease, stretch, times) for stretch in wanted.values()]
    LeaseInstallment.objects.bulk_create(made)
    effect.scheduled += [installment_line(row) for row in made]


def _replace(
    effect: Effect,
    old: list[LeaseInstallment],
    parts: list[schedule.Stretch],
    standing: dict[int, _Standing],
    *,
    reason: str,
    actor: User,
    on: date,
) -> None:
    """Replace posted rows of one week: in the ledger first, then their rows."""
    lease, places = effect.lease, [standing[row.pk] for row in old]
    times = _times_replaced(lease)
    for row in old:
        times[row.period_start] = times.get(row.period_start, 0) + 1
    made = [_row(lease, stretch, times) for stretch in parts]
    postings = replace_with_parts(
        posting_ids=[place.posting_id for place in places],
        parts=[
            Part(
                amount=stretch.amount,
                reference_id=row.reference_id,
                due_on=stretch.due_on,
                event_on=min(place.event_on for place in places),
                description=told(stretch),
            )
            for stretch, row in zip(parts, made, strict=True)
        ],
        reason=reason,
        actor=actor,
        on=on,
    )
    for row, place in zip(old, places, strict=True):
        effect.replaced.append(installment_line(row, paid=place.paid))
        LeaseInstallment.objects.filter(pk=row.pk).update(replaced=times[row.period_start], replaced_on=on)
    for row, posting in zip(made, postings, strict=True):
        row.posting_id, row.reference_id = posting.pk, posting.reference_id
    LeaseInstallment.objects.bulk_create(made)
    effect.posted += [installment_line(row) for row in made]


def _standing(rows: list[int]) -> dict[int, _Standing]:
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [rows])
        return {row[0]: _Standing(*row[1:]) for row in cursor.fetchall()}


def _times_replaced(lease: Lease) -> dict[date, int]:
    """How many rows were replaced, by their first day."""
    times: dict[date, int] = {}
    for day in lease.installments.filter(replaced__gt=0).values_list("period_start", flat=True):
        times[day] = times.get(day, 0) + 1
    return times


def _row(lease: Lease, stretch: schedule.Stretch, times: dict[date, int]) -> LeaseInstallment:
    return LeaseInstallment(
        lease=lease,
        week=stretch.week,
        period_start=stretch.period_start,
        period_end=stretch.period_end,
        days=stretch.days,
        weekly_fee=stretch.weekly_fee,
        amount=stretch.amount,
        due_on=stretch.due_on,
        reference_id=schedule.reference_of(
            lease.number, stretch.period_start, times.get(stretch.period_start, 0)
        ),
    )


def _key(stretch: schedule.Stretch | LeaseInstallment) -> tuple[date, date, Decimal]:
    return stretch.period_start, stretch.period_end, stretch.weekly_fee


def installment_line(row: LeaseInstallment, *, paid: Decimal = ZERO) -> Line:
    """An installment, as an effect tells it."""
    return Line(
        reference_id=row.reference_id,
        amount=row.amount,
        due_on=row.due_on,
        period_start=row.period_start,
        period_end=row.period_end,
        weekly_fee=row.weekly_fee,
        posting_id=row.posting_id,
        paid=paid,
    )


def posting_line(posting: LedgerPosting) -> Line:
    """A charge beside the installments: the cancellation fee."""
    assert posting.due_on is not None
    return Line(
        reference_id=posting.reference_id,
        amount=posting.amount,
        due_on=posting.due_on,
        posting_id=posting.pk,
    )
