"""Rows from an HTTP API, page by page, all of them or none.

mapping: `url` (https; `{date}` is the day asked for), `items` (where the rows are, e.g. `data.items`), `columns` (as
in tables: which field is which, `a.b` reaches inside), and one way on: `next` (where the next page's address is) or
`page` (the name of a counting parameter, from 1; the first page without rows is the last). `total` (where the API
states how many rows there are) is checked. `token_env` names the environment variable that holds the bearer token, so
that no secret is kept in the database; `headers` are sent as they are. Who may be called is in `http_client.py`.
"""

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from .base import TEXTS, Adapter, Feed, Statement, shaped
from .errors import BadMapping
from .http_client import Paging, inside, read_pages

PAGING = frozenset({"url", "items", "next", "page", "total", "token_env", "headers"})


class HttpApi(Adapter):
    name = "api"
    title = "HTTP API"
    reads_files = False
    options = PAGING | {"columns", "date_format", "time_zone"}

    def check(self, mapping: Mapping[str, Any]) -> None:
        super().check(mapping)
        columns = mapping.get("columns", {})
        if not isinstance(columns, Mapping) or not {"amount", "time"} <= set(columns) <= set(TEXTS):
            raise BadMapping(problem=f"columns names at least amount and time, of {', '.join(TEXTS)}")
        Paging.of(mapping)

    def read(self, feed: Feed) -> Statement:
        self.check(feed.mapping)
        rows = fetched_rows(feed)
        texts = pl.DataFrame(
            [_texts(number, row, feed.mapping["columns"]) for number, row in enumerate(rows, 1)],
            schema={"row": pl.Int64, **dict.fromkeys(TEXTS, pl.String), "raw": pl.String},
        )
        return Statement(shaped(texts, feed, columns=feed.mapping["columns"]))


def fetched_rows(feed: Feed) -> list[Mapping[str, Any]]:
    """The rows of all pages of a source's API for the feed's day."""
    url = str(feed.mapping["url"]).replace("{date}", feed.on.isoformat())
    return [row for page in read_pages(Paging.of(feed.mapping, url=url)) for row in page.rows]


def _texts(number: int, row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    found = {name: inside(row, columns[name], "") if name in columns else "" for name in TEXTS}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in found.items()}
    return {"row": number, **texts, "raw": json.dumps(row, ensure_ascii=False)}
