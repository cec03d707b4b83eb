"""Changing what was agreed about a lease: a form, its exact effect to confirm, and back to the lease's page."""

import hashlib
import json
import uuid
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.db.models import Model
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from batconnect.common.errors import BatConnectError, ConflictingState
from batconnect.common.idempotency import Answer, run_once
from batconnect.common.screens import Cell, Detail, day, money
from batconnect.common.transactions import money_transaction
from batconnect.common.weeks import local_date
from leases import services
from leases.api.rows import effect_facts
from leases.models import Lease, LeaseDriver, LeaseFee, LeaseSuspension, VehicleAssignment
from leases.term_models import LONGEST_REASON

from .base import ServiceForm, ServiceFormView
from .effects import Facts, effect_detail, swap_detail
from .wording import moment_told, span

_LONGEST_TOKEN = 64
_OURS = ("csrfmiddlewaretoken", "token", "shown", "confirmed", "again")


class EffectChanged(ConflictingState):
    code = "lease.effect_changed"
    message = (
        "Something changed since you looked, so nothing was done. This is the effect as it would be now."
    )


def fee_field(label: str = "Weekly fee", **options: Any) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        min_value=0,
        max_digits=14,
        decimal_places=2,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        **options,
    )


def reason_field(label: str = "Reason", **options: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        **{"help_text": "At least 10 characters.", **options},
    )


class ChangeView(ServiceFormView):
    """A form whose effect is shown before it is carried out; both go through `change`."""

    confirm_label: ClassVar[str]
    submit_label = "See what it does"
    submit_look = "primary"

    def change(self, asked: dict[str, Any]) -> Any:
        """Call the service; returns its effect."""
        raise AssertionError(f"{type(self).__name__} names no service")

    def shown(self, effect: Any, asked: Facts) -> Detail:
        return effect_detail(effect, title=f"{self.title}?", subtitle=self.about, asked=asked)

    def told(self, effect: Any) -> str:
        """What is said once it is done."""
        return f"Done: {self.title.lower()}. The driver owes {money(effect.balance_after)} now."

    def print_of(self, effect: Any) -> str:
        """Two effects alike have the same; one that differs is shown again before anything is done."""
        facts = effect_facts(effect, dry_run=True)
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()

    def form_valid(self, form: forms.Form) -> HttpResponse:
        post = self.request.POST
        if "again" in post:
            return self.render_to_response(self.get_context_data(form=form))
        try:
            if "confirmed" in post:
                return self._confirmed(form.cleaned_data)
            return self._confirmation(form)
        except EffectChanged as error:
            try:
                return self._confirmation(form, changed=str(error))
            except BatConnectError as refusal:
                return self._refused(form, refusal)
        except BatConnectError as error:
            return self._refused(form, error)

    def _refused(self, form: forms.Form, error: BatConnectError) -> HttpResponse:
        form.add_error(None, str(error))
        response: HttpResponse = self.form_invalid(form)
        return response

    def _confirmation(self, form: forms.Form, changed: str = "") -> HttpResponse:
        effect = services.previewed(lambda: self.change(form.cleaned_data))
        context = self.get_context_data(
            detail=self.shown(effect, _told(form)),
            entered=_entered(self.request.POST),
            token=uuid.uuid4().hex,
            shown=self.print_of(effect),
            confirm_label=self.confirm_label,
            submit_look=self.submit_look,
            changed=changed,
        )
        return self.response_class(
            request=self.request,
            template=["leases/confirm.html"],
            context=context,
            using=self.template_engine,
        )

    def _confirmed(self, asked: dict[str, Any]) -> HttpResponse:
        post = self.request.POST

        def effect() -> Answer:
            made = self.change(asked)
            if self.print_of(made) != post.get("shown"):
                raise EffectChanged
            return Answer(200, {"told": self.told(made)})

        # Clicked twice, it is one change.
        answer = money_transaction(run_once)(
            scope=f"{self.actor.pk}:admin:{type(self).__name__}:{self.subject.pk}",
            key=post.get("token", "")[:_LONGEST_TOKEN] or uuid.uuid4().hex,
            request=dict(_entered(post)),
            effect=effect,
        )
        messages.success(self.request, answer.body["told"])
        return HttpResponseRedirect(self._page("change", self.subject.pk))

    @property
    def today(self) -> Any:
        return local_date(timezone.now())


def _told(form: forms.Form) -> list[tuple[str, Cell]]:
    """What was entered, as facts."""
    found = []
    for name, value in form.cleaned_data.items():
        if value in (None, ""):
            continue
        text = (
            day(value) if isinstance(value, date) else money(value) if isinstance(value, Decimal) else value
        )
        found.append((str(form.fields[name].label or name), Cell(str(text))))
    return found


def _entered(post: QueryDict) -> list[tuple[str, str]]:
    return [(name, str(post[name])) for name in post if name not in _OURS]


