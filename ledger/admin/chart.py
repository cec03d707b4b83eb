"""The chart of accounts: every account of the journal, what it comes to, and what finance may change of it."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesCheckboxFilter, RadioFilter
from unfold.decorators import display
from unfold.views import ChangeList
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from batconnect.common.errors import BatConnectError
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    QuietChangeList,
    ReadOnlyAdmin,
    Table,
    admin_url,
    list_url,
    moment,
    money,
    text_column,
)
from batconnect.common.weeks import local_date
from ledger.models import Account, Currency, GuardedBalance
from ledger.selectors.account_balances import MonthArchived, account_balances
from ledger.services import chart_accounts

from .posting_parts import audit_table


class ClientsFilter(RadioFilter):
    """Finance's own accounts are few; clients' may be very many."""

    title = "whose"
    parameter_name = "whose"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("house", "Finance's chart"), ("clients", "Opened by clients")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(kind__isnull=self.value() == "house") if self.value() else queryset


class BalancedList(QuietChangeList):
    """Adds the balances of the accounts of one page, read together."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        balances = balances_of(list(self.result_list))
        for account in self.result_list:
            account.shown_balance = balances.get(account.pk)


class AccountForm(forms.Form):
    """An account of finance's chart. `code`, `type`, `currency` and `fund` are left out once it has entries."""

    code = forms.CharField(max_length=40, widget=UnfoldAdminTextInputWidget())
    name = forms.CharField(max_length=120, widget=UnfoldAdminTextInputWidget())
    type = forms.ChoiceField(choices=Account.Type.choices, widget=UnfoldAdminSelectWidget())
    currency = forms.ModelChoiceField(
        queryset=Currency.objects.all(), initial="USD", widget=UnfoldAdminSelectWidget()
    )
    fund = forms.CharField(max_length=10, initial="OP", widget=UnfoldAdminTextInputWidget())
    parent = forms.ModelChoiceField(
        queryset=Account.objects.filter(kind=None), required=False, widget=UnfoldAdminSelectWidget()
    )
    overdraft_limit = forms.DecimalField(
        required=False,
        min_value=0,
        max_digits=20,
        decimal_places=6,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        help_text="How far below zero it may go. Empty: as far as it likes.",
    )
    active = forms.BooleanField(
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Whether entries may name it.",
    )
    metadata = forms.JSONField(
        required=False, initial=dict, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )

    def clean_metadata(self) -> dict[str, Any]:
        notes = self.cleaned_data["metadata"] or {}
        if not isinstance(notes, dict) or "\\u0000" in json.dumps(notes):
            raise forms.ValidationError('Write notes by name, like {"owner": "Finance"}.')
        return notes


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    """Every account of the journal, with what it comes to today."""

    list_display = (
        "code",
        "name",
        text_column("type", "Type"),
        "fund",
        text_column("currency_id", "Currency"),
        "rules",
        "active",
        "current_balance",
    )
    list_filter = (
        ClientsFilter,
        ("type", ChoicesCheckboxFilter),
        ("active", BooleanRadioFilter),
        "fund",
    )
    search_fields = ("code", "name")
    search_help_text = "Code or name"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BalancedList

    @display(description="Rules")
    def rules(self, record: Account) -> str:
        return ", ".join(_rules(record)) or "–"

    @display(description="Balance")
    def current_balance(self, record: Any) -> SafeString:
        return format_html('<span class="bc-money">{}</span>', money(record.shown_balance))

    def get_urls(self) -> list[URLPattern]:
        edit = path(
            "<int:account_id>/edit/",
            self.admin_site.admin_view(self.edit_view),
            name="ledger_account_edit",
        )
        return [edit, *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ledger.add_account")

    def detail(self, request: HttpRequest, record: Account) -> Detail:
        balance = balances_of([record]).get(record.pk)
        actions = []
        if request.user.has_perm("ledger.read_reports"):
            statement = reverse("admin:ledger_report_account_statement")
            actions.append(Action("Statement", f"{statement}?account={record.code}"))
        if request.user.has_perm("ledger.change_account"):
            actions.append(Action("Change…", reverse("admin:ledger_account_edit", args=[record.pk])))
        return Detail(
            title=str(record),
            subtitle=f"{record.get_type_display()} in {record.currency_id}",
            badges=[("active", "success") if record.active else ("not active", "danger")]
            + [(rule, "info") for rule in _rules(record)],
            figures=[("Balance today", Cell(money(balance), look="money"))],
            facts=_facts(record),
            actions=actions,
            tables=[
                Table(
                    "Accounts below it",
                    ["Account", "Type"],
                    [
                        [Cell(str(each), admin_url(each)), Cell(each.get_type_display())]
                        for each in record.children.all()
                    ],
                    empty="None.",
                ),
                _users(record),
                _history(record),
                audit_table(f"account:{record.code}"),
            ],
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = AccountForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                made = chart_accounts.add_account(values=form.cleaned_data, actor=request.user)  # type: ignore[arg-type]
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{made} is in the chart.")
                return HttpResponseRedirect(admin_url(made))
        return self.render(
            request,
            "admin/form_page.html",
            title="New account",
            form=form,
            submit_label="Add the account",
            cancel_url=list_url(Account),
        )

    def edit_view(self, request: HttpRequest, account_id: int) -> HttpResponse:
        if not request.user.has_perm("ledger.change_account"):
            raise PermissionDenied
        record = get_object_or_404(Account, pk=account_id)
        form = AccountForm(request.POST or None, initial=_values(record))
        form.fields["parent"].queryset = Account.objects.filter(kind=None).exclude(pk=record.pk)  # type: ignore[attr-defined]
        fixed = chart_accounts.has_entries(record)
        for name in chart_accounts.FIXED if fixed else ():
            form.fields[name].disabled = True
        if request.method == "POST" and form.is_valid():
            try:
                chart_accounts.change_account(
                    account_id=account_id,
                    values=form.cleaned_data,
                    actor=request.user,  # type: ignore[arg-type]
                    on=_today(),
                )
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{record.code} is changed.")
                return HttpResponseRedirect(admin_url(record))
        return self.render(
            request,
            "admin/form_page.html",
            title=f"Change {record.code}",
            detail=Detail(
                title=f"Change {record}",
                subtitle="It has entries, so its code, type, currency and fund stand." if fixed else "",
            ),
            form=form,
            submit_label="Save",
            cancel_url=admin_url(record),
        )


def balances_of(accounts: list[Account]) -> Mapping[int, Decimal]:
    """What accounts come to today, in their normal direction; guarded ones by the balance that guards them.

    Empty where a month was archived in the middle: a report says so, a list leaves it out.
    """
    if not accounts:
        return {}
    found: dict[int, Decimal] = dict(
        GuardedBalance.objects.filter(account__in=accounts).values_list("account_id", "balance")
    )
    rest = [account.pk for account in accounts if account.pk not in found]
    try:
        rows = account_balances(start=_today(), end=_today(), account_ids=rest) if rest else []
    except MonthArchived:
        return found
    found |= dict.fromkeys(rest, Decimal(0))
    for row in rows:
        found[row.account_id] += row.in_normal_direction(row.closing)
    return found


def _rules(account: Account) -> list[str]:
    rules = ["control"] if account.is_control else []
    return rules + (["guarded"] if account.overdraft_limit is not None else [])


def _facts(account: Account) -> list[tuple[str, Cell]]:
    limit = "none" if account.overdraft_limit is None else money(account.overdraft_limit)
    facts = [
        ("Fund", Cell(account.fund)),
        ("Overdraft limit", Cell(limit)),
        ("Takes entries of", Cell(", ".join(account.control_origins) or "any kind")),
        ("Added", Cell(moment(account.created_at))),
    ]
    if account.parent:
        facts.append(("Part of", Cell(str(account.parent), admin_url(account.parent))))
    if account.kind:
        facts.append(("Kind", Cell(str(account.kind), admin_url(account.kind))))
    return facts + [(f"Note: {name}", Cell(str(value))) for name, value in account.metadata.items()]


def _values(account: Account) -> dict[str, Any]:
    names = (*chart_accounts.FIXED, *chart_accounts.FREE)
    values = {name: getattr(account, name) for name in names}
    limit = account.overdraft_limit
    return {**values, "overdraft_limit": None if limit is None else f"{limit.normalize():f}"}


def _users(account: Account) -> Table:
    """The templates and overrides that book on an account, each with its page."""
    templates, overrides = chart_accounts.named_by(account, on=_today())
    return Table(
        "Used by",
        ["Template or override", ""],
        [
            *([Cell(str(each), admin_url(each)), Cell(each.description, look="muted")] for each in templates),
            *([Cell(f"Override of {each.product}", admin_url(each)), Cell("")] for each in overrides),
        ],
        empty="No template in force, and no override.",
    )


def _history(account: Account) -> Table:
    rows = account.history.select_related("history_user")[:10]
    return Table(
        "How it was",
        ["Since", "By", "Name", "Active", "#Overdraft limit"],
        [
            [
                Cell(moment(row.history_date)),
                Cell(str(row.history_user or "–")),
                Cell(row.name),
                Cell("yes" if row.active else "no"),
                Cell(money(row.overdraft_limit), look="money"),
            ]
            for row in rows
        ],
        empty="As it was installed.",
    )


def _today() -> date:
    return local_date(timezone.now())
