"""VOID: take a posting back, by a second person above an amount. INTPAY: take a payment at the desk."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from rest_framework import serializers

from batconnect.api.fields import DateField, TextField
from batconnect.cases.models import Case
from batconnect.cases.registry import Flow, Step, StepDone, register_flow
from batconnect.common.errors import BatConnectError
from batconnect.common.models import User

from .models import DriverAccount, InterimPayment, LedgerPosting
from .payment_data import InterimPaymentRequest
from .selectors.account_items import account_facts, find_accounts, open_charges, open_credit, whole_account
from .selectors.balances import open_amount
from .selectors.postings import postings_with_reference
from .services import payments, voids
from .services.accounts import lock_accounts
from .services.errors import UnknownAccount
from .services.reasons import LONGEST_REASON, checked_reason
from .services.void_approval import VoidPreview, void_preview

MOST_CANDIDATES = 20


class NothingFound(BatConnectError):
    code, status = "case.nothing_found", 404
    message = "Nothing was found for {asked}."


# --- VOID -----------------------------------------------------------------------------------------------------


class VoidData(serializers.Serializer[Any]):
    posting_id = serializers.UUIDField()
    reason = TextField(max_length=LONGEST_REASON, help_text="Why, in 10 characters or more.")
    accounting_date = DateField(required=False, allow_null=True, default=None, help_text="In an open week.")


class DecisionData(serializers.Serializer[Any]):
    decision = serializers.ChoiceField(choices=["APPROVE", "REJECT"])
    note = TextField(
        max_length=LONGEST_REASON, required=False, allow_blank=True, default="", help_text="Needed to reject."
    )


def fetch_void(*, case: Case, query: Mapping[str, Any], actor: User, on: date) -> dict[str, Any]:
    """Every effect of voiding one posting (`posting_id`, or a `reference_id` that only one has); else candidates."""
    if "posting_id" in query:
        return {"preview": preview_facts(void_preview(query["posting_id"])), "candidates": []}
    if "reference_id" in query:
        found = postings_with_reference(query["reference_id"])
        if not found:
            raise NothingFound(asked=query["reference_id"])
        if len(found) == 1:
            return {"preview": preview_facts(void_preview(found[0])), "candidates": []}
        return {"preview": None, "candidates": _posting_rows(found)}
    named = {name: str(query[name]) for name in ("tlc_license", "medallion", "vin") if name in query}
    if not named:
        return {"preview": None, "candidates": []}
    accounts = [account.pk for account in find_accounts(**named)]
    if not accounts:
        raise NothingFound(asked=" ".join(named.values()))
    return {"preview": None, "candidates": _posting_rows(voidable_of(accounts))}


def voidable_of(account_ids: list[int]) -> list[UUID]:
    """The latest postings of these accounts that could be voided by themselves."""
    found = LedgerPosting.objects.filter(
        account_id__in=account_ids, status=LedgerPosting.Status.POSTED, reversal_for__isnull=True
    ).exclude(category__in=voids.SETTLEMENT)
    return list(found.order_by("-seq").values_list("pk", flat=True)[:MOST_CANDIDATES])


def ask_void(*, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepDone:
    """Void at once, or hand a large one to a second person."""
    shown = void_preview(data["posting_id"])
    reason = checked_reason(data["reason"])
    asked = {
        "posting_id": str(shown.posting.pk),
        "reason": reason,
        "accounting_date": data["accounting_date"] and data["accounting_date"].isoformat(),
        "asked_by": actor.username,
    }
    subject = _void_subject(shown.posting)
    if shown.needs_approval:
        return StepDone(result=asked, subject=f"Void {subject}?", next_step="VOID-002")
    done = _void(asked, actor=actor, on=on)
    return StepDone(
        result={**asked, **done}, subject=f"Voided {subject}", subject_ref=f"posting:{done['reversal_id']}"
    )


def decide_void(*, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepDone:
    """Void what somebody else asked for, or turn it down with a note."""
    if data["decision"] == "REJECT":
        note = checked_reason(data["note"])
        return StepDone(result={"rejected_by": actor.username, "note": note}, cancelled=note)
    done = _void(case.result, actor=actor, on=on)
    posting = LedgerPosting.objects.get(pk=case.result["posting_id"])
    return StepDone(
        result={**done, "approved_by": actor.username, "note": data["note"]},
        subject=f"Voided {_void_subject(posting)}",
        subject_ref=f"posting:{done['reversal_id']}",
    )


def fetch_decision(*, case: Case, query: Mapping[str, Any], actor: User, on: date) -> dict[str, Any]:
    """What was asked for, and its effect as it would be now."""
    if "posting_id" not in case.result:
        return {"asked": None, "preview": None}
    asked = {name: case.result.get(name) for name in ("reason", "accounting_date", "asked_by")}
    return {"asked": asked, "preview": preview_facts(void_preview(UUID(case.result["posting_id"])))}


def preview_facts(shown: VoidPreview) -> dict[str, Any]:
    """A preview, JSON-ready."""
    posting = shown.posting
    return {
        **_posting_facts(posting),
        "open": str(posting.open_item.balance),
        "balance_before": str(shown.balance_before),
        "balance_after": str(shown.balance_after),
        "needs_approval": shown.needs_approval,
        "undone": [
            {
                "posting_id": str(one.other.pk),
                "category": one.other.category,
                "reference_id": one.other.reference_id,
                "amount": str(one.amount),
                "open_before": str(one.open_before),
                "open_after": str(one.open_after),
            }
            for one in shown.undone
        ],
    }


def _void(asked: Mapping[str, Any], *, actor: User, on: date) -> dict[str, Any]:
    """Void and tell what it did, from one look before and one after, under the account's lock."""
    posting_id = UUID(asked["posting_id"])
    given = asked.get("accounting_date")
    lock_accounts([void_preview(posting_id).posting.account_id])
    before = void_preview(posting_id)
    reversal = voids.void_posting(
        posting_id=posting_id,
        reason=asked["reason"],
        actor=actor,
        on=on,
        accounting_date=date.fromisoformat(given) if given else None,
    )
    after = DriverAccount.objects.values_list("balance", flat=True).get(pk=reversal.account_id)
    return {
        "reversal_id": str(reversal.pk),
        "amount": str(reversal.amount),
        "balance_before": str(after - reversal.amount),
        "balance_after": str(after),
        "undone": preview_facts(before)["undone"],
    }


