"""Journal templates: read them, try an event on one, write a new version, approve what somebody else wrote."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesCheckboxFilter
from unfold.decorators import display

from batconnect.common.errors import BatConnectError
from batconnect.common.screens import (
    Cell,
    Detail,
    Table,
    admin_url,
    label_column,
    text_column,
)
from ledger.engine.engine import TemplateError
from ledger.engine.templates import JournalTemplate as Content
from ledger.models import Account, JournalTemplate, JournalTemplateMatch
from ledger.services import templates
from ledger.services.accounting_policy import as_template
from ledger.services.template_checks import Preview, preview, problems_of

from . import template_parts
from .posting_parts import audit_table
from .template_decisions import DecisionPages, actions, require, today
from .template_forms import EventForm, NewTemplateForm, TemplateForms, first_event, one_more

DRAFT = JournalTemplate.Status.DRAFT
PARTS = ("matches", "lines")


@admin.register(JournalTemplate)
class JournalTemplateAdmin(DecisionPages):
    """Which lines an event gives. Only drafts are written; what is in force is changed by a new version."""

    list_display = ("name", "pack", label_column("status", "Status", template_parts.TONES), "in_force", "events",
                    text_column("description", "Description"))  # fmt: skip
    list_filter = (("status", ChoicesCheckboxFilter), "pack")
    search_fields = ("code", "description", "matches__txn_type", "matches__product", "lines__account__code")
    search_help_text = "Code, description, event, product or account"

    @display(description="Template", ordering="code")
    def name(self, record: JournalTemplate) -> str:
        return str(record)

    @display(description="In force", ordering="effective_from")
    def in_force(self, record: JournalTemplate) -> str:
        return template_parts.period(record) if record.status != DRAFT else "not yet"

    @display(description="Events")
    def events(self, record: JournalTemplate) -> str:
        return template_parts.summary_of_matches(record)

    def get_queryset(self, request: HttpRequest) -> Any:
        found = (
            super()
            .get_queryset(request)
            .select_related("created_by", "approved_by", "control__adjust_account")
        )
        return found.prefetch_related("matches", "lines__account")

    def get_urls(self) -> list[URLPattern]:
        pages = [
            ("new-version", require_POST(self.version_view)),
            ("approve", self.approve_view),
            ("retire", self.retire_view),
        ]
        return [
            *(
                path(
                    f"<int:template_id>/{name}/",
                    self.admin_site.admin_view(view),
                    name=f"ledger_journaltemplate_{name.replace('-', '_')}",
                )
                for name, view in pages
            ),
            *super().get_urls(),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ledger.add_journaltemplate")

    # --- reading, trying and writing ------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        require(request, "ledger.add_journaltemplate")
        form = NewTemplateForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                made = templates.create_template(
                    **form.cleaned_data,
                    effective_from=today(),
                    actor=request.user,  # type: ignore[arg-type]
                )
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(
                    request, f"{made} is a draft. Say now which events it is for, and which lines it gives."
                )
                return HttpResponseRedirect(admin_url(made))
        return self.render(
            request,
            "admin/form_page.html",
            title="New journal template",
            form=form,
            submit_label="Begin the draft",
            cancel_url=reverse("admin:ledger_journaltemplate_changelist"),
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        record = self.get_object(request, object_id)
        if not self.has_view_permission(request, record):
            raise PermissionDenied
        if record is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if record.status == DRAFT and request.user.has_perm("ledger.change_journaltemplate"):
            return self._editor(request, record)
        return self._reader(request, record)

    def _reader(self, request: HttpRequest, record: JournalTemplate) -> HttpResponse:
        content = as_template(record)
        event = EventForm(
            request.POST if "preview" in request.POST else None,
            pack=record.pack,
            initial=first_event(content, on=today()),
        )
        if request.method == "POST" and "preview" not in request.POST:
            raise PermissionDenied
        shown = (
            preview(content, pack=record.pack, event=event.value())
            if event.is_bound and event.is_valid()
            else None
        )
        return self._page(
            request,
            record,
            tables=[*template_parts.content_tables(content)],
            below=[_versions(record), audit_table(templates.subject(record))],
            problems=templates.check(record) if record.status == DRAFT else [],
            event=event,
            shown=shown,
        )

    def _editor(self, request: HttpRequest, record: JournalTemplate) -> HttpResponse:
        stored = as_template(record)
        if request.method != "POST":
            forms_ = TemplateForms(stored, record.pack, on=today())
            return self._edit_page(request, record, forms_, content=stored)
        part = request.POST.get("add")
        if part in PARTS:
            data = one_more(request.POST, part)
            forms_ = TemplateForms(stored, record.pack, on=today(), data=data)
            return self._edit_page(request, record, forms_, content=None, quiet=True)
        forms_ = TemplateForms(stored, record.pack, on=today(), data=request.POST)
        if not forms_.is_valid():
            messages.error(request, "Nothing was saved: see the fields that are marked.")
            return self._edit_page(request, record, forms_, content=None)
        content = forms_.content()
        if "preview" in request.POST:
            shown = (
                preview(content, pack=record.pack, event=forms_.event.value())
                if forms_.event.is_valid()
                else None
            )
            return self._edit_page(request, record, forms_, content=content, shown=shown)
        try:
            templates.save_draft(template_id=record.pk, content=content, actor=request.user)  # type: ignore[arg-type]
        except TemplateError as error:
            messages.error(request, "Nothing was saved: see what is marked.")
            return self._edit_page(request, record, forms_, content=None, problems=error.problems)
        except BatConnectError as error:
            messages.error(request, str(error))
            return self._edit_page(request, record, forms_, content=content)
        messages.success(request, f"{record} is saved.")
        return HttpResponseRedirect(admin_url(record))

    def _edit_page(
        self,
        request: HttpRequest,
        record: JournalTemplate,
        forms_: TemplateForms,
        *,
        content: Content | None,
        problems: Sequence[Any] = (),
        shown: Preview | None = None,
        quiet: bool = False,
    ) -> HttpResponse:
        problems = problems or (problems_of(content, record.pack) if content else [])
        return self._page(
            request,
            record,
            forms=forms_,
            quiet=quiet,
            problems=forms_.show(problems),
            problem_count=len(problems),
            places=list(dict.fromkeys(f"{each.where}, {each.field}" for each in problems)),
            event=forms_.event,
            shown=shown,
            accounts=Account.objects.filter(kind=None, active=True).only("code", "name"),
            below=[_versions(record), audit_table(templates.subject(record))],
        )

    def _page(
        self, request: HttpRequest, record: JournalTemplate, *, shown: Preview | None, **context: Any
    ) -> HttpResponse:
        return self.render(
            request,
            "admin/ledger/journal_template.html",
            title=str(record),
            detail=Detail(
                title=f"{record}",
                subtitle=record.description,
                badges=template_parts.state(record, on=today()),
                facts=template_parts.facts(record),
                actions=actions(request, record),
            ),
            shown=shown,
            preview_tables=template_parts.preview_tables(shown) if shown and shown.lines else [],
            kinds=_kinds(record.pack),
            record=record,
            may_copy=record.status != DRAFT and self.has_add_permission(request),
            **{"tables": [], **context},
        )

    # --- versions; approval and retirement are in template_decisions.py -----------------------------------------

    def version_view(self, request: HttpRequest, template_id: int) -> HttpResponse:
        require(request, "ledger.add_journaltemplate")
        record = get_object_or_404(JournalTemplate, pk=template_id)
        try:
            draft = templates.new_version(template_id=template_id, actor=request.user, on=today())  # type: ignore[arg-type]
        except templates.DraftExists as error:
            messages.warning(request, str(error))
            draft = JournalTemplate.objects.filter(code=record.code, status=DRAFT).latest("version")
        return HttpResponseRedirect(admin_url(draft))


def _versions(record: JournalTemplate) -> Table:
    rows = [
        [
            Cell(str(each), admin_url(each) if each.pk != record.pk else ""),
            Cell(each.get_status_display()),
            Cell(template_parts.period(each)),
            Cell(str(each.created_by)),
            Cell(str(each.approved_by or "–")),
        ]
        for each in JournalTemplate.objects.filter(code=record.code)
        .select_related("created_by", "approved_by")
        .order_by("-version")
    ]
    return Table("Versions", ["Version", "Status", "In force", "Written by", "Approved by"], rows)


def _kinds(pack: str) -> list[str]:
    """The events that the pack's templates know already, as suggestions."""
    found = JournalTemplateMatch.objects.filter(template__pack=pack).order_by("txn_type")
    return list(found.values_list("txn_type", flat=True).distinct())
