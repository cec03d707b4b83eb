"""What came in: files of trips and of other packs' rows, what is wrong with some, and the source rows themselves."""

import tempfile
from pathlib import Path

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.widgets import UnfoldAdminFileFieldWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.models import User
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    admin_url,
    day,
    list_url,
    moment,
    moment_column,
    money_cell,
    money_column,
    text_column,
)
from batconnect.exports.download import as_download
from ledger import batch_jobs
from ledger.models import ImportBatch, ParkedRow, SourceTransaction
from ledger.selectors.week_warnings import not_journalised
from ledger.services import trips
from ledger.services.accounting_policy import FLEET_PACK
from ledger.services.batch_files import import_rejects_table
from ledger.services.batch_uploads import receive_upload
from ledger.services.trip_loading import TripImport

from .pack_files import entry_facts, pack_file, runs_table
from .posting_parts import link, payment_type
from .search import AccountSearchAdmin

LARGEST_UPLOAD = 200 * 1024 * 1024
# Some 130,000 trips: a larger file is loaded by a worker, and nobody waits for the page.
AT_ONCE = 16 * 1024 * 1024
SHOWN_PARKED = 50
REJECT_FILES = {"xlsx": "excel", "csv": "csv"}
TRIPS = "curb"  # the source of trips; other sources are packs
UPLOAD_HINT = (
    "You see at once what was accepted and what needs a person. Nothing is settled before the weekly run."
)
PARTS = (
    "fare",
    "extras",
    "tips",
    "tolls",
    "mta_tax",
    "improvement_surcharge",
    "congestion_fee",
    "airport_fee",
    "cbd_toll",
)
TAKAFUL_PARTS = ("tabarru_amount", "tanahud_amount", "invest_amount", "ujroh_amount", "admin_amount")


@admin.display(description="Paid by")
def paid_by(trip: SourceTransaction) -> str:
    return payment_type(trip.product_code)


class UploadForm(forms.Form):
    """A file of trips as CURB exports it."""

    file = forms.FileField(
        label="Trips (CSV)",
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}),
        help_text="CURB's columns. Rows that were loaded before are recognised and left alone.",
    )

    def clean_file(self) -> UploadedFile:
        file: UploadedFile = self.cleaned_data["file"]
        if (file.size or 0) > LARGEST_UPLOAD:
            raise forms.ValidationError(
                "Files above 200 MB are sent as a bulk run, or loaded on the server: manage.py import_trips FILE."
            )
        return file


@admin.register(ImportBatch)
class ImportBatchAdmin(ReadOnlyAdmin):
    """Every file that was loaded, and what became of its rows."""

    empty_note = "A file of trips is loaded under Import trips."
    list_display = (
        text_column("file_name", "File", ordering="file_name"),
        moment_column("created_at", "Loaded", ordering="id"),
        text_column("created_by__username", "By"),
        text_column("rows", "Rows"),
        text_column("accepted", "Accepted"),
        text_column("rejected", "Parked"),
        text_column("duplicates", "Known before"),
        money_column("card_earnings", "Card earnings"),
    )
    list_select_related = ("created_by",)
    list_filter = (("created_at", RangeDateTimeFilter),)
    search_fields = ("file_name", "=sha256")

    def get_urls(self) -> list[URLPattern]:
        upload = path(
            "upload/", self.admin_site.admin_view(self.upload_view), name="ledger_importbatch_upload"
        )
        rejects = path(
            "<int:batch_id>/rejects/<str:file_format>/",
            self.admin_site.admin_view(self.rejects_view),
            name="ledger_importbatch_rejects",
        )
        return [upload, rejects, *super().get_urls()]

    def rejects_view(self, request: HttpRequest, batch_id: int, file_format: str) -> HttpResponseBase:
        """What was wrong with the values of a pack's file, as a file."""
        if not (self.has_view_permission(request) or request.user.has_perm("ledger.post_batch")):
            raise PermissionDenied
        batch = get_object_or_404(ImportBatch, pk=batch_id)
        if file_format not in REJECT_FILES:
            raise Http404
        name = f"rejects-import-{batch.pk}"
        return as_download(import_rejects_table(batch), REJECT_FILES[file_format], name)

    def detail(self, request: HttpRequest, record: ImportBatch) -> Detail:
        if record.source != TRIPS:
            return pack_file(record)
        waiting = ParkedRow.objects.filter(batch=record).order_by("row_number")
        runs = runs_table(record)
        journalise = request.user.has_perm("ledger.post_batch") and not_journalised().exists()
        start = f"{reverse('admin:ledger_journalrun_start')}?pack={FLEET_PACK}"
        return Detail(
            title=record.file_name,
            figures=[
                ("Rows", Cell(f"{record.rows:,}")),
                (
                    "Accepted",
                    Cell(f"{record.accepted:,}", list_url(SourceTransaction, f"batch__exact={record.pk}")),
                ),
                ("Parked", Cell(f"{record.rejected:,}", list_url(ParkedRow, f"batch__exact={record.pk}"))),
                ("Known before", Cell(f"{record.duplicates:,}")),
                ("Card earnings", money_cell(record.card_earnings)),
                ("Taxes", money_cell(record.taxes)),
            ],
            facts=[
                ("Loaded", Cell(f"{moment(record.created_at)} by {record.created_by}")),
                ("Fingerprint (SHA-256)", Cell(record.sha256)),
            ],
            tables=[
                Table(
                    "Parked rows of this file",
                    ["Row", "Row id", "What is wrong", "Now"],
                    [
                        [
                            Cell(str(row.row_number), admin_url(row)),
                            Cell(row.source_rowid),
                            Cell(row.message),
                            Cell(row.get_status_display()),
                        ]
                        for row in waiting[:SHOWN_PARKED]
                    ],
                    empty="None: every row was accepted or known before.",
                    more=Cell(
                        "All parked rows of this file", list_url(ParkedRow, f"batch__exact={record.pk}")
                    ),
                ),
                *([runs] if runs.rows else []),
            ],
            actions=[Action("Journalise trips that wait…", start, look="primary")] if journalise else [],
        )

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """Take a file, load it, and lead to what became of it."""
        if not request.user.has_perm("ledger.import_trips"):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            file = form.cleaned_data["file"]
            if file.size > AT_ONCE and request.user.has_perm("ledger.post_batch"):
                return self._in_the_background(request, file)
            try:
                result = _load(file, request.user)  # type: ignore[arg-type]
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _told(result))
                return HttpResponseRedirect(
                    reverse("admin:ledger_importbatch_change", args=[result.batch_id])
                )
        return self.render(
            request,
            "admin/form_page.html",
            title="Import trips",
            detail=Detail(
                title="Import trips",
                subtitle=UPLOAD_HINT,
                actions=[Action("Files loaded before", list_url(ImportBatch))],
            ),
            form=form,
            submit_label="Load this file",
        )

    def _in_the_background(self, request: HttpRequest, file: UploadedFile) -> HttpResponse:
        """Have a worker load a large file and a bulk run journalise its trips; leads to how far it is."""
        upload = receive_upload(chunks=file.chunks(), name=file.name or "")
        job = batch_jobs.start_file(
            upload=upload.token,
            pack=FLEET_PACK,
            actor=request.user,  # type: ignore[arg-type]
            dry_run=False,
            accept_valid=False,
        )
        messages.info(
            request,
            "The file is large, so it is loaded in the background, and its trips get their entries by a bulk run.",
        )
        return HttpResponseRedirect(reverse("admin:ledger_journalrun_file", args=[job.pk]))


