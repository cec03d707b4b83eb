"""The daily task: deposits whose hold has ended are released, many at a time; one that cannot be stops no other."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import InterfaceError, OperationalError, connection

from batconnect.common.errors import BatConnectError
from batconnect.common.models import User
from batconnect.common.money import total
from batconnect.common.transactions import money_transaction
from leases.deposit_models import HOLD_DAYS, DepositRelease
from leases.models import Lease
from ledger.services import weekly_close

from .due_now import hold_schedules
from .releasing import release_locked

Progress = Callable[[str, int, int], None]

CHUNK = 100
STEP = "Releasing deposits"

logger = logging.getLogger(__name__)

# Leases whose hold has ended and whose deposit was not released: with terms, or charged without any.
EXPIRED = """
SELECT l.id
  FROM lease l
  LEFT JOIN lease_deposit d ON d.lease_id = l.id
 WHERE coalesce(l.ends_on, CASE l.status WHEN 'CANCELLED' THEN l.starts_on END) + %(hold)s <= %(on)s
   AND (%(leases)s::bigint[] IS NULL OR l.id = ANY(%(leases)s::bigint[]))
   AND NOT EXISTS (SELECT FROM deposit_release r WHERE r.deposit_id = d.id)
   AND (d.id IS NOT NULL OR EXISTS (
     SELECT FROM driver_account a
       JOIN ledger_posting p ON p.account_id = a.id
      WHERE a.lease_id = l.id AND p.category = 'DEPOSIT' AND p.status = 'POSTED' AND p.reversal_for_id IS NULL
   ))
 ORDER BY l.id
"""


@dataclass(frozen=True)
class Failed:
    """A deposit that could not be released, and why."""

    lease: str
    code: str
    message: str


@dataclass
class Holds:
    """What one day's task did."""

    on: date
    released: list[DepositRelease] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; amounts are strings."""
        return {
            "on": self.on.isoformat(),
            "released": len(self.released),
            "applied": self._sum("applied"),
            "to_refund": self._sum("refundable"),
            "cancelled": self._sum("cancelled"),
            "fell_due": self._sum("fell_due"),
            "failed": [vars(one) for one in self.failed],
        }

    def _sum(self, name: str) -> str:
        amounts: list[Decimal] = [getattr(release, name) for release in self.released]
        return str(total(amounts))


def process_expired_deposit_holds(*, on: date, actor: User, progress: Progress | None = None) -> Holds:
    """Release every deposit whose lease ended 30 days ago or more. Safe to repeat, to kill, and beside itself.

    Each chunk of leases is one transaction. Where one of them fails, each lease of that chunk is tried by itself, and
    what fails is told with its error. Raises RunInProgress while a weekly run is at work: the holds come after it.
    """
    tell = progress or _silent
    holds, due = Holds(on), expired_holds(on)
    tell(STEP, 0, len(due))
    for start in range(0, len(due), CHUNK):
        chunk = due[start : start + CHUNK]
        if weekly_close.run_at_work():
            raise weekly_close.RunInProgress
        try:
            holds.released += _release(lease_ids=chunk, actor=actor, on=on)
        except (OperationalError, InterfaceError):
            raise  # the database went away: nobody's deposit is at fault
        except Exception:
            _each_by_itself(chunk, holds, actor)
        tell(STEP, start + len(chunk), len(due))
    return holds


def expired_holds(on: date, lease_ids: Sequence[int] | None = None) -> list[int]:
    """The leases (of those given) whose deposit is to be released on a day, in id order."""
    with connection.cursor() as cursor:
        cursor.execute(
            EXPIRED, {"on": on, "hold": HOLD_DAYS, "leases": None if lease_ids is None else list(lease_ids)}
        )
        return [row[0] for row in cursor.fetchall()]


def _each_by_itself(chunk: Sequence[int], holds: Holds, actor: User) -> None:
    numbers = dict(Lease.objects.filter(pk__in=chunk).values_list("pk", "number"))
    for lease_id in chunk:
        try:
            holds.released += _release(lease_ids=[lease_id], actor=actor, on=holds.on)
        except (OperationalError, InterfaceError):
            raise
        except BatConnectError as error:
            holds.failed.append(Failed(numbers[lease_id], error.code, str(error)))
        except Exception as error:
            logger.exception("the deposit of lease %s could not be released", numbers[lease_id])
            holds.failed.append(Failed(numbers[lease_id], "deposit.unexpected", _said(error)))


@money_transaction
def _release(*, lease_ids: Sequence[int], actor: User, on: date) -> list[DepositRelease]:
    hold_schedules()
    leases = list(Lease.objects.select_for_update(no_key=True).filter(pk__in=lease_ids).order_by("pk"))
    # Looked at again under their locks: one may have been reopened, or released by somebody else.
    due = set(expired_holds(on, lease_ids))
    return release_locked(
        leases=[lease for lease in leases if lease.pk in due], actor=actor, on=on, reason=""
    )


def _said(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"[:300]


def _silent(step: str, done: int, total: int) -> None:
    """No one is watching."""
