"""Calls to hosts outside: whom we may call, how often it is tried, how large an answer may be, and page after page.

Only hosts in RECON_API_HOSTS are called, at addresses that are public, looked up once per page and called as looked
up, so that a name cannot lead elsewhere afterwards. No redirect is followed. A host that stumbles is asked again, after
as long as it asks for (`Retry-After`, within bounds) or a growing while. Every answer has its size and its time.
"""

import hashlib
import ipaddress
import json
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import urllib3
from django.conf import settings

from .errors import BadFile, BadMapping, ControlTotals, HostNotAllowed, SourceUnreachable

AGAIN = (429, 500, 502, 503, 504)
TRIES = 3
MOST_PAGES = 10_000
LARGEST_PAGE = 20 * 1024 * 1024  # bytes
BLOCK = 64 * 1024
TOKEN_PREFIX = "RECON_TOKEN_"  # noqa: S105  (only such variables may be named by a source)
# Escapes in JSON that may stand for what no text in the database may have; two backslashes are one of themselves.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_HALF = re.compile(r"\\u[dD][89abcdefABCDEF]")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
USUAL_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Page:
    """One answer: `number` from 1, as it came (`content`), and the rows in it."""

    number: int
    content: bytes
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Paging:
    """Where rows are in an answer, and how the next page is found.

    url: with what is asked for filled in. items: where the rows are, e.g. `data.items`. next: where the next page's
    address is; or page: the name of a counting parameter, from 1, whose first page without rows is the last. total:
    where the API states how many rows there are. token_env: the variable with the bearer token. headers: sent as
    they are.
    """

    url: str
    items: str = ""
    next: str = ""
    page: str = ""
    total: str = ""
    token_env: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, mapping: Mapping[str, Any], *, url: str = "") -> Self:
        """From the mapping of a source. Raises BadMapping, HostNotAllowed."""
        texts = {
            name: str(mapping.get(name, ""))
            for name in ("url", "items", "next", "page", "total", "token_env")
        }
        given = mapping.get("headers", {})
        if not isinstance(given, Mapping):
            raise BadMapping(problem="headers names what is sent: a value for each")
        headers = tuple((str(name), str(value)) for name, value in given.items())
        paging = cls(**{**texts, "url": url or texts["url"]}, headers=headers)
        paging.check()
        return paging

    def check(self) -> None:
        """Whether it may be called so. Raises BadMapping, HostNotAllowed."""
        if self.next and self.page:
            raise BadMapping(problem="there is one way to the next page: next or page")
        if self.token_env and not self.token_env.startswith(TOKEN_PREFIX):
            raise BadMapping(problem=f"token_env names a variable that begins with {TOKEN_PREFIX}")
        if not all(_sendable(text) for header in self.headers for text in header):
            raise BadMapping(problem="headers are letters, digits and signs, without line ends")
        check_host(self.url)

    def sent(self) -> dict[str, str]:
        """The headers of a request. Raises BadMapping where the token is not in the environment."""
        headers = {"Accept": "application/json", **dict(self.headers)}
        if self.token_env:
            token = os.environ.get(self.token_env, "").strip()  # a file that it came from ends its line
            if not _sendable(token):  # else the error about it would tell it
                raise BadMapping(problem=f"the environment has no {self.token_env}, which holds the token")
            headers["Authorization"] = f"Bearer {token}"
        return headers


