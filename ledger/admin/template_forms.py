"""The forms of a journal template's page, and the way from what was typed to the engine's values and back."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.forms import BaseFormSet, formset_factory
from django.utils.datastructures import MultiValueDict
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextInputWidget,
)

from ledger.engine.templates import (
    JournalTemplate,
    TemplateControl,
    TemplateLine,
    TemplateMatch,
    TemplateProblem,
)
from ledger.services.template_checks import amount_columns, packs

ACCOUNTS, KINDS = "template-accounts", "template-kinds"  # the ids of the page's lists of suggestions
MOST_PARTS = 200


def _text(**attrs: Any) -> UnfoldAdminTextInputWidget:
    return UnfoldAdminTextInputWidget(attrs=attrs)


def _day(**options: Any) -> forms.DateField:
    return forms.DateField(widget=UnfoldAdminSingleDateWidget(attrs={"type": "date"}), **options)


def _amount(**options: Any) -> forms.DecimalField:
    return forms.DecimalField(
        max_digits=20, decimal_places=6, widget=_text(inputmode="decimal"), required=False, **options
    )


class NewTemplateForm(forms.Form):
    """What a template is from its beginning; the rest is written in its draft."""

    code = forms.SlugField(
        max_length=40, widget=_text(), help_text="What people call it, like LATE_RETURN. It stays."
    )
    pack = forms.ChoiceField(widget=UnfoldAdminSelectWidget(), help_text="Whose events it is for.")
    description = forms.CharField(max_length=160, widget=_text())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["pack"].choices = [(name, name) for name in packs()]  # type: ignore[attr-defined]
        self.initial.setdefault("pack", "taxi")


class HeadForm(forms.Form):
    description = forms.CharField(max_length=160, widget=_text())
    effective_from = _day(label="In force from", help_text="As proposed; who approves it decides.")
    effective_to = _day(label="Until", required=False, help_text="Empty: for good.")


class MatchForm(forms.Form):
    txn_type = forms.CharField(label="Event", max_length=20, required=False, widget=_text(list=KINDS))
    product = forms.CharField(max_length=40, required=False, widget=_text(placeholder="any"))
    channel = forms.CharField(max_length=20, required=False, widget=_text(placeholder="any"))
    min_amount = _amount(label="From amount")
    max_amount = _amount(label="To amount")
    condition = forms.CharField(max_length=500, required=False, widget=_text(placeholder=":amount > 0"))
    priority = forms.IntegerField(initial=100, widget=UnfoldAdminIntegerFieldWidget())

    def value(self) -> TemplateMatch:
        typed = self.cleaned_data
        return TemplateMatch(
            txn_type=typed["txn_type"],
            product=typed["product"] or None,
            channel=typed["channel"] or None,
            min_amount=typed["min_amount"],
            max_amount=typed["max_amount"],
            condition=typed["condition"] or None,
            priority=typed["priority"],
        )


class LineForm(forms.Form):
    number = forms.IntegerField(
        label="Line", min_value=1, max_value=9999, widget=UnfoldAdminIntegerFieldWidget()
    )
    side = forms.ChoiceField(choices=[("DR", "DR"), ("CR", "CR")], widget=UnfoldAdminSelectWidget())
    account = forms.CharField(max_length=40, required=False, widget=_text(list=ACCOUNTS))
    fund = forms.CharField(max_length=10, initial="OP", widget=_text())
    amount = forms.CharField(max_length=500, widget=_text(placeholder=":amount"))
    condition = forms.CharField(max_length=500, required=False, widget=_text(placeholder="always"))
    places = forms.IntegerField(
        label="Decimals", initial=2, min_value=0, max_value=6, widget=UnfoldAdminIntegerFieldWidget()
    )
    memo = forms.CharField(max_length=120, required=False, widget=_text())

    def value(self) -> TemplateLine:
        typed = self.cleaned_data
        return TemplateLine(
            number=typed["number"],
            side=typed["side"],
            account=typed["account"],
            fund=typed["fund"],
            amount=typed["amount"],
            condition=typed["condition"] or None,
            places=typed["places"],
            memo=typed["memo"],
        )


class ControlForm(forms.Form):
    action = forms.ChoiceField(
        label="When debits and credits differ",
        choices=[("ERROR", "Refuse the event"), ("AUTO_ADJUST", "Book the difference")],
        widget=UnfoldAdminSelectWidget(),
    )
    tolerance = _amount(label="Up to")
    adjust_account = forms.CharField(
        label="On account", max_length=40, required=False, widget=_text(list=ACCOUNTS)
    )
    adjust_fund = forms.CharField(label="In fund", max_length=10, required=False, widget=_text())

    def value(self) -> TemplateControl:
        typed = self.cleaned_data
        return TemplateControl(
            tolerance=typed["tolerance"] if typed["tolerance"] is not None else Decimal(0),
            action=typed["action"],
            adjust_account=typed["adjust_account"] or None,
            adjust_fund=typed["adjust_fund"],
        )


class Rows(BaseFormSet):
    """Rows that all count, also those that were sent as they were shown."""

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        return super()._construct_form(i, **{**kwargs, "empty_permitted": False})  # type: ignore[misc]


_SET: dict[str, Any] = {"formset": Rows, "extra": 0, "can_delete": True}
_Matches = formset_factory(MatchForm, max_num=MOST_PARTS, validate_max=True, **_SET)
_Lines = formset_factory(LineForm, max_num=MOST_PARTS, validate_max=True, **_SET)


class EventForm(forms.Form):
    """One event to try a template on. Its amounts are the columns of the pack."""

    txn_type = forms.CharField(label="Event", max_length=20, widget=_text(list=KINDS))
    product = forms.CharField(max_length=40, required=False, widget=_text())
    channel = forms.CharField(max_length=20, required=False, widget=_text())
    on = _day(label="Date")

    def __init__(self, data: Any, *, pack: str, initial: Mapping[str, object]) -> None:
        super().__init__(data, prefix="event", initial=dict(initial))
        self.amounts = list(amount_columns(pack))
        for name, places in amount_columns(pack).items():
            self.fields[name] = forms.DecimalField(
                label=name.replace("_", " ").capitalize(),
                required=name == "amount",
                max_digits=12 + places,
                decimal_places=places,
                widget=_text(inputmode="decimal"),
            )

    def value(self) -> dict[str, object]:
        return dict(self.cleaned_data)


def first_event(template: JournalTemplate, *, on: date) -> dict[str, object]:
    """What the event form begins with: an event that the first match takes."""
    on = max(on, template.effective_from)
    if template.effective_to is not None:
        on = min(on, template.effective_to)
    if not template.matches:
        return {"on": on}
    match = template.matches[0]
    return {
        "txn_type": match.txn_type,
        "product": match.product or "",
        "channel": match.channel or "",
        "on": on,
        "amount": max(Decimal("100.00"), match.min_amount or Decimal(0)),
    }


class TemplateForms:
    """All forms of a draft's page, of what is stored (`stored`) or of what was sent (`data`)."""

    def __init__(self, stored: JournalTemplate, pack: str, *, on: date, data: Any = None) -> None:
        self.stored = stored
        control = {name: _shown(value) for name, value in vars(stored.control).items()}
        first = {
            "description": stored.description,
            "effective_from": stored.effective_from,
            "effective_to": stored.effective_to,
        }
        self.head = HeadForm(data, initial=first)
        self.matches = _Matches(data, prefix="matches", initial=[_initial(each) for each in stored.matches])
        self.lines = _Lines(data, prefix="lines", initial=[_initial(each) for each in stored.lines])
        self.control = ControlForm(data, prefix="control", initial=control)
        self.event = EventForm(data, pack=pack, initial=first_event(stored, on=on))

    @property
    def content_forms(self) -> Sequence[Any]:
        return self.head, self.matches, self.lines, self.control

    def is_valid(self) -> bool:
        valid = [
            form.is_valid() for form in self.content_forms
        ]  # each of them, so that each says what is wrong
        return all(valid)

    def content(self) -> JournalTemplate:
        """What was typed, once it is valid; lines and matches that are marked for removal are left out."""
        head = self.head.cleaned_data
        return JournalTemplate(
            code=self.stored.code,
            version=self.stored.version,
            description=head["description"],
            effective_from=head["effective_from"],
            effective_to=head["effective_to"],
            matches=tuple(form.value() for form in _kept(self.matches)),
            lines=tuple(form.value() for form in _kept(self.lines)),
            control=self.control.value(),
            key=self.stored.key,
        )

    def show(self, problems: Iterable[TemplateProblem]) -> list[TemplateProblem]:
        """Put each problem beside the field it belongs to; returns those that belong to none."""
        problems = list(problems)
        left: list[TemplateProblem] = []
        if not problems:
            return left
        matches, lines = list(_kept(self.matches)), list(_kept(self.lines))
        for problem in problems:
            form = self._form_of(problem, matches, lines)
            if form is None or problem.field not in form.fields:
                left.append(problem)
            else:
                form.problems = [*getattr(form, "problems", ()), problem]
        return left

    def _form_of(self, problem: TemplateProblem, matches: list[Any], lines: list[Any]) -> Any:
        if (problem.code, problem.version) != (self.stored.code, self.stored.version):
            return None
        where, _, number = problem.where.partition(" ")
        if where == "match":
            return matches[int(number) - 1]
        if where == "line":
            return next((form for form in lines if _number(form) == int(number)), None)
        return self.control if where == "control" else self.head


