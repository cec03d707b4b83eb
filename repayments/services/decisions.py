"""What may be decided about a repayment, and what that changes. Nothing is written here: a `Change` is looked at
before it is confirmed, and carried out by `schedules`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from batconnect.common.money import ZERO, parse_amount, to_cents
from batconnect.common.weeks import WEEK, saturday_of
from ledger.models import InstallmentStatus
from ledger.services.reasons import checked_reason

from ..matrix import Planned, interest_for, lay_out, split
from ..models import Because, RepaymentInstallment, State, Status
from .errors import (
    DueTooEarly,
    DueTooLate,
    NotASaturday,
    NothingChanged,
    NothingScheduled,
    SomethingPosted,
    WeeklyOutOfRange,
    WeeksOutOfRange,
    WrongStatus,
)
from .plans import Plan

MOST_WEEKS = 52
MOST_INSTALLMENTS = 520
LATEST_FIRST_DUE = timedelta(days=366)
POST_MISSED, SHIFT = "POST", "SHIFT"


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a decision does: `cancels` and `posts` name installments there are, `adds` those that are made.

    With `posts_added` the new ones are charged at once. `forgives` is principal booked as bad debt, of which
    `waives` was scheduled; `pays_out` is handed to the driver.
    """

    action: str
    state: str
    reason: str = ""
    cancels: Sequence[RepaymentInstallment] = ()
    because: str = ""
    adds: Sequence[Planned] = ()
    posts: Sequence[RepaymentInstallment] = ()
    posts_added: bool = False
    weekly_principal: Decimal | None = None
    forgives: Decimal = ZERO
    waives: Decimal = ZERO
    pays_out: Decimal = ZERO

    @property
    def charged(self) -> Decimal:
        """What the driver owes more at once."""
        amount = sum((row.principal + row.interest for row in self.posts), ZERO)
        return amount + sum((one.amount for one in self.adds), ZERO) if self.posts_added else amount


def confirm(plan: Plan) -> Change:
    """A draft becomes open: its installments post when they are due."""
    need(plan, Status.DRAFT, what="confirmed")
    return Change(action="confirmed", state=State.OPEN)


def hold(plan: Plan, *, reason: str) -> Change:
    """Stops posting, and nothing else."""
    need(plan, Status.OPEN, what="put on hold")
    if not plan.scheduled:
        raise NothingScheduled(number=plan.number, what="put on hold")
    return Change(action="held", state=State.HOLD, reason=checked_reason(reason))


def release(plan: Plan, *, choice: str, on: date, weeks: int | None = None) -> Change:
    """Ends a hold: POST charges at once what was missed; SHIFT moves all that is scheduled by whole weeks.

    Missed is what was due by the Saturday of this week, for the run of last Sunday would have posted it. By
    default the shift is the least with which nothing is missed; interest is computed anew. Raises WeeksOutOfRange.
    """
    need(plan, Status.HOLD, what="released")
    if choice == POST_MISSED:
        return Change(action="released", state=State.OPEN, posts=missed(plan, on))
    least = least_shift(plan, on)
    weeks = least if weeks is None else weeks
    if not least <= weeks <= least + MOST_WEEKS:
        raise WeeksOutOfRange(number=plan.number, weeks=weeks, least=least, most=least + MOST_WEEKS)
    if weeks == 0:
        return Change(action="released", state=State.OPEN)
    return Change(
        action="released",
        state=State.OPEN,
        cancels=plan.scheduled,
        because=Because.SHIFTED,
        adds=lay_out(
            [row.principal for row in plan.scheduled],
            rate=plan.repayment.rate,
            since=plan.counted_to,
            first_due_on=plan.scheduled[0].due_on + weeks * WEEK,
        ),
    )


def missed(plan: Plan, on: date) -> list[RepaymentInstallment]:
    return [row for row in plan.scheduled if row.due_on <= saturday_of(on)]