def _sendable(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable()


def read_pages(paging: Paging) -> Iterator[Page]:
    """Every page in order, to the last one. Whoever keeps what comes keeps it once all are there.

    Raises SourceError: not reached, not whole, not JSON, a page that came before, fewer rows than are stated.
    """
    headers, url, count = paging.sent(), paging.url, 0
    seen: set[str] = set()
    for number in range(1, MOST_PAGES + 1):
        address = _with_parameter(url, paging.page, number) if paging.page else url
        content = call(address, headers, page=number)
        answer = _json(content, number)
        rows = _rows(answer, paging.items, count)
        # The same address again, or the same rows under another one: an API that counts wrongly would never end.
        marks = {address, hashlib.sha256(content).hexdigest() if rows else address}
        if marks & seen:
            raise SourceUnreachable(page=number, problem="it is a page that came before")
        seen |= marks
        count += len(rows)
        yield Page(number, content, rows)
        following = inside(answer, paging.next, None) if paging.next else None
        if following is not None and following != "":
            url = _next_address(address, str(following))
        elif not (paging.page and rows):
            _check_total(answer, paging.total, count)
            return
    raise SourceUnreachable(page=MOST_PAGES, problem="there is no end of pages")


def check_host(url: str) -> None:
    """Whether an address may be called at all. Raises HostNotAllowed."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise HostNotAllowed(host="an address that cannot be read", why=str(error)) from error
    if host not in settings.RECON_API_HOSTS:
        raise HostNotAllowed(host=host or "an address without host", why="it is not among RECON_API_HOSTS")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in settings.RECON_API_INSIDE_HOSTS):
        raise HostNotAllowed(host=host, why="only https is called")
    if parts.username or parts.password:
        raise HostNotAllowed(host=host, why="an address carries no password; use token_env")


def post_json(url: str, body: Mapping[str, Any]) -> None:
    """Send a JSON body to an allowed host, once. Raises HostNotAllowed, SourceUnreachable."""
    headers = {"Content-Type": "application/json"}
    call(url, headers, page=1, method="POST", body=json.dumps(body).encode())


def call(
    url: str, headers: Mapping[str, str], *, page: int, method: str = "GET", body: bytes | None = None
) -> bytes:
    """One request, tried again where that helps. Nothing is followed. Raises HostNotAllowed, SourceUnreachable."""
    check_host(url)
    parts = urlsplit(url)
    named = {**headers, "Host": parts.netloc.rpartition("@")[2]}
    tries = urllib3.Retry(
        total=TRIES, redirect=0, status_forcelist=AGAIN, backoff_factor=settings.RECON_API_BACKOFF,
        raise_on_redirect=False, raise_on_status=False, allowed_methods={"GET"},
        respect_retry_after_header=True, retry_after_max=settings.RECON_API_LONGEST_WAIT,
    )  # fmt: skip
    path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    try:
        with _pool(parts.scheme, parts.hostname or "", parts.port or USUAL_PORTS[parts.scheme]) as pool:
            answer = pool.request(
                method, path, body=body, headers=named, retries=tries, redirect=False, preload_content=False
            )
            content = _content(answer, page)
            answer.close()
    except urllib3.exceptions.HTTPError as error:
        raise SourceUnreachable(page=page, problem=_briefly(error)) from error
    if answer.status in (401, 403):
        raise SourceUnreachable(
            page=page, problem=f"the host answered {answer.status}: it does not take the token"
        )
    if not 200 <= answer.status < 300:
        raise SourceUnreachable(page=page, problem=f"the host answered {answer.status}")
    expected = answer.headers.get("Content-Length")
    if expected and answer.headers.get("Content-Encoding") is None and expected != str(len(content)):
        raise SourceUnreachable(page=page, problem="it broke off")
    return content


def inside(answer: Any, path: str, otherwise: Any) -> Any:
    """What is at `a.b` of an answer; `otherwise` where there is nothing."""
    for name in filter(None, str(path).split(".")):
        if not isinstance(answer, Mapping):
            return otherwise
        answer = answer.get(name)
    return otherwise if answer is None else answer


def _pool(scheme: str, host: str, port: int) -> urllib3.HTTPConnectionPool:
    """Connections to the address that was looked up and found good, under the host's own name."""
    address = _public_address(host, port)
    seconds = settings.RECON_API_TIMEOUT
    timeout = urllib3.Timeout(connect=min(5, seconds), read=seconds)
    if scheme == "https":
        return urllib3.HTTPSConnectionPool(
            address, port, server_hostname=host, assert_hostname=host, timeout=timeout, maxsize=1
        )
    return urllib3.HTTPConnectionPool(address, port, timeout=timeout, maxsize=1)


def _content(answer: urllib3.BaseHTTPResponse, page: int) -> bytes:
    """The body, as long as it is neither too large nor too slow: a byte a minute is no answer."""
    until = time.monotonic() + settings.RECON_API_PAGE_SECONDS
    blocks, size = [], 0
    while block := answer.read1(BLOCK, decode_content=True):
        blocks.append(block)
        size += len(block)
        if size > LARGEST_PAGE:
            raise SourceUnreachable(page=page, problem="it is larger than 20 MB")
        if time.monotonic() > until:
            raise SourceUnreachable(page=page, problem="it took too long")
    return b"".join(blocks)


def _public_address(host: str, port: int) -> str:
    """An address of the host, if all it has are public. Raises HostNotAllowed, SourceUnreachable."""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError as error:
        raise SourceUnreachable(page=1, problem=f"{host} is not known") from error
    for address in found:
        if not _is_public(address) and host not in settings.RECON_API_INSIDE_HOSTS:
            raise HostNotAllowed(host=host, why="it leads to an address that is not public")
    return sorted(found)[0]


def _is_public(text: str) -> bool:
    """Whether an address is of the open internet, and so is the IPv4 address that it may carry inside."""
    address = ipaddress.ip_address(text)
    within = None
    if isinstance(address, ipaddress.IPv6Address):
        within = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            within = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return all(one.is_global and not one.is_multicast for one in (address, within) if one is not None)


def _json(content: bytes, page: int) -> Any:
    try:
        text = content.decode("utf-8-sig")
        answer = json.loads(text, parse_float=str, parse_constant=str)
        if _HALF.search(text):
            json.dumps(answer, ensure_ascii=False).encode()  # half a character, which nothing can keep
        if _NUL.search(text):
            raise SourceUnreachable(page=page, problem="it has a character (NUL) that cannot be kept")
        return answer
    except (ValueError, RecursionError) as error:
        raise SourceUnreachable(page=page, problem="it is no whole JSON document") from error


def _rows(answer: Any, path: str, before: int) -> list[Mapping[str, Any]]:
    rows = inside(answer, path, [])
    if not isinstance(rows, list):
        raise BadFile(problem=f"there is no list of rows at {path!r}")
    for number, row in enumerate(rows, before + 1):
        if not isinstance(row, Mapping):
            raise BadFile(problem=f"row {number} is no object")
    return rows


def _next_address(address: str, following: str) -> str:
    try:
        url = urljoin(address, following)
        there = urlsplit(url).netloc
    except ValueError as error:
        raise HostNotAllowed(host="the next page's address", why=str(error)) from error
    if there != urlsplit(address).netloc:
        raise HostNotAllowed(host=urlsplit(url).hostname, why="a next page lies on the same host")
    return url


def _check_total(answer: Any, path: str, count: int) -> None:
    stated = inside(answer, path, None) if path else None
    if stated is not None and str(stated) != str(count):
        raise ControlTotals(what="A count of", stated=stated, found=count)


def _with_parameter(url: str, name: str, value: int) -> str:
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != name]
    return urlunsplit(parts._replace(query=urlencode([*query, (name, value)])))


def _briefly(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason).rpartition(": ")[2][:160] or type(error).__name__
