"""Sources: where outside rows come from; and the models that score them."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import BooleanRadioFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminURLInputWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.screens import Cell, Detail, ReadOnlyAdmin, Table, moment_column, text_column

from ..models import ReconModel, ReconSource
from ..selectors.exceptions import precision_by_score
from ..services import rules
from ..sources import adapter_choices, get_adapter
from .parts import actor_of


class SourceForm(forms.ModelForm):
    """A source; how it is read is checked before it is kept."""

    adapter = forms.ChoiceField(choices=adapter_choices, widget=UnfoldAdminSelectWidget)
    alert_webhook = forms.URLField(
        required=False, max_length=200, assume_scheme="https", widget=UnfoldAdminURLInputWidget
    )

    class Meta:
        model = ReconSource
        fields = "__all__"  # noqa: DJ007  (the fieldsets say which)
        help_texts = {
            "name": "What commands and the API call it: small letters, digits, _ . and -.",
            "mapping": 'JSON, e.g. {"columns": {"id": "Nr", "time": "Date", "amount": "Amount"}, "decimal": ","}.',
            "file_pattern": "Below the import folder, where its daily file lies: curb/{date}.csv.",
            "schedule_hour": "New York hour at which the day before is reconciled; empty: never.",
            "reversed_sign": "What the outside writes as + is a credit of these accounts.",
            "reaches_back": "Days; older ledger lines stay in view while they have no partner.",
            "earliest_seconds": "From the ledger's row to the outside one; empty: as the model says.",
            "latest_seconds": "86400 is a day.",
            "amount_share": "How far amounts may be apart: 0.05 is 5 %.",
            "match_from": "The score from which a pair is matched without a person.",
            "suggest_from": "The score from which a pair is suggested.",
            "margin": "How much better than its rival a pair has to be.",
            "write_off_limit": "The most that one person may write off at once; 0: nothing.",
            "difference_account": "Where write-offs go; empty: 5200.",
            "alert_emails": "Separated by commas.",
        }

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if "adapter" in values and "mapping" in values:
            try:
                get_adapter(values["adapter"]).check(values["mapping"])
            except BatConnectError as error:
                self.add_error("mapping", str(error))
        return values


@admin.register(ReconSource)
class ReconSourceAdmin(SimpleHistoryAdmin, ModelAdmin):
    """Streams of outside rows. Never deleted: switch one off instead."""

    form = SourceForm
    list_display = (
        "name",
        "title",
        text_column("adapter", "Format"),
        text_column("currency_id", "Currency"),
        text_column("schedule_hour", "Daily at"),
        "active",
    )
    list_filter = (("active", BooleanRadioFilter),)
    list_filter_submit = True
    show_full_result_count = False
    search_fields = ("name", "title")
    actions_detail = ["try_model"]
    fieldsets = (
        (None, {"fields": ("name", "title", "active", "adapter", "mapping", "file_pattern", "schedule_hour")}),
        ("Ledger", {"fields": ("currency", "accounts", "reversed_sign", "reaches_back")}),
        (
            "Matching",
            {
                "fields": (
                    "earliest_seconds", "latest_seconds", "amount_share", "match_from", "suggest_from", "margin",
                )
            },
        ),
        ("Write-offs", {"fields": ("write_off_limit", "difference_account")}),
        (
            "Alerts",
            {"fields": ("alert_unmatched", "alert_variance", "alert_days_old", "alert_emails", "alert_webhook")},
        ),
    )  # fmt: skip

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.model_view)
        return [path("<int:source_id>/model/", view, name="recon_reconsource_model"), *super().get_urls()]

    @action(description="Matching model", url_path="choose-model")
    def try_model(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:recon_reconsource_model", args=[object_id]))

    def model_view(self, request: HttpRequest, source_id: int) -> HttpResponse:
        """Learn a model, try it on history, and only then have it used."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        source = get_object_or_404(ReconSource.objects.select_related("model", "currency"), pk=source_id)
        form = ModelForm(request.POST or None)
        tried: dict[str, Any] = {}
        if request.method == "POST" and form.is_valid():
            chosen = form.cleaned_data["model"]
            try:
                if form.cleaned_data["step"] == "learn":
                    chosen = rules.learn_model(source=source, actor=actor_of(request))
                    messages.success(request, f"{chosen} was learned. Try it before it is used.")
                    return HttpResponseRedirect(request.path)
                tried = rules.replay(source=source, model=chosen)
                if form.cleaned_data["step"] == "activate":
                    rules.activate_model(source=source, model=chosen, replayed=tried, actor=actor_of(request))
                    messages.success(
                        request, f"{source} is matched by {chosen or 'the default model'} from now on."
                    )
                    return HttpResponseRedirect(reverse("admin:recon_reconsource_change", args=[source_id]))
            except BatConnectError as error:
                form.add_error(None, str(error))
        tables = [_precision_table(source)]
        if tried:
            tables.insert(0, _tried_table(tried))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Matching model of {source}",
            "detail": Detail(
                title=f"Matching model of {source}",
                subtitle=f"Now: {source.model or 'the default model'}. What a change would do is shown first.",
                tables=tables,
            ),
            "form": form,
            "submit_label": "Go on",
            "cancel_url": reverse("admin:recon_reconsource_change", args=[source_id]),
        }
        from django.template.response import TemplateResponse

        return TemplateResponse(request, "admin/form_page.html", context)


class ModelForm(forms.Form):
    """Which model, and whether to learn one, try it, or have it used."""

    model = forms.ModelChoiceField(
        queryset=ReconModel.objects.all(),
        required=False,
        empty_label="The default model",
        widget=UnfoldAdminSelectWidget,
    )
    step = forms.ChoiceField(
        label="What to do",
        choices=[
            ("try", "Try it on history"),
            ("activate", "Use it from now on"),
            ("learn", "Learn a new one"),
        ],
        widget=UnfoldAdminSelectWidget,
    )


def _tried_table(tried: dict[str, Any]) -> Table:
    names = {
        "matched_now": "Matched by the present rule",
        "matched": "Matched by this one",
        "alike": "Of these, the same pairs",
        "agrees": "Decisions of people that it makes as well",
        "contradicts": "Decisions of people that it makes otherwise",
        "rejected": "Pairs that people rejected and it would match",
    }
    rows = [[Cell(label), Cell(f"{tried[name]:,}", look="money")] for name, label in names.items()]
    return Table(f"{tried['model']} on the last run", ["", "#"], rows)


def _precision_table(source: ReconSource) -> Table:
    rows = [
        [
            Cell(_tenth(row["score"])),
            Cell(f"{row['accepted']:,}", look="money"),
            Cell(f"{row['rejected']:,}", look="money"),
            Cell(f"{row['precision']:.3f}", look="money"),
        ]
        for row in precision_by_score(source)
    ]
    headers = ["Score", "#Accepted", "#Rejected", "#Precision"]
    return Table("What people decided, by score", headers, rows, empty="Nobody has decided anything yet.")


def _tenth(score: Decimal) -> str:
    return f"{score:.1f} to {score + Decimal('0.1'):.1f}" if score < 1 else "1.0"


@admin.register(ReconModel)
class ReconModelAdmin(ReadOnlyAdmin):
    """Models as they were learned; frozen."""

    empty_note = "A model is learned from what people accepted and rejected, once there is enough of it."
    list_display = (
        text_column("version", "Version"),
        text_column("kind", "Kind"),
        text_column("created_by__username", "By"),
        moment_column("created_at", "Made"),
    )
    list_select_related = ("created_by",)
