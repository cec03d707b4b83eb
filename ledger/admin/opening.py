"""Opening balances at cut-over: send the file, see what it comes to or what is wrong in which row, import it once."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextInputWidget,
)

from batconnect.common.errors import BatConnectError
from batconnect.common.models import User
from batconnect.common.money import parse_amount
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    admin_url,
    day,
    day_column,
    list_url,
    moment,
    money_cell,
    money_column,
    text_column,
)
from batconnect.common.weeks import local_date
from ledger.models import Category, LedgerPosting, OpeningImport
from ledger.services.opening_balances import check_opening, import_opening_balances
from ledger.services.opening_file import COLUMNS, MOST_BYTES, OpeningFile, read_opening

SHOWN_ERRORS = 200
HINT = (
    "One row for each item that is open in the former books. First you see what the file comes to; nothing is posted "
    "before you say so. It is done once."
)


class OpeningForm(forms.Form):
    """The file, and what somebody else added it up to."""

    file = forms.FileField(
        label="Opening balances (CSV)",
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}),
        help_text=f"Columns: {', '.join(COLUMNS)}. Debits positive, credits negative.",
    )
    control_total = forms.CharField(
        max_length=20,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        help_text="Debits less credits, from the former books; to the cent.",
    )
    accounting_date = forms.DateField(
        required=False,
        widget=UnfoldAdminSingleDateWidget(attrs={"type": "date"}),
        help_text="Empty: today. It must lie in an open week.",
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if (file.size or 0) > MOST_BYTES:
            raise forms.ValidationError(f"The file is larger than {MOST_BYTES // 1024 // 1024} MB.")
        return file

    def clean_control_total(self) -> Any:
        try:
            return parse_amount(self.cleaned_data["control_total"].replace(",", "").strip())
        except BatConnectError as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(OpeningImport)
class OpeningImportAdmin(ReadOnlyAdmin):
    """The one import there is, or the way to it."""

    list_display = (
        text_column("file_name", "File"),
        day_column("dated", "Dated"),
        text_column("rows", "Rows"),
        money_column("debits", "Debits"),
        money_column("credits", "Credits"),
        money_column("control_total", "Control total"),
    )
    list_select_related = ("created_by",)

    def get_urls(self) -> list[URLPattern]:
        upload = path(
            "upload/", self.admin_site.admin_view(self.upload_view), name="ledger_openingimport_upload"
        )
        return [upload, *super().get_urls()]

    def detail(self, request: HttpRequest, record: OpeningImport) -> Detail:
        return Detail(
            title="Opening balances",
            subtitle=f"{record.file_name}, {moment(record.created_at)} by {record.created_by}",
            figures=[
                ("Debits", money_cell(record.debits)),
                ("Credits", money_cell(record.credits)),
                ("Control total", money_cell(record.control_total)),
            ],
            facts=[
                ("Rows", Cell(f"{record.rows:,}")),
                ("Dated", Cell(day(record.dated))),
                ("SHA-256 of the file", Cell(record.sha256, look="muted")),
            ],
            actions=[Action("Postings", list_url(LedgerPosting, "product__exact=OPENING"))]
            if request.user.has_perm("ledger.view_ledgerposting")
            else [],
        )

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for the file; look at it; import it when that is confirmed."""
        if not request.user.has_perm("ledger.import_opening"):
            raise PermissionDenied
        done = OpeningImport.objects.first()
        if done is not None:
            messages.info(request, "The opening balances were imported; that is done once.")
            return HttpResponseRedirect(
                admin_url(done) if self.has_view_permission(request) else reverse("admin:index")
            )
        if "confirmed" in request.POST:
            return self._import(request)
        form = OpeningForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                return self._preview(request, form.cleaned_data)
            except BatConnectError as error:
                form.add_error("file", str(error))
        return self._ask(request, form)

    def _ask(self, request: HttpRequest, form: forms.Form) -> HttpResponse:
        return self.render(
            request,
            "admin/form_page.html",
            title="Opening balances",
            detail=Detail(title="Opening balances", subtitle=HINT),
            form=form,
            submit_label="Look at the file",
        )

    def _preview(self, request: HttpRequest, asked: dict[str, Any]) -> HttpResponse:
        content, name = asked["file"].read(), asked["file"].name
        file = read_opening(content=content, name=name, on=_today())
        refused = ""
        try:
            check_opening(file, control_total=asked["control_total"])
        except BatConnectError as error:
            refused = str(error)
        else:
            _keep(file, content)
        return self.render(
            request,
            "admin/ledger/kept_confirm.html",
            title="Opening balances",
            detail=_preview_detail(file, asked),
            refused=refused,
            kept=[
                ("sha256", file.sha256),
                ("name", file.name),
                ("control_total", asked["control_total"]),
                ("accounting_date", asked["accounting_date"] or ""),
                ("confirmed", "yes"),
            ],
            label="Import the opening balances",
            back_url=reverse("admin:ledger_openingimport_upload"),
            back_label="Another file",
        )

    def _import(self, request: HttpRequest) -> HttpResponse:
        sha256 = request.POST.get("sha256", "")
        accounting_date = forms.DateField(required=False)
        try:
            done = import_opening_balances(
                content=_kept(sha256),
                name=request.POST.get("name", "")[:120],
                control_total=parse_amount(request.POST.get("control_total", "")),
                accounting_date=accounting_date.clean(request.POST.get("accounting_date", "")),
                actor=cast(User, request.user),
                on=_today(),
            )
        except (BatConnectError, forms.ValidationError, FileNotFoundError) as error:
            told = str(error) if isinstance(error, BatConnectError) else "Send the file again."
            messages.error(request, told)
            return HttpResponseRedirect(reverse("admin:ledger_openingimport_upload"))
        messages.success(request, f"{done.rows:,} opening balances are posted.")
        return HttpResponseRedirect(
            admin_url(done) if self.has_view_permission(request) else reverse("admin:index")
        )


