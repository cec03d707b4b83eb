"""The forms of a deposit's pages."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from batconnect.common.weeks import local_date
from leases.deposit_models import DepositRefund, RefundMethod
from leases.models import Lease
from leases.services.deposits import DepositTerms
from leases.services.deposits.refunds import LONGEST_METHOD_REFERENCE, refund_told
from ledger.services.reasons import LONGEST_REASON, SHORTEST_REASON


def today() -> date:
    return local_date(timezone.now())


def day_field(label: str, *, required: bool = True, **more: Any) -> forms.DateField:
    return forms.DateField(
        label=label,
        required=required,
        widget=UnfoldAdminSingleDateWidget(attrs={"type": "date"}),
        **more,
    )


def _reason_field(label: str, help_text: str, *, required: bool = True) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=required,
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=f"{help_text} At least {SHORTEST_REASON} characters.",
    )


class TermsForm(forms.Form):
    """The whole deposit, and when what is not charged yet is due."""

    amount = forms.DecimalField(
        label="Deposit",
        min_value=Decimal("0.01"),
        max_digits=14,
        decimal_places=2,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        help_text="US dollars, all of it.",
    )
    first_due = day_field("Due on", help_text="The weekly run charges it by this day.")
    second_due = day_field(
        "Second half due on", required=False, help_text="Empty: the whole is due on the first day."
    )

    def terms(self) -> DepositTerms:
        days = [self.cleaned_data[name] for name in ("first_due", "second_due")]
        return DepositTerms(self.cleaned_data["amount"], [day for day in days if day])


class AgreeForm(TermsForm):
    """A new deposit, for a lease named by its number."""

    lease = forms.CharField(
        max_length=20, widget=UnfoldAdminTextInputWidget(), help_text="Its number, such as L-00042."
    )
    field_order = ("lease", "amount", "first_due", "second_due")

    def clean_lease(self) -> Lease:
        number = self.cleaned_data["lease"].strip()
        lease = Lease.objects.filter(number__iexact=number).first() if number.isprintable() else None
        if lease is None:
            raise forms.ValidationError(f"There is no lease {number}.")
        return lease


class ChangeForm(TermsForm):
    first_due = day_field(
        "What is not charged yet is due on",
        required=False,
        help_text="Empty where nothing is left to charge.",
    )


class ReleaseForm(forms.Form):
    """Nothing to say, once the hold has ended."""


class EarlyReleaseForm(forms.Form):
    reason = _reason_field("Reason", "Why the deposit is released before its hold ends.")


class RefundForm(forms.Form):
    """How what was left was paid back."""

    paid_on = day_field("Paid on", initial=today)
    method = forms.ChoiceField(choices=RefundMethod.choices, widget=UnfoldAdminSelectWidget())
    method_reference = forms.CharField(
        label="Check number or ACH reference",
        max_length=LONGEST_METHOD_REFERENCE,
        widget=UnfoldAdminTextInputWidget(),
    )


class ReturnForm(forms.Form):
    """Which refund came back, where more than one is out, and why."""

    refund_id = forms.TypedChoiceField(label="Which came back", coerce=int, widget=UnfoldAdminSelectWidget())
    paid_on = day_field("Came back on", initial=today)
    reason = _reason_field("Reason", "Why it came back.")

    def __init__(self, *args: Any, refunds: Sequence[DepositRefund], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if len(refunds) < 2:
            del self.fields["refund_id"]
        else:
            choices = [(refund.pk, refund_told(refund)) for refund in refunds]
            cast(forms.TypedChoiceField, self.fields["refund_id"]).choices = choices
