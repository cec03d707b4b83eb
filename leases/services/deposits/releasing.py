"""The release of deposits: what was collected pays what its lease owes, and what is left is owed back to the driver.

One transaction from the first lock to the audit entry, so a release that is killed never happened. Locks are taken in
the order of every change of a lease: the schedule, the leases, the accounts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Max

from batconnect.common import audit
from batconnect.common.errors import ConflictingState
from batconnect.common.models import User
from batconnect.common.money import ZERO
from batconnect.common.transactions import money_transaction
from leases.deposit_models import HOLD_DAYS, DepositRelease, LeaseDeposit
from leases.models import Lease
from ledger.models import Category, DriverAccount, LedgerAllocation, LedgerBalance, LedgerPosting
from ledger.services import deposits as ledger_deposits
from ledger.services.accounts import lock_accounts
from ledger.services.allocations import run_waterfall
from ledger.services.entries import open_day
from ledger.services.errors import translated
from ledger.services.reasons import checked_reason

from .due_now import fall_due, hold_schedules
from .terms import NoDeposit

CANCELLED = "Never collected; the deposit is released"


class LeaseNotOver(ConflictingState):
    code = "deposit.lease_not_over"
    message = "Lease {number} runs until {ends_on}; its deposit can be released after its last day."


class AlreadyReleased(ConflictingState):
    code = "deposit.already_released"
    message = "The deposit of lease {number} was released on {released_on}."


@dataclass(frozen=True)
class Paid:
    """What a credit puts to a debt."""

    credit_category: str
    credit_reference: str
    category: str
    reference_id: str
    amount: Decimal
    open_after: Decimal


@dataclass(frozen=True)
class Preview:
    """What a release does, found out by doing it and taking it back. `early`: it needs a reason."""

    fell_due: Decimal
    cancelled: Decimal
    collected: Decimal
    applied: Decimal
    refundable: Decimal
    owed_before: Decimal
    owed_after: Decimal
    early: bool
    hold_ends_on: date
    from_credits: list[Paid]
    from_deposit: list[Paid]
    posted: list[tuple[str, str, Decimal]]


@money_transaction
def release_deposit(*, lease: Lease, actor: User, on: date, reason: str = "") -> DepositRelease:
    """Release one deposit, on or after the end of its hold, or before it with a reason.

    Raises NoDeposit, AlreadyReleased, LeaseNotOver, ReasonLength and what falling due raises.
    """
    hold_schedules()
    lease = Lease.objects.select_for_update(no_key=True).get(pk=lease.pk)
    released = release_locked(leases=[lease], actor=actor, on=on, reason=checked(lease, on=on, reason=reason))
    if not released:
        raise NoDeposit(number=lease.number)
    return released[0]


def preview_release(*, lease: Lease, actor: User, on: date) -> Preview:
    """What releasing this deposit on this day would do, to the cent; nothing is kept. Raises as `release_deposit`."""
    with transaction.atomic():
        early = on < hold_ends_on(lease, on)
        account = DriverAccount.objects.filter(lease=lease, driver_id=lease.driver_id).first()
        if account is None:
            raise NoDeposit(number=lease.number)
        allocation = LedgerAllocation.objects.filter(account=account).aggregate(last=Max("id"))["last"] or 0
        posting = LedgerPosting.objects.filter(account=account).aggregate(last=Max("seq"))["last"] or 0
        release = release_deposit(
            lease=lease, actor=actor, on=on, reason="Looked at beforehand" if early else ""
        )
        paid = _payments_since(account, allocation)
        preview = Preview(
            fell_due=release.fell_due,
            cancelled=release.cancelled,
            collected=release.collected,
            applied=release.applied,
            refundable=release.refundable,
            owed_before=account.balance,
            owed_after=DriverAccount.objects.values_list("balance", flat=True).get(pk=account.pk),
            early=early,
            hold_ends_on=hold_ends_on(lease, on),
            from_credits=[one for one in paid if one.credit_category != Category.DEPOSIT_APPLIED],
            from_deposit=[one for one in paid if one.credit_category == Category.DEPOSIT_APPLIED],
            posted=list(
                LedgerPosting.objects.filter(account=account, seq__gt=posting)
                .order_by("seq")
                .values_list("category", "reference_id", "amount")
            ),
        )
        transaction.set_rollback(True)
    return preview


def hold_ends_on(lease: Lease, on: date) -> date:
    """The day from which the deposit is released by itself. Raises LeaseNotOver."""
    if lease.status == Lease.Status.CANCELLED:
        return (lease.ends_on or lease.starts_on) + timedelta(days=HOLD_DAYS)
    if lease.ends_on is None or lease.ends_on >= on:
        raise LeaseNotOver(number=lease.number, ends_on=lease.ends_on or "further notice")
    return lease.ends_on + timedelta(days=HOLD_DAYS)


def checked(lease: Lease, *, on: date, reason: str) -> str:
    """The reason, where one is given or needed. Raises LeaseNotOver, ReasonLength, AlreadyReleased, NoDeposit."""
    early = on < hold_ends_on(lease, on)
    deposit = LeaseDeposit.objects.filter(lease=lease).select_related("release").first()
    if deposit is None:
        if not _loose([lease]):
            raise NoDeposit(number=lease.number)
    elif hasattr(deposit, "release"):
        raise AlreadyReleased(number=lease.number, released_on=deposit.release.released_on)
    return checked_reason(reason) if early or reason.strip() else ""


def release_locked(*, leases: Sequence[Lease], actor: User, on: date, reason: str) -> list[DepositRelease]:
    """Release the deposits of these leases, whose rows and schedule the caller holds; any number in a few statements.

    Those that have none, or were released meanwhile, are passed over. Open credits are allocated first; then what is
    not posted yet falls due; what was not collected is cancelled; what was collected pays. Source: domain.md, leases.
    """
    deposits = _deposits_of(leases, actor)
    lock_accounts(deposit.account_id for deposit in deposits.values())
    done = set(
        DepositRelease.objects.filter(deposit__in=deposits.values()).values_list("deposit_id", flat=True)
    )
    going = [lease for lease in leases if lease.pk in deposits and deposits[lease.pk].pk not in done]
    if not going:
        return []
    accounts = {deposits[lease.pk].account_id: lease for lease in going}
    ids, dated = sorted(accounts), open_day(on)

    run_waterfall(account_ids=ids, dated=dated, actor_id=actor.pk)
    before = _balances(ids)
    fall_due(leases=going, actor=actor, on=on)
    fell_due = {account: amount - before[account] for account, amount in _balances(ids).items()}
    if any(fell_due.values()):
        run_waterfall(account_ids=ids, dated=dated, actor_id=actor.pk)
    cancelled = ledger_deposits.cancel_uncollected(account_ids=ids, reason=CANCELLED, actor=actor, on=on)
    collected = {account: left for account, (left, _) in ledger_deposits.standing(ids).items()}
    references = {account: f"{lease.number}/DEPOSIT" for account, lease in accounts.items()}
    applied = ledger_deposits.apply_deposits(references=references, actor=actor, on=on)
    releases = [
        _release(
            deposits[lease.pk],
            actor=actor,
            on=on,
            reason=reason,
            fell_due=fell_due[account],
            cancelled=cancelled.get(account, ZERO),
            collected=collected[account],
            applied=applied.get(account),
        )
        for account, lease in accounts.items()
    ]
    with translated():
        DepositRelease.objects.bulk_create(releases)
    for release in releases:
        _tell(release, actor)
    return releases


def _release(
    deposit: LeaseDeposit,
    *,
    actor: User,
    on: date,
    reason: str,
    fell_due: Decimal,
    cancelled: Decimal,
    collected: Decimal,
    applied: ledger_deposits.Applied | None,
) -> DepositRelease:
    spent = applied.amount if applied else ZERO
    return DepositRelease(
        deposit=deposit,
        released_on=on,
        reason=reason,
        fell_due=fell_due,
        cancelled=cancelled,
        collected=collected,
        applied=spent,
        refundable=collected - spent,
        posting_id=applied.posting_id if applied else None,
        created_by=actor,
    )


def _tell(release: DepositRelease, actor: User) -> None:
    audit.record(
        actor=actor,
        action="deposit.released",
        subject=f"lease:{release.deposit.lease_id}",
        after={
            "collected": str(release.collected),
            "applied": str(release.applied),
            "to_refund": str(release.refundable),
            "cancelled": str(release.cancelled),
            "fell_due": str(release.fell_due),
            "posting": str(release.posting_id) if release.posting_id else None,
            "reason": release.reason,
        },
    )


def _deposits_of(leases: Sequence[Lease], actor: User) -> dict[int, LeaseDeposit]:
    """The deposits by lease; one charged without terms (brought over, or by hand) gets its record now."""
    found = {deposit.lease_id: deposit for deposit in LeaseDeposit.objects.filter(lease__in=leases)}
    for lease_id, account_id in _loose([lease for lease in leases if lease.pk not in found]).items():
        found[lease_id] = LeaseDeposit.objects.create(
            lease_id=lease_id, account_id=account_id, created_by=actor
        )
    return found


def _loose(leases: Sequence[Lease]) -> Mapping[int, int]:
    """Accounts, by lease, that were charged a deposit."""
    charged = LedgerPosting.objects.filter(
        account__lease__in=leases, category=Category.DEPOSIT, status=LedgerPosting.Status.POSTED
    ).filter(reversal_for__isnull=True)
    return dict(charged.values_list("account__lease_id", "account_id").distinct()) if leases else {}


def _balances(account_ids: Sequence[int]) -> dict[int, Decimal]:
    return dict(DriverAccount.objects.filter(pk__in=account_ids).values_list("pk", "balance"))


def _payments_since(account: DriverAccount, last: int) -> list[Paid]:
    """What was put to debts after an allocation; what a void and its reversal close of each other is left out."""
    rows = LedgerAllocation.objects.filter(
        account=account,
        id__gt=last,
        amount__gt=0,
        credit__reversal_for__isnull=True,
        debit__replaces__isnull=True,
    ).select_related("credit", "debit")
    left = dict(LedgerBalance.objects.filter(account=account).values_list("pk", "balance"))
    return [
        Paid(
            row.credit.category,
            row.credit.reference_id,
            row.debit.category,
            row.debit.reference_id,
            row.amount,
            left[row.debit_id],
        )
        for row in rows.order_by("id")
    ]
