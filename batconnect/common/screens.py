"""The parts admin screens are made of: how money and dates look, read-only detail pages, lists of any length.

A detail page is described as data (`Detail`) by its admin class and drawn by one template, so that every
record of the product reads the same: figures first, then facts, then tables in which each number leads on.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

from django.contrib.admin import ShowFacets
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.views import ChangeList

EXACT_COUNT_LIMIT = 10_000
NONE = "–"
LONGEST_WORD = 18
DATE = re.compile(r"[A-Z][a-z]{2} \d{1,2}, \d{4}")


def money(value: Decimal | str | None) -> str:
    """1,234.50; a credit is −1,234.50."""
    return NONE if value is None else f"{Decimal(value):,.2f}".replace("-", "\N{MINUS SIGN}")


def unbroken(text: str) -> bool:
    """Whether a text is read as one word: DTR-2026-00094, L-00012, Nov 1, 2026."""
    return len(text) <= LONGEST_WORD and (" " not in text or DATE.fullmatch(text) is not None)


def day(value: date | str | None) -> str:
    if isinstance(value, str):
        value = date.fromisoformat(value)
    return date_format(value, "M j, Y") if value else NONE


def moment(value: datetime | None) -> str:
    return date_format(timezone.localtime(value), "M j, Y, H:i") if value else NONE


def admin_url(target: Model | type[Model], pk: Any = None) -> str:
    """The admin's page of a record (or of the record `pk` of a model)."""
    meta = target._meta
    key = target.pk if isinstance(target, Model) else pk
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[key])


def list_url(model: type[Model], query: str = "") -> str:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{url}?{query}" if query else url


# --- what a detail page consists of -------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """One value: where it leads, and how it looks (`money`, `muted`, `strong`, `warn`; `long` for a sentence)."""

    text: str
    href: str = ""
    look: str = ""

    @property
    def is_word(self) -> bool:
        """References and dates are not broken into lines: a browser would, at each hyphen and space."""
        return "money" not in self.look and unbroken(self.text)


def money_cell(value: Decimal | str | None, href: str = "", look: str = "") -> Cell:
    return Cell(money(value), href, f"money {look}".strip())


@dataclass(frozen=True)
class Table:
    """A titled table; a header that starts with `#` is for numbers."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str = "Nothing here."
    note: str = ""
    footer: Sequence[Cell] = ()
    more: Cell | None = None
    pages: Sequence[Cell] = ()

    @property
    def headed(self) -> bool:
        return any(header.strip("#") for header in self.headers)


Row = TypeVar("Row")


@dataclass(frozen=True)
class Part(Generic[Row]):
    """One page of rows that are all there: what of them is shown, in words, and the ways to the others."""

    rows: Sequence[Row]
    note: str = ""
    pages: Sequence[Cell] = ()


def part_of(request: HttpRequest, rows: Sequence[Row], *, name: str, size: int) -> Part[Row]:
    """The page of `rows` that the address asks for as `?name=2`; without a number, or with a wrong one, the first.

    For tables whose rows are wanted whole anyhow, for their sums; long lists are the database's to cut.
    """
    last = max(1, -(-len(rows) // size))
    asked = request.GET.get(name, "")
    number = min(max(int(asked), 1), last) if asked.isdecimal() and len(asked) < 9 else 1
    if last == 1:
        return Part(rows)
    first = (number - 1) * size

    def to(page: int, text: str) -> Cell:
        query = request.GET.copy()
        query[name] = str(page)
        return Cell(text, f"?{query.urlencode()}")

    shown = rows[first : first + size]
    pages = [to(number - 1, f"The {size} before")] if number > 1 else []
    if number < last:
        pages.append(to(number + 1, f"The next {min(size, len(rows) - first - size):,}"))
    return Part(shown, f"{first + 1:,} to {first + len(shown):,} of {len(rows):,}.", pages)


@dataclass(frozen=True)
class Action:
    """A button that leads to a page; `look` is `default`, `primary` or `danger`."""

    label: str
    href: str
    look: str = "default"


@dataclass(frozen=True)
class Detail:
    """A record as a page. `figures` are the few numbers it is about, `facts` the rest."""

    title: str
    subtitle: str = ""
    badges: Sequence[tuple[str, str]] = ()
    figures: Sequence[tuple[str, Cell]] = ()
    facts: Sequence[tuple[str, Cell]] = ()
    tables: Sequence[Table] = ()
    actions: Sequence[Action] = ()
    texts: Sequence[tuple[str, str]] = ()
    partials: Sequence[str] = ()
    context: dict[str, Any] = field(default_factory=dict)


# --- lists --------------------------------------------------------------------------------------------------


class Estimate(int):
    """A count that says it is one."""

    def __str__(self) -> str:
        return f"about {int(self):,}"


class EstimatingPaginator(Paginator):
    """Counts exactly up to 10,000 rows; above, asks the planner and says `about`."""

    @cached_property
    def count(self) -> int:
        rows = cast("QuerySet[Any]", self.object_list).order_by()
        exact = rows.values("pk")[: EXACT_COUNT_LIMIT + 1].count()
        if exact <= EXACT_COUNT_LIMIT:
            return exact
        return Estimate(max(_planned_rows(rows.values("pk")), EXACT_COUNT_LIMIT + 1))


def _planned_rows(rows: "QuerySet[Any, Any]") -> int:
    sql, params = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        plan = cursor.fetchone()[0]
    return int((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Plan Rows"])


class QuietChangeList(ChangeList):
    """Without a count of the whole table; `Show all` only where something narrows the list."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not (self.query or self.has_active_filters):
            self.full_result_count = self.result_count


