"""Fetches of trips: the list, how one ended and what to do about it, what was fetched, and fetching now."""

from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesCheckboxFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    admin_url,
    label_column,
    list_url,
    moment,
    moment_column,
    money_cell,
    text_column,
)
from batconnect.jobs.models import JobRun

from ..models import CurbFetch
from ..services.curb_fetches import FetchUnset, check_window, evidence, next_window
from ..tasks import FETCH, start_fetch
from .parts import actor_of, audit_table, may

TONES = {"RUNNING": "warning", "DONE": "success", "FAILED": "danger"}
# What a person can do about a failure, by its code; the message itself says what went wrong.
ADVICE = {
    "recon.source_unreachable": "Nothing has to be done at once: the next fetch asks for the same hours again. If it "
    "goes on, ask the processor whether its API is up, and whether the token is still good.",
    "recon.bad_mapping": "Set the token's variable for the server and the workers, and start them again.",
    "recon.host_not_allowed": "Only hosts in RECON_API_HOSTS are called. Check the address with the processor before "
    "another one is allowed.",
    "recon.bad_file": "The processor answers otherwise than it did. Ask it what was changed, then set CURB_TRIPS_… "
    "as it must be.",
    "recon.control_totals": "The processor sent fewer trips than it said. Fetch the window again; nothing of it was "
    "imported.",
    "curb.lost": "Nothing has to be done: the next fetch asks for the same hours again.",
}
OTHERWISE = "Nothing of it was imported. Fetch the window again, or import the processor's file by hand."


class FetchForm(forms.Form):
    """Which hours; empty is from some hours before the last one's end, until now."""

    begin = forms.DateTimeField(
        label="From",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
    )
    end = forms.DateTimeField(
        label="Until",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
        help_text="New York time. Trips that were loaded before are recognised and left alone.",
    )


@display(description="New")
def _new(fetch: CurbFetch) -> str:
    return f"{fetch.batch.accepted:,}" if fetch.batch else "–"


@display(description="Parked")
def _parked(fetch: CurbFetch) -> str:
    return f"{fetch.batch.rejected:,}" if fetch.batch else "–"


@display(description="Rows")
def _rows(fetch: CurbFetch) -> str:
    return f"{fetch.rows:,}"


@admin.register(CurbFetch)
class CurbFetchAdmin(ReadOnlyAdmin):
    """What was fetched from the processor, and how it went."""

    empty_note = "Trips are fetched from the processor every hour once CURB_TRIPS_URL is set."
    list_display = (
        moment_column("started_at", "Fetched", ordering="id"),
        moment_column("window_from", "From"),
        moment_column("window_to", "Until"),
        label_column("status", "Status", TONES),
        _rows,
        _new,
        _parked,
        text_column("started_by__username", "By"),
    )
    list_filter = (("status", ChoicesCheckboxFilter),)
    list_select_related = ("batch", "started_by")
    actions_list = ["new_fetch"]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("fetch/", view(self.fetch_view), name="recon_curbfetch_fetch"),
            path("<int:fetch_id>/file/", view(self.file_view), name="recon_curbfetch_file"),
            *super().get_urls(),
        ]

    def has_fetch_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return may(request, "fetch_curb")

    @action(description="Fetch now", url_path="new", permissions=["fetch"])
    def new_fetch(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:recon_curbfetch_fetch"))

    def fetch_view(self, request: HttpRequest) -> HttpResponse:
        """Choose the hours, or leave them; a worker does the rest."""
        if not may(request, "fetch_curb"):
            raise PermissionDenied
        form = FetchForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                job = _started(request, form.cleaned_data["begin"], form.cleaned_data["end"])
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, "Trips are being fetched.")
                return HttpResponseRedirect(admin_url(job) if may_see_jobs(request) else list_url(CurbFetch))
        begin, end = next_window(timezone.now())
        detail = Detail(
            title="Fetch trips",
            subtitle=f"From the processor's API. Without hours: {moment(begin)} to {moment(end)}.",
        )
        return self.render(
            request, "admin/form_page.html", title=detail.title, detail=detail, form=form,
            refused="" if settings.CURB_TRIPS_URL else str(FetchUnset()),
            submit_label="Fetch", cancel_url=list_url(CurbFetch),
        )  # fmt: skip

    def file_view(self, request: HttpRequest, fetch_id: int) -> HttpResponseBase:
        """Every page as it came, and the table made of them."""
        if not self.has_view_permission(request) or not request.user.has_perm(
            "ledger.view_sourcetransaction"
        ):
            raise PermissionDenied
        fetch = get_object_or_404(CurbFetch, pk=fetch_id)
        try:
            path_ = evidence(fetch)
        except BatConnectError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(admin_url(fetch))
        return FileResponse(path_.open("rb"), as_attachment=True, filename=fetch.file)

    def detail(self, request: HttpRequest, record: CurbFetch) -> Detail:
        failed = record.status == CurbFetch.Status.FAILED
        actions = []
        if may(request, "fetch_curb"):
            actions.append(Action("Fetch again…", reverse("admin:recon_curbfetch_fetch"), look="primary"))
        if record.file and request.user.has_perm("ledger.view_sourcetransaction"):
            actions.append(
                Action("What was fetched", reverse("admin:recon_curbfetch_file", args=[record.pk]))
            )
        tables = [_batch_table(record)] if record.batch else []
        texts = [("What went wrong", record.error), ("What to do", ADVICE.get(record.error_code, OTHERWISE))]
        return Detail(
            title=f"Trips of {moment(record.window_from)} to {moment(record.window_to)}",
            subtitle=f"Fetch {record.pk}, {moment(record.started_at)} by {record.started_by}",
            badges=[(str(record.get_status_display()), TONES[record.status])],
            figures=[
                ("Pages", Cell(f"{record.pages:,}", look="money")),
                ("Rows", Cell(f"{record.rows:,}", look="money")),
            ],
            facts=[
                ("Ended", Cell(moment(record.ended_at))),
                *([("Fingerprint (SHA-256)", Cell(record.sha256, look="long"))] if record.sha256 else []),
            ],
            tables=[*tables, audit_table(f"curb_fetch:{record.pk}")],
            texts=texts if failed else [],
            actions=actions,
        )


def may_see_jobs(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("jobs.view_jobrun"))


def _started(request: HttpRequest, begin: datetime | None, end: datetime | None) -> JobRun:
    check_window(now=timezone.now(), begin=begin, end=end)
    live = JobRun.objects.filter(
        kind=FETCH, status__in=[JobRun.Status.PENDING, JobRun.Status.RUNNING]
    ).first()
    return live if live and not (begin or end) else start_fetch(actor=actor_of(request), begin=begin, end=end)


def _batch_table(fetch: CurbFetch) -> Table:
    batch = fetch.batch
    assert batch is not None
    rows = [
        [Cell("New"), Cell(f"{batch.accepted:,}", look="money")],
        [Cell("Known before"), Cell(f"{batch.duplicates:,}", look="money")],
        [Cell("Parked for a person"), Cell(f"{batch.rejected:,}", look="money")],
        [Cell("Card earnings"), money_cell(batch.card_earnings)],
        [Cell("Taxes"), money_cell(batch.taxes)],
    ]
    return Table("What was imported", ["", "#"], rows, more=Cell("The import", admin_url(batch)))