def one_more(data: Mapping[str, Any], prefix: str) -> MultiValueDict[str, Any]:
    """What was sent, with an empty row more at the end of one of the sets."""
    changed = MultiValueDict({name: data.getlist(name) for name in data})  # type: ignore[attr-defined]
    total = f"{prefix}-TOTAL_FORMS"
    count = int(data.get(total) or 0) if str(data.get(total) or 0).isdigit() else 0
    if count >= MOST_PARTS:
        return changed
    changed[total] = str(count + 1)
    numbers = [
        int(value) for name, value in data.items() if name.endswith("-number") and str(value).isdigit()
    ]
    new = (
        {"number": max(numbers, default=0) + 1, "side": "CR" if numbers else "DR", "amount": ":amount"}
        | {"fund": "OP", "places": 2}
        if prefix == "lines"
        else {"priority": 100}
    )
    for name, value in new.items():
        changed[f"{prefix}-{count}-{name}"] = str(value)
    return changed


def _number(form: Any) -> int | None:
    """The number of a line's form, typed or stored."""
    typed = (
        form.cleaned_data.get("number") if form.is_bound and form.is_valid() else form.initial.get("number")
    )
    return None if typed is None else int(typed)


def _kept(formset: Any) -> Iterable[Any]:
    """The rows that stay; of a set that was not sent, all of them."""
    return [form for form in formset if not (form.is_bound and formset._should_delete_form(form))]


def _initial(part: Any) -> dict[str, Any]:
    return {name: _shown(value) for name, value in vars(part).items()}


def _shown(value: Any) -> Any:
    """A stored amount without the zeros it was stored with."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value
