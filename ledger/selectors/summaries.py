"""What was posted to drivers between two dates, added up by driver, lease, vehicle, medallion or category.

Every row adds up: charged - credited + voided = net, and the net of its categories is its net. The sum of the nets
is what the driver accounts, and account 1200, moved by in the window.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.db import connection

from batconnect.common.money import ZERO

from ..models import Category

FIGURES = ("count", "charged", "credited", "voided", "net")


@dataclass(frozen=True)
class Dimension:
    """What rows are of: the column of the posting, where its names are, and which filter lists its postings.

    `listed_by` is the filter of the postings list, and the field of the row that it takes.
    """

    key: str
    label: str
    detail: str
    names: str
    listed_by: tuple[str, str]


DIMENSIONS: dict[str, Dimension] = {
    "driver": Dimension(
        "driver_id",
        "n.name",
        "n.tlc_license",
        "JOIN driver n ON n.id = f.key",
        ("driver_id", "key"),
    ),
    "lease": Dimension(
        "lease_id",
        "n.number",
        "d.name",
        "JOIN lease n ON n.id = f.key JOIN driver d ON d.id = n.driver_id",
        ("lease_id", "key"),
    ),
    "vehicle": Dimension(
        "vehicle_id", "n.vin", "n.plate", "JOIN vehicle n ON n.id = f.key", ("vehicle_vin", "label")
    ),
    "medallion": Dimension(
        "medallion_id", "n.number", "''", "JOIN medallion n ON n.id = f.key", ("medallion_no", "label")
    ),
    "category": Dimension("category", "f.key", "''", "", ("category", "key")),
}
SORTS = ("label", *FIGURES)

# A reversal carries the opposite of what it undoes: it takes charges back below zero, credits above.
_FOUND = """
SELECT {key} AS key, category, count(*) AS count,
       coalesce(sum(amount) FILTER (WHERE amount > 0 AND reversal_for_id IS NULL), 0.00) AS charged,
       coalesce(-sum(amount) FILTER (WHERE amount < 0 AND reversal_for_id IS NULL), 0.00) AS credited,
       coalesce(sum(amount) FILTER (WHERE reversal_for_id IS NOT NULL), 0.00) AS voided,
       sum(amount) AS net
  FROM ledger_posting
 WHERE effective_on >= %(start)s AND effective_on <= %(end)s
 GROUP BY 1, 2
"""
_ADDED = """
SELECT key, sum(count)::bigint AS count, sum(charged) AS charged, sum(credited) AS credited, sum(voided) AS voided,
       sum(net) AS net, array_agg(category ORDER BY category) AS categories,
       array_agg(net ORDER BY category) AS nets
  FROM found GROUP BY key
"""
_TOTALS = """
SELECT category, sum(count)::bigint, sum(charged), sum(credited), sum(voided), sum(net),
       (SELECT count(DISTINCT key) FROM found)
  FROM found GROUP BY category ORDER BY category
"""
_PAGE = """
SELECT f.key, {label} AS label, {detail} AS detail, f.count, f.charged, f.credited, f.voided, f.net, f.categories,
       f.nets
  FROM added f {names}
 ORDER BY {sort}, f.key
 LIMIT %(limit)s OFFSET %(offset)s
"""


@dataclass(frozen=True)
class Summary:
    """`rows` is the page asked for, `total_rows` how many there are; the totals are of all of them."""

    by: str
    start: date
    end: date
    rows: Sequence[Mapping[str, Any]]
    total_rows: int
    totals: Mapping[str, Any]

    @property
    def categories(self) -> list[str]:
        """The categories that occur, in the order of their codes."""
        return list(self.totals["categories"])


def summary(
    *,
    by: str,
    start: date,
    end: date,
    sort_by: str = "label",
    descending: bool = False,
    offset: int = 0,
    limit: int | None = None,
) -> Summary:
    """Add the window's postings up by one of `DIMENSIONS`.

    Rows: key, label, detail, count, charged, credited, voided, net, categories ({category: net}) and `postings`,
    the filter under which the list of postings shows what is behind the row.
    """
    dimension = DIMENSIONS[by]
    parameters: dict[str, Any] = {"start": start, "end": end, "offset": offset, "limit": limit}
    found = f"WITH found AS MATERIALIZED ({_FOUND.format(key=dimension.key)})"
    column = dimension.label if sort_by == "label" else f"f.{sort_by}"
    page = _PAGE.format(
        label=dimension.label,
        detail=dimension.detail,
        names=dimension.names,
        sort=f"{column} {'DESC' if descending else 'ASC'}",
    )
    with connection.cursor() as cursor:
        cursor.execute(f"{found} {_TOTALS}", parameters)
        by_category = cursor.fetchall()
        cursor.execute(f"{found}, added AS ({_ADDED}) {page}", parameters)
        names = ("key", "label", "detail", *FIGURES, "categories")
        rows = [
            dict(zip(names, (*row, dict(zip(categories, nets, strict=True))), strict=True))
            for *row, categories, nets in cursor.fetchall()
        ]
    for row in rows:
        row["postings"] = _postings_of(dimension, row, start, end)
        if by == "category":
            row["label"] = str(Category(row["key"]).label)
        row["key"] = str(row["key"])
    total_rows = by_category[0][-1] if by_category else 0
    return Summary(by, start, end, rows, total_rows, _totals(by_category))


def _totals(by_category: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """All figures, of rows (category, *figures, ...)."""
    totals: dict[str, Any] = {"count": 0, **dict.fromkeys(FIGURES[1:], ZERO)}
    for row in by_category:
        for name, figure in zip(FIGURES, row[1:], strict=False):
            totals[name] += figure
    totals["categories"] = {row[0]: row[FIGURES.index("net") + 1] for row in by_category}
    return totals


def _postings_of(dimension: Dimension, row: Mapping[str, Any], start: date, end: date) -> str:
    name, field = dimension.listed_by
    return urlencode({name: row[field], "start_date": start, "end_date": end})
