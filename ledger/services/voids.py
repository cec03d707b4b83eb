"""Taking things back without touching what was written: void, replace, and reversing a week's settlement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.money import parse_amount
from batconnect.common.transactions import money_transaction
from batconnect.common.weeks import check_sunday

from ..models import DTR, Category, DriverAccount, LedgerBalance, LedgerPosting, TripTotal, WeeklyRun
from .accounts import lock_accounts
from .allocations import Pair, allocate_pairs, undo_allocations
from .errors import LedgerError, translated
from .obligations import CHARGEABLE, Obligation, check_obligation
from .postings import NewPosting, insert_postings

SHORTEST_REASON = 10
LONGEST_REASON = 500
SETTLEMENT = (Category.EARNINGS, Category.TAXES)


class UnknownPosting(LedgerError):
    code, status = "posting.unknown", 404
    message = "There is no such posting."


class AlreadyVoided(LedgerError):
    code, status = "posting.already_voided", 409
    message = "{category} {reference_id} was voided before."


class IsReversal(LedgerError):
    code, status = "posting.is_reversal", 409
    message = "This is itself the reversal of {reference_id}; reversals are not voided. Post the charge anew."


class ReasonTooShort(LedgerError):
    code, status = "void.reason", 400
    message = "Say why in {shortest} to {longest} characters; the next reader has only this sentence."


class SettledTogether(LedgerError):
    code, status = "void.settlement", 409
    message = (
        "{category} of a week is taken back only as a whole: reverse the settlement of that lease and week."
    )


class PayoutPaid(LedgerError):
    code, status = "void.payout_paid", 409
    message = (
        "{number} was paid, so its payout stands. If the money came back, record the payment as returned."
    )


class NotReplaceable(LedgerError):
    code, status = "replace.category", 409
    message = "{category} is not replaced; only charges are."


class PartsMissing(LedgerError):
    code, status = "replace.parts", 400
    message = "{reference_id} is made of {parts}; say what each of them is now."


class NothingSettled(LedgerError):
    code, status = "settlement.none", 404
    message = "This lease has no settled trips in the week of {week}."


class SettlementReversed(LedgerError):
    code, status = "settlement.already_reversed", 409
    message = "The settlement of the week of {week} was reversed before."


class WeekNotClosed(LedgerError):
    code, status = "settlement.week_open", 409
    message = "The week of {week} is not closed yet; finish its run first."


@dataclass(frozen=True)
class Settlement:
    """What a run settled for one lease and week and still stands: what reversing it takes back.

    `postings` are in the order they are reversed: an unpaid PAYOUT, then EARNINGS and TAXES as posted. `paid` is
    the DTR whose payout was handed over and therefore stands.
    """

    postings: list[LedgerPosting]
    totals: list[TripTotal]
    paid: DTR | None


@money_transaction
def void_posting(
    *,
    posting_id: UUID,
    reason: str,
    actor: User,
    on: date,
    accounting_date: date | None = None,
    booked_as: str = "",
) -> LedgerPosting:
    """Void a posting and return its reversal.

    A linked posting of the opposite amount is dated `on` (or `accounting_date`, in an open week). The
    original's allocations are undone: what it paid is owed again, what paid it is free again. Then original
    and reversal close each other. The reversal's entry mirrors the original's, unless `booked_as` names an event whose
    template makes it (a check that bounced). Raises the errors above and ClosedPeriod. Source: domain.md.
    """
    reason = _checked_reason(reason)
    posting = lock_postings([posting_id])[0]
    if posting.category in SETTLEMENT:
        raise SettledTogether(category=posting.category)
    return void_locked(
        posting, reason=reason, actor=actor, on=on, accounting_date=accounting_date, booked_as=booked_as
    )[0]


@money_transaction
def replace_posting(
    *,
    posting_id: UUID,
    amount: Decimal,
    reason: str,
    actor: User,
    on: date,
    account: DriverAccount | None = None,
    components: Mapping[str, str] | None = None,
) -> LedgerPosting:
    """Correct a charge: void it and post it anew as `REF/2`, `REF/3`…, in one transaction.

    `account` moves it to another driver and lease, who owes it from then on: it is due as if it were charged today.
    Where it stays, it keeps its due date, and the credits the void freed pay the new item again, in their order.
    Raises as `void_posting` and `create_obligation`. Source: domain.md.
    """
    reason = _checked_reason(reason)
    amount = parse_amount(amount)
    old = lock_postings([posting_id], also=[account.pk] if account else [])[0]
    if old.category not in CHARGEABLE:
        raise NotReplaceable(category=old.category)
    refuse_unvoidable(old)
    if components is None and old.components:
        if amount != old.amount:
            raise PartsMissing(reference_id=old.reference_id, parts=", ".join(old.components))
        components = old.components
    _, freed = void_locked(old, reason=reason, actor=actor, on=on)
    obligation = Obligation(
        account_id=account.pk if account else old.account_id,
        category=old.category,
        amount=amount,
        reference_id=free_reference(old),
        due_on=old.due_on if account is None or account.pk == old.account_id else None,
        event_on=old.event_on,
        product=old.product,
        components=components,
        description=old.description,
    )
    row = check_obligation(obligation, on, replaces_id=old.pk, reason=reason)
    (posted,) = insert_postings([row], actor_id=actor.pk, on=on)
    if obligation.account_id == old.account_id:
        allocate_pairs(pay_again(freed, posted.posting_id, amount), on=on, actor_id=actor.pk)
    audit.record(
        actor=actor,
        action="posting.replaced",
        subject=f"posting:{old.pk}",
        before={"amount": str(old.amount), "reference_id": old.reference_id, "account": old.account_id},
        after={
            "amount": str(amount),
            "reference_id": obligation.reference_id,
            "account": obligation.account_id,
            "posting": str(posted.posting_id),
            "reason": reason,
        },
    )
    return LedgerPosting.objects.get(pk=posted.posting_id)


@money_transaction
def reverse_settlement(
    *, account: DriverAccount, week: date, reason: str, actor: User, on: date
) -> list[LedgerPosting]:
    """Take back the EARNINGS and TAXES a closed week posted for one lease; returns the reversals.

    The week's trips go to the next run, and an unpaid PAYOUT is withdrawn. One that was paid stands, and is
    owed back from then on. Raises the errors above. Source: domain.md, open-item accounting.
    """
    reason = _checked_reason(reason)
    lock_accounts([account.pk])
    settled = standing_settlement(account=account, week=week)
    reversals = [void_locked(posting, reason=reason, actor=actor, on=on)[0] for posting in settled.postings]
    totals = [total.pk for total in settled.totals]
    with translated():
        TripTotal.objects.filter(pk__in=totals).update(settled_week=None)
    audit.record(
        actor=actor,
        action="settlement.reversed",
        subject=f"account:{account.pk}",
        before={"week": str(week), "trip_totals": totals},
        after={"reversals": [str(reversal.pk) for reversal in reversals], "reason": reason},
    )
    return reversals


def standing_settlement(*, account: DriverAccount, week: date) -> Settlement:
    """What `reverse_settlement` would take back now; changes nothing.

    Raises NotASunday, WeekNotClosed, NothingSettled, SettlementReversed.
    """
    check_sunday(week)
    if not WeeklyRun.objects.filter(week=week, status=WeeklyRun.Status.CLOSED).exists():
        raise WeekNotClosed(week=week)
    settled = LedgerPosting.objects.filter(
        account=account, run_week=week, category__in=SETTLEMENT, reversal_for__isnull=True
    ).order_by("seq")
    standing = [posting for posting in settled if posting.status == LedgerPosting.Status.POSTED]
    totals = list(
        TripTotal.objects.filter(account=account, settled_week=week)
        .select_related("batch")
        .order_by("week", "batch_id")
    )
    if not standing and not totals:
        raise SettlementReversed(week=week) if settled else NothingSettled(week=week)
    report = DTR.objects.filter(account=account, week=week).select_related("payout").first()
    paid = report if report and report.status == DTR.Status.PAID else None
    payout = report.payout if report and not paid else None
    if payout and payout.status == LedgerPosting.Status.POSTED:
        standing.insert(0, payout)
    return Settlement(postings=standing, totals=totals, paid=paid)


def _checked_reason(reason: str) -> str:
    reason = reason.strip()
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        raise ReasonTooShort(shortest=SHORTEST_REASON, longest=LONGEST_REASON)
    return reason


def lock_postings(posting_ids: Sequence[UUID], also: Sequence[int] = ()) -> list[LedgerPosting]:
    """Lock the accounts of these postings (and others), then read the postings as they are now."""
    accounts = LedgerPosting.objects.filter(pk__in=posting_ids).values_list("account_id", flat=True)
    lock_accounts([*accounts, *also])
    postings = list(LedgerPosting.objects.filter(pk__in=posting_ids))
    if len(postings) != len(posting_ids):
        raise UnknownPosting
    return postings


def void_locked(
    posting: LedgerPosting,
    *,
    reason: str,
    actor: User,
    on: date,
    accounting_date: date | None = None,
    booked_as: str = "",
) -> tuple[LedgerPosting, list[Pair]]:
    """Reverse one posting whose account is locked; returns the reversal and the allocations that were undone."""
    refuse_unvoidable(posting)
    balance_before = DriverAccount.objects.values_list("balance", flat=True).get(pk=posting.account_id)
    undone = undo_allocations(
        account_id=posting.account_id, posting_id=posting.pk, on=accounting_date or on, actor_id=actor.pk
    )
    components = posting.components and {
        name: str(-Decimal(part)) for name, part in posting.components.items()
    }
    row = NewPosting(
        account_id=posting.account_id,
        category=posting.category,
        amount=-posting.amount,
        reference_id=posting.reference_id,
        event_on=on,
        product=posting.product,
        components=components,
        description=posting.description,
        reversal_for_id=posting.pk,
        reason=reason,
        vehicle_id=posting.vehicle_id,
        medallion_id=posting.medallion_id,
    )
    (posted,) = insert_postings(
        [row], actor_id=actor.pk, on=on, accounting_date=accounting_date, booked_as=booked_as
    )
    debit, credit = (posting.pk, posted.posting_id) if posting.amount > 0 else (posted.posting_id, posting.pk)
    allocate_pairs([Pair(credit, debit, abs(posting.amount))], on=accounting_date or on, actor_id=actor.pk)
    audit.record(
        actor=actor,
        action="posting.voided",
        subject=f"posting:{posting.pk}",
        before={"status": posting.status, "account_balance": str(balance_before)},
        after={
            "reversal": str(posted.posting_id),
            "reason": reason,
            "account_balance": str(balance_before - posting.amount),
            "undone": [
                {"credit": str(pair.credit_id), "debit": str(pair.debit_id), "amount": str(pair.amount)}
                for pair in undone
            ],
        },
    )
    return LedgerPosting.objects.get(pk=posted.posting_id), undone


def refuse_unvoidable(posting: LedgerPosting) -> None:
    """Raises IsReversal, AlreadyVoided, PayoutPaid."""
    if posting.reversal_for_id:
        raise IsReversal(reference_id=posting.reference_id)
    if posting.status == LedgerPosting.Status.VOIDED:
        raise AlreadyVoided(category=posting.category, reference_id=posting.reference_id)
    if posting.category == Category.PAYOUT:
        paid = DTR.objects.filter(payout=posting, status=DTR.Status.PAID).first()
        if paid:
            raise PayoutPaid(number=paid.number)


def free_reference(old: LedgerPosting) -> str:
    """`REF/2` after `REF`, `REF/3` after `REF/2`; a slash of the reference's own is left alone.

    A number that some other charge took is passed over.
    """
    base, number = old.reference_id, 2
    if old.replaces_id is not None:
        base, _, last = old.reference_id.rpartition("/")
        number = int(last) + 1
    taken = set(
        LedgerPosting.objects.filter(
            category=old.category, reference_id__startswith=f"{base}/", reversal_for__isnull=True
        ).values_list("reference_id", flat=True)
    )
    while f"{base}/{number}" in taken:
        number += 1
    return f"{base}/{number}"


def pay_again(freed: Sequence[Pair], debit_id: UUID, amount: Decimal) -> list[Pair]:
    """The freed credits on the new item, in the order they paid the old one, as far as the new amount goes."""
    available = dict(
        LedgerBalance.objects.filter(pk__in=[pair.credit_id for pair in freed]).values_list("pk", "balance")
    )
    pairs = []
    for pair in freed:
        share = min(pair.amount, amount, -available[pair.credit_id])
        if share > 0:
            pairs.append(Pair(pair.credit_id, debit_id, share))
            amount -= share
            available[pair.credit_id] += share
    return pairs
