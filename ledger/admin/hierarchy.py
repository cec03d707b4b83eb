"""The payment hierarchy: who is paid first. Finance edits it; each change is kept and can be looked up."""

from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesRadioFilter

from batconnect.common import audit
from ledger.models import Category, CategoryRank, EntryType


class RankForm(ModelForm):
    """The rank of one category in the list; it stands in a table, so it says itself what it is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["rank"].widget.attrs["aria-label"] = f"Rank of {self.instance.get_category_display()}"


@admin.register(CategoryRank)
class CategoryRankAdmin(SimpleHistoryAdmin, ModelAdmin):
    """Ranks of categories, lower first; ties are settled by due date, creation, reference."""

    list_display = ("category", "side", "rank")
    list_display_links = ("category",)
    list_editable = ("rank",)
    list_filter = (("side", ChoicesRadioFilter),)
    list_before_template = "admin/ledger/hierarchy_preview.html"
    readonly_fields = ("category", "side")
    ordering = ("-side", "rank", "category")
    list_per_page = 100
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: CategoryRank | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: CategoryRank | None = None) -> bool:
        return request.user.has_perm("ledger.change_hierarchy")

    def has_view_permission(self, request: HttpRequest, obj: CategoryRank | None = None) -> bool:
        return self.has_change_permission(request, obj) or request.user.has_perm("ledger.view_categoryrank")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, {**(extra_context or {}), "hierarchy": order_of_payment()})

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> type[ModelForm]:
        return super().get_changelist_form(request, **{"form": RankForm, **kwargs})

    def save_model(self, request: HttpRequest, obj: CategoryRank, form: Any, change: bool) -> None:
        """A rank is configuration, not ledger: it is saved here, and audited with what it was."""
        before = CategoryRank.objects.values_list("rank", flat=True).get(pk=obj.pk)
        super().save_model(request, obj, form, change)
        audit.record(
            actor=request.user,  # type: ignore[arg-type]
            action="hierarchy.changed",
            subject=f"category_rank:{obj.side}:{obj.category}",
            before={"rank": before},
            after={"rank": obj.rank},
        )


def order_of_payment() -> list[tuple[str, list[str]]]:
    """Both orders as people read them; categories of one rank share a place."""
    ranks = CategoryRank.objects.order_by("rank", "category")
    order: dict[str, dict[int, list[str]]] = {EntryType.DEBIT: {}, EntryType.CREDIT: {}}
    for row in ranks:
        order[row.side].setdefault(row.rank, []).append(row.get_category_display())
    return [
        ("Charges are paid in this order", [_told(names) for names in order[EntryType.DEBIT].values()]),
        ("Credits are used in this order", [_told(names) for names in order[EntryType.CREDIT].values()]),
    ]


def _told(names: list[str]) -> str:
    """One place of the order; most categories in one place are told as the rest."""
    return "Everything else" if len(names) > len(Category) // 2 else ", ".join(names)
