"""City rule 58-21: the most a week of a lease may cost, fee and lease-related charges together.

Which cap is in force on a day is the database's to say (`lease_cap_on`), and it refuses fees above one by itself. A
week's cap is prorated by the days the lease runs in it, stretch by stretch, as its fee is.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Sum

from batconnect.common.errors import ConflictingState
from batconnect.common.money import ZERO, prorate
from batconnect.common.weeks import WEEK, saturday_of, sunday_of
from leases import schedule
from leases.models import Lease, LeaseCap, LeaseFee
from ledger.models import Category, DriverAccount, LedgerPosting
from ledger.services.accounts import lock_accounts

from .billing import wanted_stretches

# Misc expenses that the rule counts as a part of what the lease costs.
RELATED = frozenset({"Late Return"})


class FeeAboveCap(ConflictingState):
    code = "lease.fee_above_cap"
    message = (
        "Rule {rule} caps lease {number} ({kind}) at {cap} a week on {day}, and {weekly_fee} is above that. "
        "Choose {cap} or less."
    )


class WeekAboveCap(ConflictingState):
    code = "lease.week_above_cap"
    message = (
        "Rule {rule} caps lease {number} ({kind}) at {cap} for the week of {week}. Its fee is {fee}, related charges "
        "are {charged}, and {amount} more would make {total}; at most {room} can be added."
    )


def check_fee(*, lease: Lease, weekly_fee: Decimal, first_day: date, last_day: date | None) -> None:
    """Refuse a weekly fee above a cap that is in force, or known to be, on any of these days. Raises FeeAboveCap."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT day, cap_id FROM lease_fee_breach(%s, %s, %s, %s)",
            [lease.pk, weekly_fee, first_day, last_day],
        )
        found = cursor.fetchone()
    if found:
        cap = LeaseCap.objects.get(pk=found[1])
        raise FeeAboveCap(
            rule=cap.rule,
            number=lease.number,
            kind=kind_told(cap),
            cap=cap.weekly_cap,
            day=found[0],
            weekly_fee=weekly_fee,
        )


def check_fees(*, lease: Lease, since: date) -> None:
    """As `check_fee`, for every fee the lease has from a day to its end."""
    fees: list[LeaseFee] = list(lease.fees.order_by("effective_from"))
    for place, fee in enumerate(fees):
        following = fees[place + 1].effective_from - schedule.DAY if place + 1 < len(fees) else None
        ends = [day for day in (following, lease.ends_on) if day is not None]
        first, last = max(fee.effective_from, since), min(ends, default=None)
        if last is None or first <= last:
            check_fee(lease=lease, weekly_fee=fee.weekly_fee, first_day=first, last_day=last)


def check_weeks(*, lease: Lease, since: date) -> None:
    """Weeks that carry related charges, with the fees as they are stored now. Raises WeekAboveCap."""
    charged = _related(lease).filter(event_on__gte=sunday_of(since)).values_list("event_on", flat=True)
    for week in sorted({sunday_of(day) for day in charged}):
        _check_week(lease, week, amount=ZERO)


def check_related_charge(*, lease: Lease, category: str, amount: Decimal, event_on: date) -> None:
    """Refuse a related charge that takes its week above the cap; charges of other kinds pass. Raises WeekAboveCap.

    Registered with the misc expenses. Holds the account, so that two charges at once see each other.
    """
    if category not in RELATED:
        return
    lock_accounts(DriverAccount.objects.filter(lease=lease).values_list("pk", flat=True))
    _check_week(lease, sunday_of(event_on), amount=amount, on_day=event_on)


def _check_week(lease: Lease, week: date, *, amount: Decimal, on_day: date | None = None) -> None:
    days = [week + schedule.DAY * n for n in range(7)]
    caps = caps_on(lease, days)
    fees = list(lease.fees.order_by("effective_from").values_list("effective_from", "weekly_fee"))
    free = list(lease.suspensions.filter(withdrawn=False).values_list("starts_on", "ends_on"))
    running = [day for day in days if _runs(lease, day, free)]
    named = caps.get(on_day) if on_day and not running else None
    limit, cap = ZERO, named
    # Days that follow one another at one fee and one cap are prorated together.
    for first, last, of_days in _stretches(
        (day, (caps.get(day), [fee for since, fee in fees if since <= day][-1:])) for day in running
    ):
        in_force = of_days[0]
        if in_force is None or in_force.weekly_cap is None:
            return  # a week with a day that no rule caps
        cap = in_force
        limit += prorate(in_force.weekly_cap, (last - first).days + 1)
    if cap is None or cap.weekly_cap is None:
        return
    billed = wanted_stretches(lease, through=saturday_of(week))
    fee = sum((stretch.amount for stretch in billed if stretch.week == week), ZERO)
    charged = (
        _related(lease)
        .filter(event_on__gte=week, event_on__lt=week + WEEK)
        .aggregate(all=Sum("amount"))["all"]
        or ZERO
    )
    if fee + charged + amount > limit:
        raise WeekAboveCap(
            rule=cap.rule,
            number=lease.number,
            kind=kind_told(cap),
            cap=limit,
            week=week,
            fee=fee,
            charged=charged,
            amount=amount,
            total=fee + charged + amount,
            room=max(limit - fee - charged, ZERO),
        )


def _runs(lease: Lease, day: date, free: Sequence[schedule.Days]) -> bool:
    if day < lease.starts_on or (lease.ends_on is not None and day > lease.ends_on):
        return False
    return not any(off <= day and (back is None or day <= back) for off, back in free)


def kind_told(cap: LeaseCap) -> str:
    """What a cap is for: `long-term, HYB`; without a vehicle type, all vehicles that no other one names."""
    return cap.get_lease_type_display().lower() + (f", {cap.vehicle_type}" if cap.vehicle_type else "")


def caps_on(lease: Lease, days: list[date]) -> dict[date, LeaseCap]:
    """The cap row in force on each day that has one; its `weekly_cap` may say that there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT day, lease_cap_on(%s, day) FROM unnest(%s::date[]) AS day", [lease.pk, days])
        named = dict(cursor.fetchall())
    rows = LeaseCap.objects.in_bulk([key for key in named.values() if key is not None])
    return {day: rows[key] for day, key in named.items() if key is not None}


def _stretches(days: Iterable[tuple[date, Any]]) -> list[tuple[date, date, Any]]:
    """(first, last, what they have in common) of days that follow one another and have it in common."""
    found: list[tuple[date, date, Any]] = []
    for day, common in days:
        if found and found[-1][1] + schedule.DAY == day and found[-1][2] == common:
            found[-1] = (found[-1][0], day, common)
        else:
            found.append((day, day, common))
    return found


def _related(lease: Lease) -> Any:
    return LedgerPosting.objects.filter(
        lease=lease,
        category=Category.MISC,
        product__in=RELATED,
        status=LedgerPosting.Status.POSTED,
        reversal_for__isnull=True,
    )
