"""What falls due when a deposit is released: the registry of those who know of charges that are not posted yet.

Lease fees are ours. Repairs and loans are above us, and announce theirs from their apps' `ready`.
"""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Protocol

from django.db import connection

from batconnect.common.models import User
from batconnect.common.weeks import saturday_of
from leases import schedule
from leases.installments import LeaseInstallments
from leases.models import Lease
from ledger.models import DriverAccount
from ledger.services.obligations import create_obligations

_UNFINISHED = """
SELECT l.id
  FROM lease l
 WHERE l.id = ANY(%s) AND l.status <> 'CANCELLED'
   AND (EXISTS (SELECT FROM lease_installment i WHERE i.lease_id = l.id AND i.posting_id IS NULL)
        OR NOT EXISTS (SELECT FROM lease_installment i WHERE i.lease_id = l.id AND i.period_end >= l.ends_on))
"""


class DueNow(Protocol):
    """Posts, at once, all that is not posted yet of what these leases' drivers owe; what it posts is theirs alone.

    Called inside the transaction of the release, which holds the accounts' locks; it takes no others of accounts, may
    take locks of rows of its own, and raises a BatConnectError to keep that release from happening. Safe to repeat:
    what was posted before is not posted again.
    """

    def __call__(self, *, leases: Sequence[Lease], actor: User, on: date) -> None: ...


_registered: list[DueNow] = []
_holds: list[Callable[[], None]] = []

# More parts than there are accounts: each account is a part by itself, so a source is asked for one account's alone.
_EACH_BY_ITSELF = 2**62


def register_due_now(due_now: DueNow, *, hold: Callable[[], None] | None = None) -> None:
    """Announce charges that fall due when a lease's deposit is released; called once, from the app's `ready`.

    `hold` takes the lock under which the app's own schedules are posted, before any account is locked.
    """
    if due_now not in _registered:
        _registered.append(due_now)
    if hold is not None and hold not in _holds:
        _holds.append(hold)


def hold_schedules() -> None:
    """Keep everybody from posting installments, of fees and of what was announced, until the transaction ends."""
    schedule.hold_schedule()
    for hold in _holds:
        hold()


def fall_due(*, leases: Sequence[Lease], actor: User, on: date) -> None:
    """Post all that is not posted yet of what these leases owe."""
    for due_now in (_lease_fees, *_registered):
        due_now(leases=leases, actor=actor, on=on)


def _lease_fees(*, leases: Sequence[Lease], actor: User, on: date) -> None:
    """The fees of days that were driven and not charged: of a lease ended between two runs, or entered late."""
    source = LeaseInstallments()
    accounts = dict(DriverAccount.objects.filter(lease__in=leases).values_list("lease_id", "pk"))
    unfinished = _not_charged_to_the_end(leases)
    due = []
    for lease in leases:
        if lease.pk not in unfinished or lease.ends_on is None:
            continue
        through = saturday_of(lease.ends_on)
        schedule.make_installments(through=through, lease_id=lease.pk)
        due += source.due(through=through, limit=1_000, part=accounts[lease.pk], parts=_EACH_BY_ITSELF)
    posted = create_obligations(
        obligations=[installment.obligation for installment in due], actor=actor, on=on, scheduled=True
    )
    source.mark_posted(
        [(installment.source_id, made.posting_id) for installment, made in zip(due, posted, strict=True)]
    )


def _not_charged_to_the_end(leases: Sequence[Lease]) -> set[int]:
    """Those with days that no posted installment covers; free ones too, which have no installments at all."""
    with connection.cursor() as cursor:
        cursor.execute(_UNFINISHED, [[lease.pk for lease in leases]])
        return {row[0] for row in cursor.fetchall()}
