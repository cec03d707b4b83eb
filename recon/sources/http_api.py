"""Rows from an HTTP API, page by page, all of them or none.

mapping: `url` (https; `{date}` is the day asked for), `items` (where the rows are, e.g. `data.items`), `columns` (as
in tables: which field is which, `a.b` reaches inside), and one way on: `next` (where the next page's address is) or
`page` (the name of a counting parameter, from 1; the first page without rows is the last). `total` (where the API
states how many rows there are) is checked. `token_env` names the environment variable that holds the bearer token, so
that no secret is kept in the database; `headers` are sent as they are.

Only hosts in RECON_API_HOSTS are called, at addresses that are public, looked up once per page and called as looked
up, so that a name cannot lead elsewhere afterwards. No redirect is followed.
"""

import ipaddress
import json
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import polars as pl
import urllib3
from django.conf import settings

from .base import TEXTS, Adapter, Feed, Statement, shaped
from .errors import BadFile, BadMapping, ControlTotals, HostNotAllowed, SourceUnreachable

TIMEOUT = urllib3.Timeout(connect=5, read=30)
AGAIN = (429, 500, 502, 503, 504)
TRIES = 3
MOST_PAGES = 10_000
LARGEST_PAGE = 20 * 1024 * 1024  # bytes
TOKEN_PREFIX = "RECON_TOKEN_"  # noqa: S105  (only such variables may be named by a source)
USUAL_PORTS = {"http": 80, "https": 443}


class HttpApi(Adapter):
    name = "api"
    title = "HTTP API"
    reads_files = False
    options = frozenset(
        {
            "url",
            "items",
            "columns",
            "next",
            "page",
            "total",
            "token_env",
            "headers",
            "date_format",
            "time_zone",
        }
    )

    def check(self, mapping: Mapping[str, Any]) -> None:
        super().check(mapping)
        columns = mapping.get("columns", {})
        if not isinstance(columns, Mapping) or not {"amount", "time"} <= set(columns) <= set(TEXTS):
            raise BadMapping(problem=f"columns names at least amount and time, of {', '.join(TEXTS)}")
        if "next" in mapping and "page" in mapping:
            raise BadMapping(problem="there is one way to the next page: next or page")
        token = mapping.get("token_env", TOKEN_PREFIX)
        if not str(token).startswith(TOKEN_PREFIX):
            raise BadMapping(problem=f"token_env names a variable that begins with {TOKEN_PREFIX}")
        check_host(str(mapping.get("url", "")))

    def read(self, feed: Feed) -> Statement:
        self.check(feed.mapping)
        rows, stated = [], None
        for answer in _pages(feed):
            rows.extend(_inside(answer, feed.mapping.get("items", ""), []))
            stated = _inside(answer, feed.mapping["total"], None) if "total" in feed.mapping else None
        if stated is not None and stated != len(rows):
            raise ControlTotals(what="A count of", stated=stated, found=len(rows))
        texts = pl.DataFrame(
            [_texts(number, row, feed.mapping["columns"]) for number, row in enumerate(rows, 1)],
            schema={"row": pl.Int64, **dict.fromkeys(TEXTS, pl.String), "raw": pl.String},
        )
        return Statement(shaped(texts, feed, columns=feed.mapping["columns"]))