def _preview_detail(file: OpeningFile, asked: dict[str, Any]) -> Detail:
    control = asked["control_total"]
    wrong = Table(
        "What is wrong",
        ["#Row", "Column", "Why"],
        [
            [Cell(str(error.row), look="money"), Cell(error.column), Cell(error.reason, look="long")]
            for error in file.errors[:SHOWN_ERRORS]
        ],
        note=f"The first {SHOWN_ERRORS} of {len(file.errors):,}." if len(file.errors) > SHOWN_ERRORS else "",
    )
    by_category = Table(
        "What it comes to",
        ["Category", "#Rows", "#Amount"],
        [
            [Cell(str(Category(category).label)), Cell(f"{rows:,}", look="money"), money_cell(amount)]
            for category, rows, amount in file.by_category()
        ],
        footer=[Cell("Together"), Cell(f"{len(file.rows):,}", look="money"), money_cell(file.total)],
    )
    return Detail(
        title=f"Import {file.name}?",
        subtitle="Each row becomes an open item of its driver, booked between 1200 and opening equity (3000).",
        badges=[(f"{len(file.errors):,} rows are wrong", "danger")] if file.errors else [],
        figures=[
            ("Debits", money_cell(file.debits)),
            ("Credits", money_cell(file.credits)),
            ("Together", money_cell(file.total, look="strong")),
            ("Control total", money_cell(control, look="" if file.total == control else "warn")),
        ],
        facts=[
            ("Rows", Cell(f"{file.count:,}")),
            ("Accounting date", Cell(day(asked["accounting_date"]) if asked["accounting_date"] else "today")),
        ],
        tables=[wrong, by_category] if file.errors else [by_category],
    )


def _keep(file: OpeningFile, content: bytes) -> None:
    """The file as it was looked at, until it is confirmed and afterwards as evidence; never served."""
    name = _path(file.sha256)
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(content))


def _kept(sha256: str) -> bytes:
    if len(sha256) != 64 or not sha256.isalnum():
        raise FileNotFoundError
    with default_storage.open(_path(sha256)) as file:
        return bytes(file.read())


def _path(sha256: str) -> str:
    return f"opening/{sha256}.csv"


def _today() -> Any:
    return local_date(timezone.now())