class ListAdmin(ModelAdmin):
    """A list of any length at a constant number of queries."""

    paginator = EstimatingPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER  # a count per filter value reads the whole table each time
    list_per_page = 50
    list_max_show_all = 200
    list_filter_submit = True
    list_fullwidth = True
    # What an empty list says below "None yet": how one of them comes about.
    empty_note = ""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return QuietChangeList


class ReadOnlyAdmin(ListAdmin):
    """Shows records and changes none: no add, change or delete for anybody, superusers included."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def detail(self, request: HttpRequest, record: Any) -> Detail:
        """What the record's page shows. Without one of its own, every field."""
        return Detail(title=str(record), facts=field_facts(record))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        record = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, record) or request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        if record is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        detail = self.detail(request, record)
        return self.render(request, "admin/record.html", title=detail.title, detail=detail)

    def render(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        """A page of this model, with the site's frame around it."""
        request.current_app = self.admin_site.name
        whole = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media, **context}
        return TemplateResponse(request, template, whole)


def field_facts(record: Model) -> Sequence[tuple[str, Cell]]:
    """Every plain field of a record, as facts."""
    facts = []
    for column in record._meta.concrete_fields:
        shown = getattr(record, f"get_{column.name}_display", None)
        value = shown() if shown else getattr(record, column.name)
        facts.append((str(column.verbose_name).capitalize(), Cell(_plain(value))))
    return facts


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return day(value)
    if isinstance(value, Decimal):
        return money(value)
    if isinstance(value, dict | list):
        return json.dumps(value, indent=1)
    return NONE if value in (None, "") else str(value)


# --- columns of lists ---------------------------------------------------------------------------------------

Column = Callable[[Any], Any]


def _follow(record: Any, path: str) -> Any:
    for name in path.split("__"):
        record = getattr(record, name, None)
    return record


def _in_one_line(text: str) -> str:
    return format_html('<span class="bc-word">{}</span>', text) if unbroken(text) else text


def _named(column: Column, path: str) -> Column:
    column.__name__ = path
    return column


def money_column(path: str, label: str, *, ordering: str | None = None) -> Column:
    def column(record: Any) -> SafeString:
        value = _follow(record, path)
        return format_html('<span class="bc-money">{}</span>', money(value))

    return _named(display(column, description=label, ordering=ordering), path)


def day_column(path: str, label: str, *, ordering: str | None = None) -> Column:
    def column(record: Any) -> str:
        return _in_one_line(day(_follow(record, path)))

    return _named(display(column, description=label, ordering=ordering), path)


def moment_column(path: str, label: str, *, ordering: str | None = None) -> Column:
    def column(record: Any) -> str:
        return moment(_follow(record, path))

    return _named(display(column, description=label, ordering=ordering), path)


def text_column(path: str, label: str, *, ordering: str | None = None) -> Column:
    *parents, last = path.split("__")

    def column(record: Any) -> str:
        owner = _follow(record, "__".join(parents)) if parents else record
        shown = getattr(owner, f"get_{last}_display", None)
        return _in_one_line(_plain(shown() if shown else getattr(owner, last, None)))

    return _named(display(column, description=label, ordering=ordering), path)


def label_column(field_name: str, label: str, tones: dict[str, str]) -> Column:
    """A choice as a coloured label."""

    def column(record: Any) -> tuple[str, str]:
        value = getattr(record, field_name)
        shown = getattr(record, f"get_{field_name}_display", None)
        return value, shown() if shown else value.capitalize()

    return _named(display(column, description=label, label=tones), field_name)
