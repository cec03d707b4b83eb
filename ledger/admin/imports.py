"""What came in: files of trips, the rows that wait for a person, and the trips themselves."""

import tempfile
from pathlib import Path

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
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
from ledger.models import ImportBatch, ParkedRow, SourceTransaction
from ledger.services import trips
from ledger.services.trip_loading import TripImport

from .posting_parts import link, payment_type
from .search import AccountSearchAdmin

LARGEST_UPLOAD = 200 * 1024 * 1024
SHOWN_PARKED = 50
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
                "Files above 200 MB are loaded on the server: manage.py import_trips FILE."
            )
        return file


@admin.register(ImportBatch)
class ImportBatchAdmin(ReadOnlyAdmin):
    """Every file that was loaded, and what became of its rows."""

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
        return [upload, *super().get_urls()]

    def detail(self, request: HttpRequest, record: ImportBatch) -> Detail:
        waiting = ParkedRow.objects.filter(batch=record).order_by("row_number")
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
                )
            ],
        )

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """Take a file, load it, and lead to what became of it."""
        if not request.user.has_perm("ledger.import_trips"):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                result = _load(form.cleaned_data["file"], request.user)  # type: ignore[arg-type]
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
    """Trips as they were loaded."""

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
        return Detail(
            title=f"Trip {record.source_rowid}",
            badges=[(payment_type(record.product_code), "info")],
            figures=[("Total", money_cell(record.gross_amount))],
            facts=[
                ("Started", Cell(moment(record.started_at))),
                ("Ended", Cell(moment(record.ended_at))),
                ("Week", Cell(day(record.week))),
                ("Driver", Cell(str(record.driver), admin_url(record.account))),
                ("Medallion", Cell(record.medallion.number, link(record.medallion))),
                ("Vehicle", Cell(str(record.vehicle), link(record.vehicle))),
                ("Lease", Cell(record.lease.number, link(record.lease))),
                (
                    "File",
                    Cell(f"{record.batch.file_name}, row {record.row_number:,}", admin_url(record.batch)),
                ),
            ],
            tables=[
                Table(
                    "What it consists of",
                    ["", "#Amount"],
                    [
                        [Cell(name.replace("_", " ").capitalize()), money_cell(getattr(record, name))]
                        for name in PARTS
                    ],
                    footer=[Cell("Total"), money_cell(record.gross_amount)],
                )
            ],
        )