def check_host(url: str) -> None:
    """Whether an address may be called at all. Raises HostNotAllowed."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host not in settings.RECON_API_HOSTS:
        raise HostNotAllowed(host=host or "an address without host", why="it is not among RECON_API_HOSTS")
    if parts.scheme != "https" and host not in settings.RECON_API_INSIDE_HOSTS:
        raise HostNotAllowed(host=host, why="only https is called")
    if parts.username or parts.password:
        raise HostNotAllowed(host=host, why="an address carries no password; use token_env")


def post_json(url: str, body: Mapping[str, Any]) -> None:
    """Send a JSON body to an allowed host, once. Raises HostNotAllowed, SourceUnreachable."""
    check_host(url)
    headers = {"Content-Type": "application/json"}
    _call(url, headers, page=1, method="POST", body=json.dumps(body).encode())


def _pages(feed: Feed) -> Iterator[Any]:
    mapping = feed.mapping
    url = str(mapping["url"]).replace("{date}", feed.on.isoformat())
    headers = {
        "Accept": "application/json",
        **{str(k): str(v) for k, v in mapping.get("headers", {}).items()},
    }
    if "token_env" in mapping:
        headers["Authorization"] = f"Bearer {os.environ.get(mapping['token_env'], '')}"
    seen = set()
    for page in range(1, MOST_PAGES + 1):
        address = _with_parameter(url, mapping["page"], page) if "page" in mapping else url
        if address in seen:
            raise SourceUnreachable(page=page, problem="it is a page that came before")
        seen.add(address)
        answer = _json(_call(address, headers, page=page), page)
        yield answer
        if "page" in mapping:
            if not _inside(answer, mapping.get("items", ""), []):
                return
        elif "next" in mapping and (following := _inside(answer, mapping["next"], None)):
            url = urljoin(address, str(following))
            if urlsplit(url).netloc != urlsplit(address).netloc:
                raise HostNotAllowed(host=urlsplit(url).hostname, why="a next page lies on the same host")
        else:
            return
    raise SourceUnreachable(page=MOST_PAGES, problem="there is no end of pages")


def _call(
    url: str, headers: Mapping[str, str], *, page: int, method: str = "GET", body: bytes | None = None
) -> bytes:
    """One request, tried again where that helps. Nothing is followed."""
    check_host(url)
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or USUAL_PORTS[parts.scheme]
    address = _public_address(host, port)
    named = {**headers, "Host": parts.netloc.rpartition("@")[2]}
    options: dict[str, Any] = {"timeout": TIMEOUT, "maxsize": 1}
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "https":
        pool = urllib3.HTTPSConnectionPool(
            address, port, server_hostname=host, assert_hostname=host, **options
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port, **options)
    tries = urllib3.Retry(
        total=TRIES, redirect=0, status_forcelist=AGAIN, backoff_factor=settings.RECON_API_BACKOFF,
        raise_on_redirect=False, raise_on_status=False, allowed_methods={"GET"}, respect_retry_after_header=False,
    )  # fmt: skip
    path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    try:
        with pool:
            answer = pool.request(
                method, path, body=body, headers=named, retries=tries, redirect=False, preload_content=False
            )
            content = answer.read(LARGEST_PAGE + 1, decode_content=True)
            answer.close()
    except urllib3.exceptions.HTTPError as error:
        raise SourceUnreachable(page=page, problem=_briefly(error)) from error
    if not 200 <= answer.status < 300:
        raise SourceUnreachable(page=page, problem=f"the host answered {answer.status}")
    if len(content) > LARGEST_PAGE:
        raise SourceUnreachable(page=page, problem="it is larger than 20 MB")
    expected = answer.headers.get("Content-Length")
    if expected and answer.headers.get("Content-Encoding") is None and int(expected) != len(content):
        raise SourceUnreachable(page=page, problem="it broke off")
    return content


def _public_address(host: str, port: int) -> str:
    """An address of the host, if all it has are public. Raises HostNotAllowed, SourceUnreachable."""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError as error:
        raise SourceUnreachable(page=1, problem=f"{host} is not known") from error
    for address in found:
        if not ipaddress.ip_address(address).is_global and host not in settings.RECON_API_INSIDE_HOSTS:
            raise HostNotAllowed(host=host, why="it leads to an address that is not public")
    return sorted(found)[0]


def _json(content: bytes, page: int) -> Any:
    try:
        return json.loads(content, parse_float=str, parse_constant=str)
    except ValueError as error:
        raise SourceUnreachable(page=page, problem="it is no whole JSON document") from error


def _with_parameter(url: str, name: str, value: int) -> str:
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != name]
    return urlunsplit(parts._replace(query=urlencode([*query, (name, value)])))


def _inside(answer: Any, path: str, otherwise: Any) -> Any:
    for name in filter(None, str(path).split(".")):
        if not isinstance(answer, Mapping):
            return otherwise
        answer = answer.get(name)
    if isinstance(otherwise, list) and not isinstance(answer, list):
        raise BadFile(problem=f"there is no list of rows at {path!r}")
    return otherwise if answer is None else answer


def _texts(number: int, row: Any, columns: Mapping[str, str]) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise BadFile(problem=f"row {number} is no object")
    found = {name: _inside(row, columns[name], "") if name in columns else "" for name in TEXTS}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in found.items()}
    return {"row": number, **texts, "raw": json.dumps(row, ensure_ascii=False)}


def _briefly(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason).rpartition(": ")[2][:160] or type(error).__name__
