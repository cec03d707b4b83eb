"""What is typed at a drawer: the count, cash put in, why a check came back."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.money import parse_amount
from ledger.services.reasons import LONGEST_REASON


class _AmountField(forms.CharField):
    """An amount as it is typed; the service says what is wrong with it."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value).replace(",", "").strip()
        try:
            return parse_amount(text)
        except BatConnectError as error:
            raise forms.ValidationError(str(error)) from error


def _amount_field(label: str, **more: Any) -> _AmountField:
    widget = UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return _AmountField(label=label, max_length=20, widget=widget, **more)


class CountForm(forms.Form):
    """What is in the drawer."""

    counted_cash = _amount_field("Cash counted")
    kept = _amount_field(
        "Stays in the drawer", initial="0.00", help_text="Cash for tomorrow; the rest is banked."
    )
    reason = forms.CharField(
        label="If something is over or short: why",
        required=False,
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="At least 10 characters. The next reader has only this sentence.",
    )


class FloatForm(forms.Form):
    """Cash from the bank into a drawer."""

    username = forms.CharField(
        label="Whose drawer", max_length=150, widget=UnfoldAdminTextInputWidget(), help_text="User name."
    )
    amount = _amount_field("Amount")


class BounceForm(forms.Form):
    """Why a check came back."""

    reason = forms.CharField(
        label="What the bank says",
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="At least 10 characters.",
    )