def _void_subject(posting: LedgerPosting) -> str:
    return f"{posting.get_category_display()} {posting.reference_id}, {abs(posting.amount)}"


def _posting_rows(ids: list[UUID]) -> list[dict[str, Any]]:
    rows = LedgerPosting.objects.select_related("driver", "lease", "medallion").in_bulk(ids)
    return [_posting_facts(rows[key]) for key in ids]


def _posting_facts(posting: LedgerPosting) -> dict[str, Any]:
    return {
        "posting_id": str(posting.pk),
        "category": posting.category,
        "reference_id": posting.reference_id,
        "amount": str(posting.amount),
        "effective_on": posting.effective_on.isoformat(),
        "status": posting.status,
        "description": posting.description,
        "driver_name": posting.driver.name,
        "lease_number": posting.lease.number,
        "medallion_no": posting.medallion.number,
    }


# --- INTPAY ---------------------------------------------------------------------------------------------------


def fetch_payment(*, case: Case, query: Mapping[str, Any], actor: User, on: date) -> dict[str, Any]:
    """The accounts behind a licence, medallion, VIN or lease, each with its open items."""
    named = {name: str(query[name]) for name in ("tlc_license", "medallion", "vin") if name in query}
    accounts = list(find_accounts(**named)) if named else []
    if "lease_id" in query:
        ids = DriverAccount.objects.filter(lease_id=query["lease_id"]).values_list("pk", flat=True)
        accounts += [account for key in ids if (account := whole_account(key))]
    if not accounts and (named or "lease_id" in query):
        raise NothingFound(asked=" ".join(str(value) for value in query.values()))
    return {
        "accounts": [
            {
                **account_facts(account),
                "open_credit": str(open_credit(account.pk)),
                "open_items": [
                    {
                        "category": item.category,
                        "reference_id": item.reference_id,
                        "due_on": item.due_on and item.due_on.isoformat(),
                        "original_amount": str(item.original_amount),
                        "balance": str(item.balance),
                    }
                    for item in open_charges(account.pk)
                ],
            }
            for account in accounts
        ]
    }


def payment_account(data: Mapping[str, Any]) -> DriverAccount:
    """Raises UnknownAccount."""
    found = DriverAccount.objects.filter(driver_id=data["driver_id"], lease_id=data["lease_id"]).first()
    if found is None:
        raise UnknownAccount
    return found


def take_payment(*, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepDone:
    payment = payments.apply_interim_payment(
        account=payment_account(data),
        amount=data["total_payment_amount"],
        allocations=data["allocations"],
        method=data["payment_method"],
        method_reference=data["method_reference"],
        actor=actor,
        on=on,
    )
    return StepDone(
        result=_receipt(payment),
        subject=f"{payment.number}: {payment.amount} {payment.get_method_display().lower()}",
        subject_ref=f"payment:{payment.number}",
    )


def _receipt(payment: InterimPayment) -> dict[str, Any]:
    after = DriverAccount.objects.values_list("balance", flat=True).get(pk=payment.account_id)
    return {
        "receipt_number": payment.number,
        "posting_id": str(payment.posting_id),
        "amount": str(payment.amount),
        "payment_method": payment.method,
        "method_reference": payment.method_reference,
        "allocations": payment.allocations,
        "unallocated_amount": str(-open_amount(payment.posting_id)),
        "balance_before": str(after + payment.amount),
        "balance_after": str(after),
    }


register_flow(
    Flow(
        prefix="VOID",
        name="Void of a posting",
        sla_hours=48,
        steps=(
            Step(
                id="VOID-001",
                title="Void a posting",
                permission="ledger.void_posting",
                fields=VoidData,
                fetch=fetch_void,
                process=ask_void,
                screen="ledger.admin.void_case.VoidScreen",
            ),
            Step(
                id="VOID-002",
                title="Approve the void",
                permission="ledger.void_posting",
                fields=DecisionData,
                fetch=fetch_decision,
                process=decide_void,
                screen="ledger.admin.void_case.DecisionScreen",
                approval=True,
            ),
        ),
    )
)
register_flow(
    Flow(
        prefix="INTPAY",
        name="Payment at the desk",
        sla_hours=8,
        steps=(
            Step(
                id="INTPAY-001",
                title="Take a payment",
                permission="ledger.take_payment",
                fields=InterimPaymentRequest,
                fetch=fetch_payment,
                process=take_payment,
                screen="ledger.admin.payment_case.PaymentScreen",
            ),
        ),
    )
)

# The other flows of the desk; at the end, for they use what is above.
from . import credit_flows  # noqa: E402, F401
