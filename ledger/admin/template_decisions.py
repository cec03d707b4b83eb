"""Deciding on a journal template: what a version changes, approving it, and retiring one."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from unfold.widgets import UnfoldAdminSingleDateWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.screens import Action, Detail, ReadOnlyAdmin, Table, admin_url, day
from batconnect.common.weeks import local_date
from ledger.engine.engine import TemplateError
from ledger.engine.templates import JournalTemplate as Content
from ledger.models import JournalTemplate
from ledger.services import templates
from ledger.services.accounting_policy import as_template

from . import template_parts

DRAFT, ACTIVE = JournalTemplate.Status.DRAFT, JournalTemplate.Status.ACTIVE
EFFECTS = (
    "What is dated then or later is booked by this version; what was booked before stands, and a void takes "
    "back what was booked then."
)


class DayForm(forms.Form):
    day = forms.DateField(widget=UnfoldAdminSingleDateWidget(attrs={"type": "date"}))


class DecisionPages(ReadOnlyAdmin):
    """The pages on which somebody other than the author decides."""

    def approve_view(self, request: HttpRequest, template_id: int) -> HttpResponse:
        """Show what a version changes and from when, then bring it into force."""
        require(request, "ledger.approve_journaltemplate")
        record = get_object_or_404(self.get_queryset(request), pk=template_id)
        earliest = templates.earliest_day(record.code, on=today())
        first = max(record.effective_from, earliest)
        form = DayForm(request.POST or None, initial={"day": first})
        form.fields["day"].label = "In force from"
        form.fields["day"].help_text = f"{day(earliest)} or later. " + EFFECTS
        if request.method == "POST" and form.is_valid():
            try:
                templates.approve_template(
                    template_id=template_id,
                    effective_from=form.cleaned_data["day"],
                    actor=request.user,  # type: ignore[arg-type]
                    on=today(),
                )
            except TemplateError as error:
                for problem in error.problems:
                    form.add_error(None, str(problem))
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(
                    request,
                    f"{record} is approved, and in force from {day(form.cleaned_data['day'])} on.",
                )
                return HttpResponseRedirect(admin_url(record))
        content = as_template(record)
        return self._decision(
            request,
            record,
            form,
            f"Approve {record}?",
            tables=[
                template_parts.changes(_before(record), content),
                *template_parts.content_tables(content),
            ],
            refused=_why_not_approved(record, request.user, first),
            submit_label="Approve",
        )

    def retire_view(self, request: HttpRequest, template_id: int) -> HttpResponse:
        """End a version without another in its place."""
        require(request, "ledger.approve_journaltemplate")
        record = get_object_or_404(self.get_queryset(request), pk=template_id)
        form = DayForm(request.POST or None, initial={"day": today()})
        form.fields["day"].label = "Last day"
        form.fields[
            "day"
        ].help_text = (
            "Afterwards its events go to other templates that fit them; those that none fits are refused."
        )
        if request.method == "POST" and form.is_valid():
            try:
                templates.retire_template(
                    template_id=template_id,
                    last_day=form.cleaned_data["day"],
                    actor=request.user,  # type: ignore[arg-type]
                    on=today(),
                )
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(
                    request, f"{record} is retired; its last day is {day(form.cleaned_data['day'])}."
                )
                return HttpResponseRedirect(admin_url(record))
        refused = "" if record.status == ACTIVE else f"{record} is not in force."
        if templates.wrote(record, request.user.pk):
            refused = str(templates.OwnTemplate(template=record))
        return self._decision(
            request,
            record,
            form,
            f"Retire {record}?",
            tables=template_parts.content_tables(as_template(record)),
            refused=refused,
            submit_label="Retire",
            submit_look="danger",
        )

    def _decision(
        self,
        request: HttpRequest,
        record: JournalTemplate,
        form: DayForm,
        title: str,
        *,
        tables: Sequence[Table],
        refused: str,
        **context: Any,
    ) -> HttpResponse:
        return self.render(
            request,
            "admin/form_page.html",
            title=title,
            detail=Detail(
                title=title,
                subtitle=record.description,
                badges=template_parts.state(record, on=today()),
                facts=template_parts.facts(record),
                tables=tables,
            ),
            refused=refused,
            form=None if refused else form,
            cancel_url=admin_url(record),
            **context,
        )


def require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def today() -> date:
    return local_date(timezone.now())


def actions(request: HttpRequest, record: JournalTemplate) -> list[Action]:
    """What a decider may do with this version; its own page says why not."""
    if not request.user.has_perm("ledger.approve_journaltemplate"):
        return []
    if record.status == DRAFT:
        page = reverse("admin:ledger_journaltemplate_approve", args=[record.pk])
        return [Action("See what changes, and approve…", page)]
    if record.status == ACTIVE and not templates.wrote(record, request.user.pk):
        return [Action("Retire…", reverse("admin:ledger_journaltemplate_retire", args=[record.pk]))]
    return []


def _why_not_approved(record: JournalTemplate, user: Any, first: date) -> str:
    if record.status != DRAFT:
        return f"{record} is not a draft; there is nothing to approve."
    if templates.wrote(record, user.pk):
        return str(templates.OwnTemplate(template=record))
    problems = templates.check(record, effective_from=first)
    if problems:
        return "It cannot come into force yet. " + "; ".join(map(str, problems))
    return ""


def _before(record: JournalTemplate) -> Content | None:
    """The version that was the last one approved before this one was written."""
    older = (
        JournalTemplate.objects.filter(code=record.code, version__lt=record.version)
        .exclude(status=DRAFT)
        .order_by("-version")
        .first()
    )
    return as_template(older) if older else None
