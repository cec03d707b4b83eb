"""What people do about a repayment, each said once for screens and API: who may, what is asked, what it changes.

`repairs` and `loans` put their lists together from these.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from rest_framework import serializers

from batconnect.api.fields import BodyIdField, DateField, PositiveAmountField, TextField
from batconnect.cases.screens import FormField
from batconnect.common.models import User
from ledger.models import InstallmentStatus
from ledger.services.reasons import LONGEST_REASON

from .models import Kind, State, Status
from .services import decisions, schedules
from .services.decisions import Change
from .services.errors import NotVoided
from .services.plans import Plan

Data = Mapping[str, Any]


CHOICES = (
    (decisions.POST_MISSED, "Charge at once what was missed"),
    (decisions.SHIFT, "Shift everything by whole weeks, interest computed anew"),
)


class NoData(serializers.Serializer[Any]):
    """Nothing is asked."""


class ReasonData(serializers.Serializer[Any]):
    reason = TextField(max_length=LONGEST_REASON, help_text="Why, in 10 characters or more.")


class ReleaseData(serializers.Serializer[Any]):
    choice = serializers.ChoiceField(
        choices=CHOICES,
        help_text="POST charges at once what was missed; SHIFT moves all that is scheduled by whole weeks.",
    )
    weeks = BodyIdField(
        required=False,
        allow_null=True,
        default=None,
        help_text="By how many weeks to shift; by default the least with which nothing is missed.",
    )


class RescheduleData(serializers.Serializer[Any]):
    weekly_amount = PositiveAmountField(
        required=False, allow_null=True, default=None, help_text="Principal a week; by default as before."
    )
    first_due_on = DateField(
        required=False, allow_null=True, default=None, help_text="A Saturday; by default as before."
    )
    reason = TextField(max_length=LONGEST_REASON, help_text="Why, in 10 characters or more.")


class RepostData(serializers.Serializer[Any]):
    position = BodyIdField(help_text="Which installment, counted from 1.")
    reason = TextField(max_length=LONGEST_REASON, help_text="Why, in 10 characters or more.")


@dataclass(frozen=True, kw_only=True)
class Act:
    """One thing to do. `decide` says what it changes, of checked data; `carry_out` does it; `offered` says when."""

    name: str
    label: str
    about: str
    done: str
    permission: str
    fields: type[serializers.Serializer[Any]]
    decide: Callable[[Plan, Data, date], Change]
    carry_out: Callable[[str, Data, User, date], None]
    offered: Callable[[Plan], bool]
    form: Callable[[Plan, date], Sequence[FormField]] = lambda plan, on: []
    look: str = "default"


def decided(
    kind: Kind, decide: Callable[[Plan, Data, date], Change]
) -> Callable[[str, Data, User, date], None]:
    """Carries out exactly what was decided."""

    def carry_out(number: str, data: Data, actor: User, on: date) -> None:
        schedules.carry_out(
            kind=kind, number=number, decide=lambda plan: decide(plan, data, on), actor=actor, on=on
        )

    return carry_out


def shared_acts(kind: Kind, *, change: str) -> list[Act]:
    """What is done alike about repairs and loans, by who has the permission `change`."""
    return [
        _simple(
            kind,
            name="hold",
            label="Put on hold",
            about="Stop posting until it is released; what is posted stays owed.",
            done="{number} is on hold: nothing more of it is posted until it is released.",
            permission=change,
            fields=ReasonData,
            decide=lambda plan, data, on: decisions.hold(plan, reason=data["reason"]),
            offered=lambda plan: plan.status == Status.OPEN and bool(plan.scheduled),
            form=lambda plan, on: [reason_field()],
        ),
        _simple(
            kind,
            name="release",
            label="Release",
            about="End a hold: charge at once what was missed, or shift the rest by whole weeks.",
            done="{number} is released.",
            permission=change,
            fields=ReleaseData,
            decide=lambda plan, data, on: decisions.release(
                plan, choice=data["choice"], weeks=data["weeks"], on=on
            ),
            offered=lambda plan: plan.status == Status.HOLD,
            form=_release_form,
            look="primary",
        ),
        _simple(
            kind,
            name="payoff",
            label="Pay off",
            about="Charge all that remains at once, with interest to the day, and cancel the rest.",
            done="{number}: all that remained is charged, and the rest of its schedule cancelled.",
            permission=change,
            fields=NoData,
            decide=lambda plan, data, on: decisions.pay_off(plan, on=on),
            offered=lambda plan: plan.status in (Status.OPEN, Status.HOLD) and bool(plan.scheduled),
        ),
        _simple(
            kind,
            name="reschedule",
            label="Reschedule",
            about="Another weekly amount or first Saturday for what is not posted yet.",
            done="{number} has a new schedule.",
            permission=change,
            fields=RescheduleData,
            decide=lambda plan, data, on: decisions.reschedule(
                plan,
                on=on,
                reason=data["reason"],
                weekly=data["weekly_amount"],
                first_due_on=data["first_due_on"],
            ),
            offered=lambda plan: (
                plan.status in (Status.DRAFT, Status.OPEN, Status.HOLD) and bool(plan.scheduled)
            ),
            form=_reschedule_form,
        ),
        Act(
            name="repost",
            label="Charge a voided one again",
            about="Post a voided installment again, as a reference of its own linked to the old one.",
            done="{number}: the voided installment is charged again.",
            permission=change,
            fields=RepostData,
            decide=lambda plan, data, on: _repost(plan, data),
            carry_out=lambda number, data, actor, on: _carry_out_repost(kind, number, data, actor, on),
            offered=lambda plan: plan.repayment.state != State.CANCELLED and bool(voided(plan)),
            form=_repost_form,
        ),
    ]


def cancel_act(
    kind: Kind,
    *,
    permission: str,
    decide: Callable[[Plan, Data, date], Change],
    offered: Callable[[Plan], bool],
) -> Act:
    return _simple(
        kind,
        name="cancel",
        label="Cancel",
        about="Cancel what was never charged, with a reason.",
        done="{number} is cancelled.",
        permission=permission,
        fields=ReasonData,
        decide=decide,
        offered=offered,
        form=lambda plan, on: [reason_field()],
        look="danger",
    )


def reason_field() -> FormField:
    return FormField(
        "reason",
        "Why",
        "area",
        help="At least 10 characters. The next reader has only this sentence.",
        maximum=str(LONGEST_REASON),
    )


def voided(plan: Plan) -> list[Any]:
    """Installments whose charge was voided and not posted again, and whose principal is still owed."""
    rows = plan.having(InstallmentStatus.VOIDED)
    return [row for row in rows if row.principal <= plan.repayment.standing.adrift]


def _simple(kind: Kind, *, decide: Callable[[Plan, Data, date], Change], **said: Any) -> Act:
    return Act(decide=decide, carry_out=decided(kind, decide), **said)


def _release_form(plan: Plan, on: date) -> Sequence[FormField]:
    missed, least = len(decisions.missed(plan, on)), decisions.least_shift(plan, on)
    told = {1: "1 installment was missed"}.get(missed, f"{missed or 'No'} installments were missed")
    return [
        FormField(
            "choice",
            "How it goes on",
            "choice",
            help=f"{told}.",
            choices=[("", "Choose…"), *CHOICES],
        ),
        FormField(
            "weeks",
            "Weeks to shift by",
            help=f"Empty: {least}, the least with which nothing is missed."
            if least
            else "Empty: all stays as it is.",
            required=False,
            shown_for=f"choice={decisions.SHIFT}",
            maximum="3",
        ),
    ]


def _reschedule_form(plan: Plan, on: date) -> Sequence[FormField]:
    return [
        FormField(
            "weekly_amount",
            "Principal a week",
            "money",
            help=f"Now {plan.repayment.weekly_principal:,.2f}; {plan.remaining:,.2f} is not posted yet.",
            required=False,
        ),
        FormField(
            "first_due_on",
            "First due",
            "date",
            help=f"A Saturday; now {plan.scheduled[0].due_on:%B %-d, %Y}."
            if plan.scheduled
            else "A Saturday.",
            required=False,
        ),
        reason_field(),
    ]


def _repost_form(plan: Plan, on: date) -> Sequence[FormField]:
    choices = [
        (str(row.position), f"{row.reference_id}: {row.principal + row.interest:,.2f}, due {row.due_on}")
        for row in voided(plan)
    ]
    return [FormField("position", "Which installment", "choice", choices=choices), reason_field()]


def _repost(plan: Plan, data: Data) -> Change:
    row = next((row for row in voided(plan) if row.position == data["position"]), None)
    if row is None:
        raise NotVoided(reference_id=f"{plan.number}/{data['position']}")
    return Change(action="reposted", state=plan.repayment.state, posts=[row], reason=data["reason"])


def _carry_out_repost(kind: Kind, number: str, data: Data, actor: User, on: date) -> None:
    schedules.repost(
        kind=kind, number=number, position=data["position"], reason=data["reason"], actor=actor, on=on
    )
