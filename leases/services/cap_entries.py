"""Caps by city rule 58-21 as finance enters them: dated rows, added when the city changes them.

A cap that a closed week was checked against stays as it is; one whose weeks are all open yet is put right. What a new
one overtakes is told, not changed: a fee above it stands until somebody changes the lease.
"""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from django.db import connection, transaction

from batconnect.common import audit, locks
from batconnect.common.errors import BatConnectError, ConflictingState
from batconnect.common.models import User
from batconnect.common.money import parse_amount
from leases.models import LeaseCap, LeaseType, Vehicle
from leases.term_models import RULE

from .agreements import check_near
from .amounts import checked_size
from .caps import kind_told
from .saving import facts, save_as

MOST_TOLD = 100
LONGEST_RULE = 40
_FACTS = ("lease_type", "vehicle_type", "effective_from", "weekly_cap", "rule")

# Fees above this cap on a day that it holds; of each, the first such day.
_OVERTAKEN = """
SELECT l.id, l.number, d.name, f.weekly_fee, breach.day
  FROM lease_cap c
  JOIN lease l ON l.lease_type = c.lease_type AND l.status <> 'CANCELLED'
              AND (l.ends_on IS NULL OR l.ends_on >= c.effective_from)
  JOIN driver d ON d.id = l.driver_id
 CROSS JOIN LATERAL (
   SELECT f.weekly_fee, f.effective_from, lead(f.effective_from) OVER (ORDER BY f.effective_from) - 1 AS last_day
     FROM lease_fee f WHERE f.lease_id = l.id
 ) f
 CROSS JOIN LATERAL lease_fee_breach(
   l.id, f.weekly_fee, greatest(f.effective_from, c.effective_from), least(l.ends_on, f.last_day)
 ) breach
 WHERE c.id = %s AND f.weekly_fee > c.weekly_cap AND breach.cap_id = c.id
   AND (f.last_day IS NULL OR f.last_day >= c.effective_from)
 ORDER BY l.number, breach.day
 LIMIT %s
"""


class CapNotPositive(BatConnectError):
    code, status = "cap.not_positive", 400
    message = (
        "A cap is an amount above zero, not {weekly_cap}. Leave it empty to lift the cap from that day on."
    )


class CapRuleMissing(BatConnectError):
    code, status = "cap.rule_missing", 400
    message = "Name the rule, like 58-21, in 1 to {longest} characters: refusals name it."


class UnknownLeaseType(BatConnectError):
    code, status = "cap.unknown_lease_type", 400
    message = "{lease_type} is no kind of lease; choose one of {choices}."


class UnknownVehicleType(BatConnectError):
    code, status = "cap.unknown_vehicle_type", 400
    message = (
        "No vehicle of the fleet is a {vehicle_type}; choose one of {choices}, or none for all vehicles."
    )


class CapExists(ConflictingState):
    code = "cap.exists"
    message = (
        "There is a cap for {kind} from {effective_from} on already. Correct that one, or choose another day."
    )


class CapOfClosedWeeks(ConflictingState):
    code = "cap.closed_weeks"
    message = (
        "Weeks are closed through {closed_through}, and what they were checked against stays as it is. "
        "Enter a cap that holds from {first} or later."
    )


@dataclass(frozen=True)
class Overtaken:
    """A fee above a cap: from `day` on it is above it, and stands until somebody changes it."""

    lease_id: int
    number: str
    driver: str
    weekly_fee: Decimal
    day: date


@dataclass(frozen=True)
class CapEffect:
    """A cap as it was written, and the fees it overtakes, at most the first hundred."""

    cap: LeaseCap
    overtaken: list[Overtaken] = field(default_factory=list)


@transaction.atomic
def add_cap(
    *,
    lease_type: str,
    vehicle_type: str = "",
    effective_from: date,
    weekly_cap: Decimal | None,
    rule: str = RULE,
    actor: User,
) -> CapEffect:
    """Cap what a week of a kind of lease may cost from a day on; `weekly_cap` None lifts the cap from that day on.

    `vehicle_type` empty is for all that no row names. Raises CapNotPositive, CapRuleMissing, UnknownLeaseType,
    UnknownVehicleType, CapExists, CapOfClosedWeeks, DayTooFar, AmountTooLarge, BadAmount.
    """
    cap = LeaseCap()
    _hold_open(effective_from)
    _write(cap, lease_type, vehicle_type, effective_from, weekly_cap, rule, actor)
    audit.record(
        actor=actor, action="lease_cap.added", subject=f"lease_cap:{cap.pk}", after=facts(cap, *_FACTS)
    )
    return CapEffect(cap, overtaken(cap))


