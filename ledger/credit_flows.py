"""ADJ, WOFF, REFUND: credit that is granted, written off or paid back; a second person approves the larger ones."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from rest_framework import serializers

from batconnect.api.fields import BodyIdField, PositiveAmountField, TextField
from batconnect.cases.models import Case
from batconnect.cases.registry import Flow, Step, StepDone, register_flow
from batconnect.common.models import User

from .flows import DecisionData, fetch_payment
from .models import CreditDecision, DriverAccount, OutgoingMethod
from .payment_data import Allocations
from .services import credits
from .services.credits import CreditAsked
from .services.errors import UnknownAccount
from .services.reasons import LONGEST_REASON, checked_reason

Kind = CreditDecision.Kind
PREFIXES = {Kind.ADJUSTMENT: "ADJ", Kind.WRITE_OFF: "WOFF", Kind.REFUND: "REFUND"}


class _WhoseData(serializers.Serializer[Any]):
    driver_id = BodyIdField()
    lease_id = BodyIdField()
    reason = TextField(max_length=LONGEST_REASON, help_text="Why, in 10 characters or more.")


class AdjustmentData(_WhoseData):
    amount = PositiveAmountField()
    allocations = Allocations(
        required=False,
        default=dict,
        help_text="Amount per reference id, as `CATEGORY:REF` where two categories share it. The rest stays an open "
        "credit, which the next run uses first.",
    )


class WriteOffData(_WhoseData):
    allocations = Allocations(help_text="The items to write off, each with its amount; at most what is open.")


class RefundData(_WhoseData):
    amount = PositiveAmountField()
    method = serializers.ChoiceField(choices=OutgoingMethod.choices)
    method_reference = TextField(
        max_length=60,
        required=False,
        allow_blank=True,
        default="",
        help_text="Check number or ACH reference.",
    )


def asked_for(kind: str, data: Mapping[str, Any]) -> CreditAsked:
    """What a step's checked data, or a case's result, asks for. Raises UnknownAccount."""
    account = (
        DriverAccount.objects.select_related("driver", "lease")
        .filter(driver_id=data["driver_id"], lease_id=data["lease_id"])
        .first()
    )
    if account is None:
        raise UnknownAccount
    return CreditAsked(
        kind=kind,
        account=account,
        amount=Decimal(data.get("amount", "0.00")),
        reason=data["reason"],
        allocations={name: Decimal(part) for name, part in data.get("allocations", {}).items()},
        method=data.get("method", ""),
        method_reference=data.get("method_reference", ""),
    )


def fetch_accounts(*, case: Case, query: Mapping[str, Any], actor: User, on: date) -> dict[str, Any]:
    """The accounts behind a licence, medallion, VIN or lease: open items, and what credit could be paid back."""
    found = fetch_payment(case=case, query=query, actor=actor, on=on)
    for row in found["accounts"]:
        row["refundable"] = str(credits.refundable(row["account_id"]))
    return found


def ask_credit(kind: str, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepDone:
    """Do it at once, or hand a large one to a second person."""
    asked = asked_for(kind, data)
    plan = credits.plan_credit(asked)
    kept = {
        "kind": kind,
        "driver_id": data["driver_id"],
        "lease_id": data["lease_id"],
        "amount": str(plan.amount),
        "allocations": {name: str(part) for name, part in asked.allocations.items()},
        "reason": checked_reason(asked.reason),
        "method": asked.method,
        "method_reference": asked.method_reference,
        "asked_by": actor.username,
    }
    if plan.needs_approval:
        subject = f"{Kind(kind).label} of {plan.amount} for {asked.account.driver.name}?"
        return StepDone(result=kept, subject=subject, next_step=f"{PREFIXES[Kind(kind)]}-002")
    return _granted(asked, kept, case=case, actor=actor, approved_by=None, on=on)


def decide_credit(kind: str, *, case: Case, data: Mapping[str, Any], actor: User, on: date) -> StepDone:
    """Do what somebody else asked for, as things are now, or turn it down with a note."""
    if data["decision"] == "REJECT":
        note = checked_reason(data["note"])
        return StepDone(result={"rejected_by": actor.username, "note": note}, cancelled=note)
    assert case.requested_by is not None, "the step before says who asked"
    decided = {"approved_by": actor.username, "note": data["note"]}
    asked = asked_for(kind, case.result)
    return _granted(asked, decided, case=case, actor=case.requested_by, approved_by=actor, on=on)


def fetch_decision(
    kind: str, *, case: Case, query: Mapping[str, Any], actor: User, on: date
) -> dict[str, Any]:
    """What was asked for, and what it would do now."""
    if "reason" not in case.result:
        return {"asked": None, "plan": None}
    plan = credits.plan_credit(asked_for(kind, case.result))
    return {
        "asked": dict(case.result),
        "plan": {
            "amount": str(plan.amount),
            "parts": credits.part_facts(plan.parts),
            "stays_open": str(plan.stays_open),
        },
    }


def _granted(
    asked: CreditAsked,
    told: Mapping[str, Any],
    *,
    case: Case,
    actor: User,
    approved_by: User | None,
    on: date,
) -> StepDone:
    done = credits.grant_credit(asked, actor=actor, approved_by=approved_by, on=on, case_no=case.case_no)
    after = DriverAccount.objects.values_list("balance", flat=True).get(pk=done.account_id)
    moved = done.amount if done.kind == Kind.REFUND else -done.amount
    return StepDone(
        result={
            **told,
            "number": done.number,
            "posting_id": str(done.posting_id),
            "amount": str(done.amount),
            "parts": done.parts,
            "balance_before": str(after - moved),
            "balance_after": str(after),
        },
        subject=f"{done.number}: {done.amount} for {asked.account.driver.name}",
        subject_ref=f"credit:{done.number}",
    )


def _register(
    kind: str, fields: type[serializers.Serializer[Any]], *, permission: str, screen: str, title: str
) -> None:
    prefix = PREFIXES[Kind(kind)]
    register_flow(
        Flow(
            prefix=prefix,
            name=Kind(kind).label,
            sla_hours=48,
            steps=(
                Step(
                    id=f"{prefix}-001",
                    title=title,
                    permission=permission,
                    fields=fields,
                    fetch=fetch_accounts,
                    process=partial(ask_credit, kind),
                    screen=f"ledger.admin.credit_case.{screen}Screen",
                ),
                Step(
                    id=f"{prefix}-002",
                    title=f"Approve the {Kind(kind).label.lower()}",
                    permission=permission,
                    fields=DecisionData,
                    fetch=partial(fetch_decision, kind),
                    process=partial(decide_credit, kind),
                    screen=f"ledger.admin.credit_case.{screen}DecisionScreen",
                    approval=True,
                ),
            ),
        )
    )


_register(
    Kind.ADJUSTMENT,
    AdjustmentData,
    permission="ledger.grant_adjustment",
    screen="Adjustment",
    title="Grant an adjustment",
)
_register(
    Kind.WRITE_OFF,
    WriteOffData,
    permission="ledger.write_off",
    screen="WriteOff",
    title="Write off what is owed",
)
_register(
    Kind.REFUND, RefundData, permission="ledger.refund_credit", screen="Refund", title="Pay back credit"
)
