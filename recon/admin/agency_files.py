"""Files of tolls and summonses: sent, loaded, and what became of their rows."""

import tempfile
from pathlib import Path

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesCheckboxFilter
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.models import User
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    admin_url,
    list_url,
    moment,
    moment_column,
    money_cell,
    text_column,
)
from batconnect.common.weeks import local_date

from ..models import AgencyFile, AgencyItem, AgencyKind
from ..selectors.agency import counts_by_state
from ..services.agency.importing import AgencyImport, import_file
from .parts import actor_of

LARGEST_UPLOAD = 50 * 1024 * 1024
SHOWN_REJECTS = 100
HINT = (
    "What is certain is charged at once, in the open week, under the day it happened; the rest waits for a person. "
    "Rows that were loaded before are recognised and left alone."
)
KINDS = [(AgencyKind.EZPASS, "E-ZPass statement"), (AgencyKind.PVB, "Parking violations (PVB)")]


class UploadForm(forms.Form):
    """A file as the agency exports it."""

    kind = forms.ChoiceField(label="What it is", choices=KINDS, widget=UnfoldAdminSelectWidget)
    file = forms.FileField(
        label="File (CSV)", widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"})
    )

    def clean_file(self) -> UploadedFile:
        file: UploadedFile = self.cleaned_data["file"]
        if (file.size or 0) > LARGEST_UPLOAD:
            raise forms.ValidationError(
                "Files above 50 MB are loaded on the server: manage.py import_tolls FILE."
            )
        return file


@admin.register(AgencyFile)
class AgencyFileAdmin(ReadOnlyAdmin):
    """Every file of tolls or tickets that was loaded."""

    empty_note = "A statement of tolls or tickets is loaded under Import tolls, tickets."
    list_display = (
        text_column("file_name", "File", ordering="file_name"),
        text_column("kind", "Kind"),
        moment_column("created_at", "Loaded", ordering="id"),
        text_column("created_by__username", "By"),
        text_column("rows", "Rows"),
        text_column("new", "New"),
        text_column("repeated", "Known before"),
        text_column("rejected", "Not readable"),
    )
    list_select_related = ("created_by",)
    list_filter = (("kind", ChoicesCheckboxFilter),)
    search_fields = ("file_name", "=sha256")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.upload_view)
        return [path("upload/", view, name="recon_agencyfile_upload"), *super().get_urls()]

    def detail(self, request: HttpRequest, record: AgencyFile) -> Detail:
        items = AgencyItem.objects.filter(file=record)
        states = counts_by_state(items)
        rows = [
            [
                Cell(label, list_url(AgencyItem, f"file__exact={record.pk}&state__exact={state}")),
                Cell(f"{number:,}", look="money"),
                money_cell(amount),
            ]
            for state, label, number, amount in states
        ]
        footer = [
            Cell("Together"),
            Cell(f"{sum(number for _, _, number, _ in states):,}", look="money strong"),
            money_cell(sum(amount for *_, amount in states), look="strong"),
        ]
        return Detail(
            title=record.file_name,
            subtitle=str(record.get_kind_display()),
            figures=[
                ("Rows", Cell(f"{record.rows:,}")),
                ("New", Cell(f"{record.new:,}", list_url(AgencyItem, f"file__exact={record.pk}"))),
                ("Known before", Cell(f"{record.repeated:,}")),
                ("Not readable", Cell(f"{record.rejected:,}", look="warn" if record.rejected else "")),
            ],
            facts=[
                ("Loaded", Cell(f"{moment(record.created_at)} by {record.created_by}")),
                ("Fingerprint (SHA-256)", Cell(record.sha256)),
            ],
            tables=[
                Table(
                    "How its rows stand now", ["State", "#Rows", "#Amount"], rows, empty="None was new.",
                    footer=footer if rows else (), note="Amounts as they came, before anything was paid.",
                ),
                _rejects_table(record),
            ],
        )  # fmt: skip

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """Take a file, load it, and lead to what became of it."""
        if not request.user.has_perm("recon.import_agencyfile"):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                result = _load(form.cleaned_data["kind"], form.cleaned_data["file"], actor_of(request))
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _told(result))
                seen = request.user.has_perm("recon.view_agencyfile")
                return HttpResponseRedirect(admin_url(result.file) if seen else request.path)
        actions = [Action("Files loaded before", list_url(AgencyFile))]
        return self.render(
            request, "admin/form_page.html", title="Import tolls and tickets", form=form,
            submit_label="Load this file",
            detail=Detail(title="Import tolls and tickets", subtitle=HINT, actions=actions),
        )  # fmt: skip


def _load(kind: str, file: UploadedFile, actor: User) -> AgencyImport:
    with tempfile.NamedTemporaryFile(suffix=".csv") as copy:
        for chunk in file.chunks():
            copy.write(chunk)
        copy.flush()
        return import_file(
            kind=kind, path=Path(copy.name), actor=actor, on=local_date(timezone.now()),
            file_name=file.name or "upload.csv",
        )  # fmt: skip


def _told(result: AgencyImport) -> str:
    kept = result.file
    posted = result.ended.get("POSTED")
    told = f"{kept.new:,} of {kept.rows:,} rows were new; {posted.rows if posted else 0:,} are charged"
    waits = sum(
        end.rows for state, end in result.ended.items() if state in ("REVIEW", "UNASSIGNED", "CREDIT")
    )
    told += f", {waits:,} wait for a person"
    if kept.rejected:
        told += f", {kept.rejected:,} could not be read"
    return f"{told}."


def _rejects_table(record: AgencyFile) -> Table:
    rejects = list(record.rejects.order_by("row_number")[:SHOWN_REJECTS])
    rows = [
        [Cell(f"{one.row_number:,}"), Cell(one.column), Cell(one.message, look="long")] for one in rejects
    ]
    note = f"The first {SHOWN_REJECTS:,} of {record.rejected:,}." if record.rejected > SHOWN_REJECTS else ""
    empty = "Every row could be read."
    return Table("What could not be read", ["Row", "Column", "What is wrong"], rows, empty=empty, note=note)
