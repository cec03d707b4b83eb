"""What can be changed about a lease: one form and one page for each."""

from typing import Any, cast

from django import forms
from django.db.models import Model, QuerySet
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from batconnect.common.screens import Cell, Detail, day, money
from leases import services
from leases.models import Lease, LeaseDriver, LeaseFee, LeaseSuspension, VehicleAssignment
from leases.term_models import LONGEST_REASON

from .base import ServiceForm, ServiceFormView
from .change_view import ChangeView
from .effects import Facts, effect_detail, swap_detail
from .wording import moment_told, span


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


class AddedDriverField(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.driver}, {span(obj.starts_on, obj.ends_on)}"


class EndDriverForm(ServiceForm):
    model = LeaseDriver
    model_fields = ("ends_on",)
    added = AddedDriverField(
        label="Driver", queryset=LeaseDriver.objects.none(), widget=UnfoldAdminSelectWidget()
    )
    reason = reason_field()

    def __init__(self, *args: Any, subject: Lease, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(("added", "ends_on", "reason"))
        added, standing = cast(AddedDriverField, self.fields["added"]), standing_drivers(subject)
        added.queryset = standing
        if len(standing) == 1:
            added.initial = standing[0]
        self.fields["ends_on"].label = "Last day"
        self.fields["ends_on"].help_text = "It counts. Empty: it was a mistake, and is withdrawn."


class EndDriverView(ServiceFormView):
    title = "Take a driver off the lease"
    submit_label = "Take off"
    permission_required = "leases.change_lease"
    form_class = EndDriverForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "subject": self.subject}

    def carry_out(self, asked: dict[str, Any]) -> tuple[Model, str]:
        ended = services.end_driver(**asked, actor=self.actor)
        if ended.withdrawn:
            return self.subject, f"{ended.driver} is no driver of {self.subject}; it is withdrawn."
        return self.subject, f"{ended.driver} may drive on {self.subject} through {day(ended.ends_on)}."


def standing_drivers(lease: Lease) -> QuerySet[LeaseDriver]:
    """The additional drivers that there is something to end about."""
    return (
        lease.additional_drivers.filter(withdrawn=False).select_related("driver").order_by("starts_on", "pk")
    )


class CancelForm(ServiceForm):
    model = Lease
    model_fields = ()
    reason = reason_field(help_text="Why it is as if it had never been. At least 10 characters.")


class CancelView(ChangeView):
    title = "Cancel the lease before it begins"
    confirm_label = "Cancel the lease"
    submit_look = "danger"
    permission_required = "leases.terminate_lease"
    form_class = CancelForm

    def change(self, asked: dict[str, Any]) -> services.Effect:
        return services.cancel_lease(lease=self.subject, **asked, actor=self.actor, on=self.today)

    def shown(self, effect: services.Effect, asked: Facts) -> Detail:
        lease, vehicle = effect.lease, effect.lease.vehicle
        free = f"free from {day(lease.starts_on)} on"
        facts = [("Medallion", Cell(f"{lease.medallion} is {free}"))]
        if effect.freed:
            facts.append(("Vehicle", Cell(f"{vehicle} does not come onto it")))
        if effect.deposit_cancelled:
            facts.append(
                ("Deposit", Cell(f"{money(effect.deposit_cancelled)} was agreed and is not collected"))
            )
        return effect_detail(
            effect,
            title=f"{self.title}?",
            subtitle=self.about,
            asked=[*asked, *facts],
            nothing="Nothing was scheduled yet, and nothing will be.",
        )

    def told(self, effect: services.Effect) -> str:
        return f"{effect.lease} is cancelled; {effect.lease.medallion} is free from {day(effect.lease.starts_on)} on."
