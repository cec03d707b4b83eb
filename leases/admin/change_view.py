"""How a change of a lease goes at the desk: a form, its exact effect to confirm, and back to the lease's page."""

import hashlib
import json
import uuid
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.utils import timezone

from batconnect.common.errors import BatConnectError, ConflictingState
from batconnect.common.idempotency import Answer, run_once
from batconnect.common.screens import Cell, Detail, day, money
from batconnect.common.transactions import money_transaction
from batconnect.common.weeks import local_date
from leases import services
from leases.api.rows import effect_facts

from .base import ServiceFormView
from .effects import Facts, effect_detail

_LONGEST_TOKEN = 64
_OURS = ("csrfmiddlewaretoken", "token", "shown", "confirmed", "again")


class EffectChanged(ConflictingState):
    code = "lease.effect_changed"
    message = (
        "Something changed since you looked, so nothing was done. This is the effect as it would be now."
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

    def leads_to(self, effect: Any) -> Any:
        """Whose page is shown afterwards."""
        return self.subject.pk

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
            return Answer(200, {"told": self.told(made), "to": self.leads_to(made)})

        # Clicked twice, it is one change.
        answer = money_transaction(run_once)(
            scope=f"{self.actor.pk}:admin:{type(self).__name__}:{self.subject.pk if self.subject else 0}",
            key=post.get("token", "")[:_LONGEST_TOKEN] or uuid.uuid4().hex,
            request=dict(_entered(post)),
            effect=effect,
        )
        messages.success(self.request, answer.body["told"])
        return HttpResponseRedirect(self._page("change", answer.body["to"]))

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
