"""A repayment with all its installments and where each stands: what decisions are made on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property

from django.db import connection

from batconnect.common import locks
from batconnect.common.money import total
from ledger.models import InstallmentStatus
from ledger.services.accounts import lock_accounts

from ..models import Repayment, RepaymentInstallment
from .errors import UnknownRepayment


@dataclass(frozen=True)
class Plan:
    """`rows` are all installments ever made, in their order, each with its standing."""

    repayment: Repayment
    rows: Sequence[RepaymentInstallment]

    @property
    def number(self) -> str:
        return self.repayment.number

    @property
    def status(self) -> str:
        return self.repayment.standing.status

    @cached_property
    def scheduled(self) -> list[RepaymentInstallment]:
        return self.having(InstallmentStatus.SCHEDULED)

    @property
    def remaining(self) -> Decimal:
        """The principal that is scheduled."""
        return total(row.principal for row in self.scheduled)

    @property
    def counted_to(self) -> date:
        """The day interest was last counted to: the due date of the last installment that was posted.

        A voided one has its interest too, and is posted again with it; its days are not counted a second time.
        """
        return self.last_posted_due or self.repayment.starts_on

    @property
    def last_posted_due(self) -> date | None:
        """No installment may be due before this one; voided ones count, for they keep their place."""
        return max((row.due_on for row in self.rows if row.posting_id is not None), default=None)

    def having(self, *statuses: str) -> list[RepaymentInstallment]:
        return [row for row in self.rows if row.standing.status in statuses]


def find_plan(*, kind: str, number: str) -> Plan:
    """The plan as it is now. Raises UnknownRepayment."""
    found = (
        Repayment.objects.filter(kind=kind, number=number)
        .select_related("standing", "account", "driver", "lease__medallion", "lease__vehicle", "created_by")
        .first()
    )
    if found is None:
        raise UnknownRepayment(kind=kind.lower(), number=number)
    return plan_of(found)


def plan_of(repayment: Repayment) -> Plan:
    rows = repayment.installments.select_related("standing__current_posting").order_by("position")
    return Plan(repayment, list(rows))


def lock_plan(*, kind: str, number: str) -> Plan:
    """Hold the schedules and the account until the transaction ends, then read. Raises UnknownRepayment."""
    hold_schedules()
    found = Repayment.objects.filter(kind=kind, number=number).values_list("account_id", flat=True).first()
    if found is None:
        raise UnknownRepayment(kind=kind.lower(), number=number)
    lock_accounts([found])
    Repayment.objects.select_for_update().get(number=number)
    return find_plan(kind=kind, number=number)


def hold_schedules() -> None:
    """Nobody posts installments or decides upon a schedule but this transaction, until it ends.

    Always before driver accounts are locked: a run that posts shares this lock and then comes to the accounts.
    """
    _lock("SELECT pg_advisory_xact_lock(%s)")


def share_schedules() -> None:
    """No schedule is decided upon until this transaction ends; others may post as well."""
    _lock("SELECT pg_advisory_xact_lock_shared(%s)")


def _lock(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [locks.REPAYMENTS])
