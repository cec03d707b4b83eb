"""What stands around the chart: kinds of account, currencies, and overrides by product."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from batconnect.common import audit
from batconnect.common.errors import BatConnectError
from batconnect.common.screens import (
    Cell,
    Detail,
    ListAdmin,
    ReadOnlyAdmin,
    admin_url,
    list_url,
    money_column,
    text_column,
)
from ledger.models import Account, AccountKind, Currency, ProductAccountMap
from ledger.services import account_overrides

from .posting_parts import audit_table


@admin.register(AccountKind)
class AccountKindAdmin(ListAdmin):
    """The rules that accounts opened by clients begin with; those that are open keep theirs."""

    list_display = (
        "code",
        "name",
        money_column("overdraft_limit", "Overdraft limit"),
        money_column("transfer_limit", "Transfer limit"),
    )
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: AccountKind, form: Any, change: bool) -> None:
        """A kind is configuration, not ledger: it is saved here, and audited with what it was."""
        before = AccountKind.objects.filter(pk=obj.pk).first()
        super().save_model(request, obj, form, change)
        audit.record(
            actor=request.user,  # type: ignore[arg-type]
            action="account_kind.changed" if change else "account_kind.added",
            subject=f"account_kind:{obj.pk}",
            before=_told(before) if before else None,
            after=_told(obj),
        )


@admin.register(Currency)
class CurrencyAdmin(ReadOnlyAdmin):
    """The currencies there are, and how many decimals their amounts have."""

    list_display = ("code", "name", "exponent")
    search_fields = ("code", "name")


class OverrideForm(forms.Form):
    product = forms.CharField(max_length=40, widget=UnfoldAdminTextInputWidget())
    template_code = forms.CharField(
        label="Template",
        max_length=40,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Its code. Empty: every template.",
    )
    account = forms.ModelChoiceField(
        label="In place of account",
        queryset=Account.objects.filter(kind=None),
        widget=UnfoldAdminSelectWidget(),
    )
    fund = forms.CharField(
        max_length=10, required=False, widget=UnfoldAdminTextInputWidget(), help_text="Empty: every fund."
    )
    to_account = forms.ModelChoiceField(
        label="Book on account", queryset=Account.objects.filter(kind=None), widget=UnfoldAdminSelectWidget()
    )
    to_fund = forms.CharField(
        label="In fund",
        max_length=10,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Empty: the line's own.",
    )


@admin.register(ProductAccountMap)
class ProductAccountMapAdmin(ReadOnlyAdmin):
    """For one product, another account in place of the one a template's line names. In force at once."""

    list_display = (
        "product",
        "template",
        text_column("account", "In place of"),
        text_column("to_account", "Booked on"),
    )
    list_select_related = ("account", "to_account")
    search_fields = ("product", "template_code", "account__code", "to_account__code")

    @display(description="Template")
    def template(self, record: ProductAccountMap) -> str:
        return record.template_code or "every template"

    def get_urls(self) -> list[URLPattern]:
        remove = path(
            "<int:override_id>/remove/",
            self.admin_site.admin_view(require_POST(self.remove_view)),
            name="ledger_productaccountmap_remove",
        )
        return [remove, *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ledger.add_productaccountmap")

    def detail(self, request: HttpRequest, record: ProductAccountMap) -> Detail:
        removable = request.user.has_perm("ledger.delete_productaccountmap")
        return Detail(
            title=f"{record.product}: {record.account.code} → {record.to_account.code}",
            subtitle="In force for everything that is booked from now on.",
            facts=[
                ("Template", Cell(record.template_code or "every template")),
                ("In place of", Cell(str(record.account), admin_url(record.account))),
                ("In fund", Cell(record.fund or "every fund")),
                ("Booked on", Cell(str(record.to_account), admin_url(record.to_account))),
                ("In its fund", Cell(record.to_fund or "the line's own")),
            ],
            tables=[audit_table(f"override:{record.pk}")],
            partials=["admin/ledger/includes/override_remove.html"] if removable else [],
            context={"remove_url": reverse("admin:ledger_productaccountmap_remove", args=[record.pk])},
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = OverrideForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            given = {name: value or None for name, value in form.cleaned_data.items()}
            try:
                made = account_overrides.add_override(**given, actor=request.user)  # type: ignore[arg-type]
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{made.product} is booked on {made.to_account.code} from now on.")
                return HttpResponseRedirect(admin_url(made))
        return self.render(
            request,
            "admin/form_page.html",
            title="New override",
            form=form,
            submit_label="Book it there from now on",
            cancel_url=list_url(ProductAccountMap),
        )

    def remove_view(self, request: HttpRequest, override_id: int) -> HttpResponse:
        if not request.user.has_perm("ledger.delete_productaccountmap"):
            raise PermissionDenied
        try:
            account_overrides.remove_override(override_id=override_id, actor=request.user)  # type: ignore[arg-type]
        except BatConnectError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "The override is removed; the templates' own account is used again.")
        return HttpResponseRedirect(list_url(ProductAccountMap))


def _told(kind: AccountKind) -> dict[str, str]:
    limits = {"overdraft_limit": kind.overdraft_limit, "transfer_limit": kind.transfer_limit}
    return {"name": kind.name} | {
        name: "none" if value is None else f"{value:f}" for name, value in limits.items()
    }