def least_shift(plan: Plan, on: date) -> int:
    """By how many weeks what is scheduled is moved so that its first part is due after this week."""
    if not plan.scheduled:
        return 0
    late = saturday_of(on) + WEEK - plan.scheduled[0].due_on
    return max(late.days // 7, 0)


def pay_off(plan: Plan, *, on: date, because: str = Because.PAID_OFF) -> Change:
    """Charge all remaining principal at once, with the interest since the last posted due date, and cancel the rest."""
    need(plan, Status.OPEN, Status.HOLD, what="paid off")
    if not plan.scheduled:
        raise NothingScheduled(number=plan.number, what="paid off")
    days = (on - plan.counted_to).days
    due_on = max(saturday_of(on), plan.last_posted_due or saturday_of(on))
    interest = interest_for(outstanding=plan.remaining, rate=plan.repayment.rate, days=days)
    return Change(
        action="paid_off" if because == Because.PAID_OFF else "fell_due",
        state=State.OPEN,
        cancels=plan.scheduled,
        because=because,
        adds=[Planned(due_on, plan.remaining, interest, ZERO)],
        posts_added=True,
    )


def reschedule(
    plan: Plan, *, on: date, reason: str, weekly: Decimal | None = None, first_due_on: date | None = None
) -> Change:
    """Another weekly amount, or another first Saturday, for what is not posted yet; interest is computed anew.

    Raises NothingChanged, WeeklyOutOfRange and as `checked_first_due`.
    """
    need(plan, Status.DRAFT, Status.OPEN, Status.HOLD, what="rescheduled")
    if not plan.scheduled:
        raise NothingScheduled(number=plan.number, what="rescheduled")
    now_first = plan.scheduled[0].due_on
    weekly = plan.repayment.weekly_principal if weekly is None else parse_amount(weekly)
    if first_due_on is None:
        first_due_on = max(now_first, saturday_of(on) + WEEK)
    least = max(to_cents(plan.remaining / MOST_INSTALLMENTS), Decimal("0.01"))
    if not least <= weekly <= plan.remaining and weekly != plan.repayment.weekly_principal:
        raise WeeklyOutOfRange(weekly=weekly, remaining=plan.remaining, smallest=least)
    # Later than what is posted: two installments of one repayment never share a Saturday but for a payoff.
    after = [plan.repayment.starts_on, plan.last_posted_due or plan.repayment.starts_on]
    checked_first_due(first_due_on, after=max(after), on=on)
    if weekly == plan.repayment.weekly_principal and first_due_on == now_first:
        raise NothingChanged(number=plan.number)
    return Change(
        action="rescheduled",
        state=plan.repayment.state,
        reason=checked_reason(reason),
        cancels=plan.scheduled,
        because=Because.RESCHEDULED,
        adds=lay_out(
            split(plan.remaining, weekly),
            rate=plan.repayment.rate,
            since=plan.counted_to,
            first_due_on=first_due_on,
        ),
        weekly_principal=weekly,
    )


def cancel(plan: Plan, *, reason: str) -> Change:
    """For what was never charged, or is charged no more. Raises SomethingPosted."""
    if plan.status != Status.CLOSED or plan.repayment.billed:  # what the fleet paid is closed from the start
        need(plan, Status.DRAFT, Status.OPEN, Status.HOLD, what="cancelled")
    posted = plan.having(InstallmentStatus.POSTED, InstallmentStatus.PAID)
    if posted:
        raise SomethingPosted(number=plan.number, count=len(posted))
    return Change(
        action="cancelled",
        state=State.CANCELLED,
        reason=checked_reason(reason),
        cancels=plan.scheduled,
        because=Because.CANCELLED,
    )


def checked_first_due(day: date, *, after: date, on: date) -> date:
    """A Saturday after `after`, not before this week's, within a year. Raises NotASaturday, DueTooEarly, DueTooLate."""
    earliest = max(saturday_of(on), saturday_of(after + timedelta(days=1)))
    if day < earliest - WEEK:  # before its Saturday is looked for: the calendar has ends
        raise DueTooEarly(day=day, earliest=earliest)
    latest = max(saturday_of(on + LATEST_FIRST_DUE), earliest)
    if day > latest:
        raise DueTooLate(day=day, latest=latest)
    if saturday_of(day) != day:
        raise NotASaturday(day=day, weekday=f"{day:%A}", saturday=saturday_of(day))
    if day < earliest:
        raise DueTooEarly(day=day, earliest=earliest)
    return day


def need(plan: Plan, *statuses: str, what: str) -> None:
    """Raises WrongStatus, unless the repayment is in one of these."""
    if plan.status not in statuses:
        raise WrongStatus(number=plan.number, status=Status(plan.status).label.lower(), what=what)