def _load(file: UploadedFile, actor: User) -> TripImport:
    """Small uploads live in memory; the service reads a file, so each gets one for the time of the load."""
    with tempfile.NamedTemporaryFile(suffix=".csv") as copy:
        for chunk in file.chunks():
            copy.write(chunk)
        copy.flush()
        return trips.import_trips(path=Path(copy.name), actor=actor, file_name=file.name or "upload.csv")


def _told(result: TripImport) -> str:
    told = f"{result.accepted:,} of {result.rows:,} rows were loaded"
    if result.duplicates:
        told += f", {result.duplicates:,} were known before"
    return f"{told}, {result.rejected:,} wait for a person." if result.rejected else f"{told}."


@admin.register(SourceTransaction)
class SourceTransactionAdmin(AccountSearchAdmin):
    """Trips, and rows of other packs, as they were loaded."""

    empty_note = "They come with a file under Import trips."
    list_select_related = ("driver", "medallion")
    list_display = (
        text_column("source_rowid", "Row id"),
        moment_column("started_at", "Started"),
        text_column("driver__name", "Driver"),
        text_column("medallion__number", "Medallion"),
        paid_by,
        money_column("gross_amount", "Total"),
    )
    search_help_text = "Driver's name or licence, lease number, or medallion"
    ordering = ("-id",)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in ("account__exact", "batch__exact", "week__exact") or super().lookup_allowed(
            lookup, value, request
        )

    def detail(self, request: HttpRequest, record: SourceTransaction) -> Detail:
        is_trip = record.txn_type == "TRIP"
        kind = payment_type(record.product_code) if is_trip else f"{record.txn_type} {record.product_code}"
        parts = [(name, getattr(record, name)) for name in (PARTS if is_trip else TAKAFUL_PARTS)]
        return Detail(
            title=f"{'Trip' if is_trip else 'Source row'} {record.source_rowid}",
            badges=[(kind, "info")],
            figures=[("Total", money_cell(record.gross_amount))],
            facts=[
                *(_trip_facts(record) if is_trip else _row_facts(record)),
                (
                    "File",
                    Cell(f"{record.batch.file_name}, row {record.row_number:,}", admin_url(record.batch)),
                ),
                *entry_facts(request, record),
            ],
            tables=[
                Table(
                    "What it consists of",
                    ["", "#Amount"],
                    [
                        [
                            Cell(name.removesuffix("_amount").replace("_", " ").capitalize()),
                            money_cell(amount),
                        ]
                        for name, amount in parts
                        if amount is not None
                    ],
                    footer=[Cell("Total"), money_cell(record.gross_amount)],
                )
            ],
        )


def _trip_facts(trip: SourceTransaction) -> list[tuple[str, Cell]]:
    # A trip has all of these: the database holds it.
    assert trip.account and trip.medallion and trip.vehicle and trip.lease, trip
    return [
        ("Started", Cell(moment(trip.started_at))),
        ("Ended", Cell(moment(trip.ended_at))),
        ("Week", Cell(day(trip.week))),
        ("Driver", Cell(str(trip.driver), admin_url(trip.account))),
        ("Medallion", Cell(trip.medallion.number, link(trip.medallion))),
        ("Vehicle", Cell(str(trip.vehicle), link(trip.vehicle))),
        ("Lease", Cell(trip.lease.number, link(trip.lease))),
    ]


def _row_facts(row: SourceTransaction) -> list[tuple[str, Cell]]:
    return [
        ("Value date", Cell(day(row.bank_value_date))),
        ("Channel", Cell(row.channel)),
        ("Currency", Cell(row.currency)),
        ("Policy", Cell(row.policy_no or "")),
    ]