class ChangeFeeForm(ServiceForm):
    model = LeaseFee
    model_fields = ("effective_from",)
    weekly_fee = fee_field()
    reason = reason_field(
        required=False, help_text="Stands beside charges that are replaced. May be left empty."
    )
    field_order = ("weekly_fee", "effective_from", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(self.field_order)
        self.fields["effective_from"].label = "From"
        self.fields["effective_from"].help_text = "The first day at this fee."


class ChangeFeeView(ChangeView):
    title = "Change the weekly fee"
    confirm_label = "Change the fee"
    permission_required = "leases.change_lease"
    form_class = ChangeFeeForm

    def change(self, asked: dict[str, Any]) -> services.Effect:
        return services.change_fee(lease=self.subject, **asked, actor=self.actor, on=self.today)


class SuspendForm(ServiceForm):
    model = LeaseSuspension
    model_fields = ("starts_on", "ends_on")
    reason = reason_field()
    field_order = ("starts_on", "ends_on", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(self.field_order)
        self.fields["starts_on"].label, self.fields["ends_on"].label = "First free day", "Last free day"
        self.fields["ends_on"].help_text = "Empty: until somebody resumes the lease."


class SuspendView(ChangeView):
    title = "Suspend the lease"
    confirm_label = "Suspend"
    permission_required = "leases.change_lease"
    form_class = SuspendForm

    def change(self, asked: dict[str, Any]) -> services.Effect:
        return services.suspend_lease(lease=self.subject, **asked, actor=self.actor, on=self.today)


class ResumeForm(ServiceForm):
    model = LeaseSuspension
    model_fields = ("starts_on",)
    reason = reason_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["resumes_on"] = self.fields.pop("starts_on")
        self.fields["resumes_on"].label = "First day that is billed again"
        self.order_fields(("resumes_on", "reason"))


class ResumeView(ChangeView):
    title = "Resume the lease"
    confirm_label = "Resume"
    permission_required = "leases.change_lease"
    form_class = ResumeForm

    def change(self, asked: dict[str, Any]) -> services.Effect:
        return services.resume_lease(lease=self.subject, **asked, actor=self.actor, on=self.today)


class RenewForm(ServiceForm):
    model = Lease
    model_fields = ("ends_on",)
    reason = reason_field(required=False, help_text="May be left empty.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(("ends_on", "reason"))
        self.fields["ends_on"].label = "New last day"
        self.fields["ends_on"].help_text = "It counts. Empty: until further notice. The fee stays as it is."


class RenewView(ChangeView):
    title = "Renew the lease"
    confirm_label = "Renew"
    permission_required = "leases.change_lease"
    form_class = RenewForm

    def change(self, asked: dict[str, Any]) -> services.Effect:
        return services.renew_lease(lease=self.subject, **asked, actor=self.actor, on=self.today)


class EndForm(ServiceForm):
    model = Lease
    model_fields = ("ends_on",)
    reason = reason_field()
    cancellation_fee = fee_field(
        "Cancellation fee",
        required=False,
        help_text="As agreed. Empty: the usual one, due when the lease ends within four weeks of its start.",
    )
    waiver_reason = reason_field(
        "Why the cancellation fee is waived", required=False, help_text="Empty: it is charged."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(("ends_on", "reason", "cancellation_fee", "waiver_reason"))
        self.fields["ends_on"].required = True
        self.fields["ends_on"].label = "Last day"
        self.fields["ends_on"].help_text = "It counts; its week is prorated."
        if not self.request.user.has_perm("leases.waive_cancellation_fee"):
            del self.fields["waiver_reason"]


class EndView(ChangeView):
    title = "End the lease early"
    confirm_label = "End the lease"
    submit_look = "danger"
    permission_required = "leases.terminate_lease"
    form_class = EndForm

    def change(self, asked: dict[str, Any]) -> services.Effect:
        asked = {"waiver_reason": "", **asked}
        services.check_waiver(
            lease=self.subject,
            ends_on=asked["ends_on"],
            cancellation_fee=asked["cancellation_fee"],
            waiver_reason=asked["waiver_reason"],
            actor=self.actor,
        )
        return services.terminate_lease(lease=self.subject, **asked, actor=self.actor, on=self.today)

    def told(self, effect: services.Effect) -> str:
        return f"{effect.lease} ends on {effect.lease.ends_on}. The driver owes {money(effect.balance_after)} now."


class SwapForm(ServiceForm):
    model = VehicleAssignment
    model_fields = ("vehicle", "started_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["at"] = self.fields.pop("started_at")
        self.fields["at"].label = "When it was swapped"
        self.fields["at"].help_text = "New York time, to the minute; not ahead of now."


class SwapView(ChangeView):
    title = "Swap the vehicle"
    confirm_label = "Swap"
    permission_required = "leases.change_vehicleassignment"
    form_class = SwapForm

    def change(self, asked: dict[str, Any]) -> services.Swap:
        return services.swap_vehicle(lease=self.subject, **asked, actor=self.actor, now=timezone.now())

    def shown(self, effect: services.Swap, asked: Facts) -> Detail:
        return swap_detail(effect)

    def told(self, effect: services.Swap) -> str:
        return f"{effect.came} is on medallion {effect.lease.medallion} from {moment_told(effect.at)}."

    def print_of(self, effect: services.Swap) -> str:
        return f"{effect.went.pk if effect.went else 0}:{effect.came.pk}:{effect.at.isoformat()}"


class FollowForm(ServiceForm):
    model = Lease
    model_fields = ("ends_on",)
    weekly_fee = fee_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(("weekly_fee", "ends_on"))
        self.fields["ends_on"].help_text = "Empty: until further notice."


class FollowView(ServiceFormView):
    title = "A following lease"
    submit_label = "Make the following lease"
    permission_required = "leases.add_lease"
    form_class = FollowForm

    def carry_out(self, asked: dict[str, Any]) -> tuple[Model, str]:
        made = services.follow_lease(lease=self.subject, **asked, actor=self.actor)
        return made, f"Lease {made.number} follows {self.subject}, {span(made.starts_on, made.ends_on)}."


class AddDriverForm(ServiceForm):
    model = LeaseDriver
    model_fields = ("driver", "starts_on", "ends_on")


class AddDriverView(ServiceFormView):
    title = "Add a driver to the lease"
    submit_label = "Add driver"
    permission_required = "leases.change_lease"
    form_class = AddDriverForm

    def carry_out(self, asked: dict[str, Any]) -> tuple[Model, str]:
        added = services.add_driver(lease=self.subject, **asked, actor=self.actor)
        return self.subject, f"{added.driver} may drive on {self.subject} from {added.starts_on} on."