@transaction.atomic
def correct_cap(
    *,
    cap: LeaseCap,
    lease_type: str,
    vehicle_type: str = "",
    effective_from: date,
    weekly_cap: Decimal | None,
    rule: str = RULE,
    actor: User,
) -> CapEffect:
    """Put a cap right that no closed week was checked against. Raises as `add_cap`."""
    cap = LeaseCap.objects.select_for_update(no_key=True).get(pk=cap.pk)
    _hold_open(cap.effective_from, effective_from)
    before = facts(cap, *_FACTS)
    _write(cap, lease_type, vehicle_type, effective_from, weekly_cap, rule, actor)
    audit.record(
        actor=actor,
        action="lease_cap.corrected",
        subject=f"lease_cap:{cap.pk}",
        before=before,
        after=facts(cap, *_FACTS),
    )
    return CapEffect(cap, overtaken(cap))


def overtaken(cap: LeaseCap) -> list[Overtaken]:
    """The fees that are above a cap on days on which it is the one in force."""
    with connection.cursor() as cursor:
        cursor.execute(_OVERTAKEN, [cap.pk, MOST_TOLD])
        return [Overtaken(*row) for row in cursor.fetchall()]


def is_open(cap: LeaseCap) -> bool:
    """Whether it can still be put right: no closed week was checked against it."""
    through = _closed_through()
    return through is None or cap.effective_from > through


def vehicle_types() -> list[str]:
    """Those of the fleet's vehicles, which a cap may name."""
    found = Vehicle.objects.exclude(vehicle_type="").order_by("vehicle_type")
    return list(found.values_list("vehicle_type", flat=True).distinct())


def _write(
    cap: LeaseCap,
    lease_type: str,
    vehicle_type: str,
    effective_from: date,
    weekly_cap: Decimal | None,
    rule: str,
    actor: User,
) -> None:
    rule, vehicle_type = rule.strip(), vehicle_type.strip()
    if not (0 < len(rule) <= LONGEST_RULE and rule.isprintable()):
        raise CapRuleMissing(longest=LONGEST_RULE)
    if lease_type not in LeaseType.values:
        raise UnknownLeaseType(lease_type=lease_type, choices=", ".join(LeaseType.values))
    if vehicle_type and vehicle_type not in (known := vehicle_types()):
        raise UnknownVehicleType(vehicle_type=vehicle_type, choices=", ".join(known) or "none so far")
    cap.lease_type, cap.vehicle_type, cap.effective_from = lease_type, vehicle_type, effective_from
    cap.weekly_cap, cap.rule = _checked_amount(weekly_cap), rule
    others = LeaseCap.objects.filter(
        lease_type=lease_type, vehicle_type=vehicle_type, effective_from=effective_from
    )
    if others.exclude(pk=cap.pk).exists():
        raise CapExists(kind=kind_told(cap), effective_from=effective_from)
    save_as(cap, actor)


def _checked_amount(weekly_cap: Decimal | None) -> Decimal | None:
    if weekly_cap is None:
        return None
    amount = parse_amount(weekly_cap)
    if amount <= 0:
        raise CapNotPositive(weekly_cap=amount)
    return checked_size(amount)


def _hold_open(*days: date) -> None:
    """Raises CapOfClosedWeeks; no week closes before the transaction ends. One cap is written at a time."""
    check_near(*days)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.LEASE_CAPS])
        cursor.execute("SELECT ledger_hold_calendar()")
    through = _closed_through()
    if through is not None and min(days) <= through:
        raise CapOfClosedWeeks(closed_through=through, first=date.fromordinal(through.toordinal() + 1))


def _closed_through() -> date | None:
    """The last day of the last closed week."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_closed_through()")
        found: tuple[date | None] = cursor.fetchone()
    return found[0]
