"""Rows that could not be accepted: correct and submit again, or dismiss with a reason."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from unfold.contrib.filters.admin import ChoicesCheckboxFilter
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

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
    text_column,
)
from ledger.engine.trips import COLUMNS
from ledger.models import ParkedRow, SourceTransaction
from ledger.services import parked_rows

from .posting_parts import audit_table

PARKED_TONES = {"PARKED": "warning", "RESOLVED": "success", "DISMISSED": "info"}


class CorrectForm(forms.Form):
    """One field for each column of the row, as it came."""

    def __init__(self, *args: Any, row: ParkedRow, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row = row
        for column, value in in_file_order(row):
            self.fields[column] = forms.CharField(
                label=column,
                initial=value,
                required=False,
                strip=False,
                max_length=parked_rows.LONGEST_VALUE,
                widget=UnfoldAdminTextInputWidget(),
            )

    def changes(self) -> dict[str, str]:
        """The columns that now read otherwise than in the file."""
        return {
            name: value for name, value in self.cleaned_data.items() if value != (self.row.raw[name] or "")
        }


class DismissForm(forms.Form):
    """Why a row is not to be loaded."""

    note = forms.CharField(
        max_length=parked_rows.LONGEST_NOTE,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="At least 10 characters. The row is kept, with this note.",
    )


@admin.register(ParkedRow)
class ParkedRowAdmin(ReadOnlyAdmin):
    """What waits for a person comes first when the list is opened from the menu or from home."""

    empty_note = "Every row that was loaded added up."
    list_display = (
        text_column("source_rowid", "Row id"),
        text_column("row_number", "Row", ordering="row_number"),
        text_column("reason", "Reason"),
        text_column("message", "What is wrong"),
        text_column("batch__file_name", "File"),
        label_column("status", "Status", PARKED_TONES),
    )
    list_filter = (("status", ChoicesCheckboxFilter), ("reason", ChoicesCheckboxFilter))
    list_select_related = ("batch",)
    search_fields = ("=source_rowid", "batch__file_name")
    search_help_text = "Row id, or the file's name"
    ordering = ("-status", "batch_id", "row_number")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("batch", "decided_by")

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:row_id>/correct/",
                self.admin_site.admin_view(self.correct_view),
                name="ledger_parkedrow_correct",
            ),
            path(
                "<int:row_id>/dismiss/",
                self.admin_site.admin_view(self.dismiss_view),
                name="ledger_parkedrow_dismiss",
            ),
            *super().get_urls(),
        ]

    def detail(self, request: HttpRequest, record: ParkedRow) -> Detail:
        actions = []
        if record.status == ParkedRow.Status.PARKED and request.user.has_perm("ledger.correct_parked_row"):
            actions = [
                Action(
                    "Correct…", reverse("admin:ledger_parkedrow_correct", args=[record.pk]), look="primary"
                ),
                Action("Dismiss…", reverse("admin:ledger_parkedrow_dismiss", args=[record.pk])),
            ]
        facts = [
            ("File", Cell(record.batch.file_name, admin_url(record.batch))),
            ("Loaded", Cell(moment(record.created_at))),
        ]
        if record.decided_by:
            facts.append(("Decided", Cell(f"{moment(record.decided_at)} by {record.decided_by}")))
        if record.note:
            facts.append(("Note", Cell(record.note)))
        if record.transaction_id:
            facts.append(("Became", Cell("this trip", admin_url(SourceTransaction, record.transaction_id))))
        return Detail(
            title=f"Row {record.row_number:,}, {record.source_rowid}",
            subtitle=record.message,
            badges=[
                (record.get_status_display(), PARKED_TONES[record.status]),
                (record.get_reason_display(), "info"),
            ],
            facts=facts,
            tables=[_as_it_came(record), audit_table(f"parked_row:{record.pk}")],
            actions=actions,
        )

    def correct_view(self, request: HttpRequest, row_id: int) -> HttpResponse:
        row = self._waiting(request, row_id)
        form = CorrectForm(request.POST or None, row=row)
        if request.method == "POST" and form.is_valid():
            try:
                result = parked_rows.correct_parked_rows(
                    corrections={row.pk: form.changes()},
                    actor=request.user,  # type: ignore[arg-type]
                )
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                if row.pk in result.resolved:
                    messages.success(request, f"Row {row.row_number} is loaded.")
                    return HttpResponseRedirect(admin_url(row))
                form.add_error(None, f"Still not accepted: {result.still_parked[row.pk].message}")
        return self._form_page(
            request,
            row,
            form,
            f"Correct row {row.row_number:,}",
            f"{row.message} Nothing needs changing if what it lacked (a driver, a lease) was entered since.",
            "Submit again",
        )

    def dismiss_view(self, request: HttpRequest, row_id: int) -> HttpResponse:
        row = self._waiting(request, row_id)
        form = DismissForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                parked_rows.dismiss_parked_row(
                    row=row,
                    note=form.cleaned_data["note"],
                    actor=request.user,  # type: ignore[arg-type]
                )
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"Row {row.row_number} is dismissed.")
                return HttpResponseRedirect(list_url(ParkedRow, "status__exact=PARKED"))
        return self._form_page(
            request,
            row,
            form,
            f"Dismiss row {row.row_number:,}?",
            f"{row.message} It is not loaded, and counts for nothing.",
            "Dismiss this row",
        )

    def _waiting(self, request: HttpRequest, row_id: int) -> ParkedRow:
        if not request.user.has_perm("ledger.correct_parked_row"):
            raise PermissionDenied
        row: ParkedRow = get_object_or_404(self.get_queryset(request), pk=row_id)
        return row

    def _form_page(
        self, request: HttpRequest, row: ParkedRow, form: forms.Form, title: str, subtitle: str, label: str
    ) -> HttpResponse:
        return self.render(
            request,
            "admin/form_page.html",
            detail=Detail(title=title, subtitle=subtitle),
            form=form,
            title=title,
            submit_label=label,
            cancel_url=admin_url(row),
        )


def in_file_order(row: ParkedRow) -> list[tuple[str, str]]:
    """The row's columns as a file has them; the database keeps them in an order of its own."""
    return sorted(row.raw.items(), key=lambda part: COLUMNS.index(part[0]))


def _as_it_came(row: ParkedRow) -> Table:
    corrected = row.corrected or {}
    return Table(
        "As it came",
        ["Column", "Value", *(["Corrected to"] if corrected else [])],
        [
            [
                Cell(column),
                Cell(str(value)),
                *([Cell(str(corrected.get(column, "")), look="strong")] if corrected else []),
            ]
            for column, value in in_file_order(row)
        ],
    )
