"""What `html_pdf` prints with, and loads only then: HTML to PDF, without a network. A page may load local files below
its own base folder and nothing else.

The same HTML gives the same bytes: no clock and no random number goes into the file. Dates that a document
should carry come from its own `<meta name="dcterms.created">`.
"""

import gc
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from weasyprint import CSS, HTML, Document
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

from .html_pdf import RefusedResource

# A page is some hundred thousand objects, and by default Python looks for garbage among all that the process holds
# every few hundred new ones: a third of the time. Meanwhile it looks less often.
_WHILE_LAYING_OUT = (50_000, 20, 100)
_usual = gc.get_threshold()
_laying_out = 0
_counting = threading.Lock()

# Each thread has its own: Pango's font map, and the style sheets read with it, are not shared safely.
_of_this_thread = threading.local()


class _Refused(FatalURLFetchingError):
    """Carries the address out through WeasyPrint, which goes on without the file after any other error."""


class LocalFetcher(URLFetcher):
    """Opens files below one folder; every other address (http, data, other files) ends the rendering."""

    def __init__(self, folder: Path | None) -> None:
        super().__init__(allowed_protocols=("file",), allow_redirects=False, fail_on_errors=True)
        self.folder = folder.resolve() if folder else None

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:
        parts = urlsplit(url)
        path = Path(unquote(parts.path)).resolve()
        inside = self.folder is not None and path.is_relative_to(self.folder)
        if parts.scheme != "file" or parts.netloc or not inside:
            raise _Refused(url[:200])
        return super().fetch(path.as_uri(), headers)


def render_html_pdf(
    html: str, base_url: str | Path | None = None, *, stylesheet: Path | None = None
) -> bytes:
    """The PDF of one HTML page.

    base_url: the folder its relative addresses start from and may not leave; without it nothing is loaded.
    stylesheet: a CSS file of ours, read and parsed once per thread.
    Raises RefusedResource.
    """
    with _little_garbage_collection():
        return join_documents([lay_out(html, base_url, stylesheet=stylesheet)])


def lay_out(html: str, base_url: str | Path | None = None, *, stylesheet: Path | None = None) -> Document:
    """Pages that are laid out and not yet written; each document counts its pages from one."""
    folder = Path(base_url) if base_url is not None else None
    sheets = [_parsed(stylesheet)] if stylesheet else []
    with _refusals_told(), _little_garbage_collection():
        page = HTML(
            string=html, base_url=f"{folder.resolve()}/" if folder else "", url_fetcher=LocalFetcher(folder)
        )
        return page.render(font_config=_fonts(), stylesheets=sheets)


def join_documents(documents: Sequence[Document]) -> bytes:
    """One PDF of the pages of all documents, with the title and dates of the first."""
    first = documents[0]
    joined = first if len(documents) == 1 else first.copy([page for one in documents for page in one.pages])
    with _refusals_told(), _little_garbage_collection():
        return joined.write_pdf()


@contextmanager
def _refusals_told() -> Iterator[None]:
    try:
        yield
    except _Refused as refused:
        raise RefusedResource(url=refused.args[0]) from None


@contextmanager
def _little_garbage_collection() -> Iterator[None]:
    """Until the last thread that lays out is done; the setting is the process's."""
    global _laying_out, _usual
    with _counting:
        if not _laying_out:
            _usual = gc.get_threshold()
            gc.set_threshold(*_WHILE_LAYING_OUT)
        _laying_out += 1
    try:
        yield
    finally:
        with _counting:
            _laying_out -= 1
            if not _laying_out:
                gc.set_threshold(*_usual)


def _fonts() -> FontConfiguration:
    if not hasattr(_of_this_thread, "fonts"):
        _of_this_thread.fonts = FontConfiguration()
        _of_this_thread.sheets = {}
    return _of_this_thread.fonts


def _parsed(stylesheet: Path) -> CSS:
    fonts = _fonts()
    sheets: dict[Any, CSS] = _of_this_thread.sheets
    version = (stylesheet, stylesheet.stat().st_mtime_ns)
    if version not in sheets:
        sheets[version] = CSS(
            filename=str(stylesheet), font_config=fonts, url_fetcher=LocalFetcher(stylesheet.parent)
        )
    return sheets[version]
