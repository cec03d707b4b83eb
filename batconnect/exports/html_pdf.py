"""HTML to PDF: the way in for whoever prints.

What lays pages out (`typesetting`) takes Pango and half a second to load: a process that prints nothing never does.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from batconnect.common.errors import BatConnectError

if TYPE_CHECKING:
    from weasyprint import Document


class RefusedResource(BatConnectError):
    code, status = "pdf.refused_resource", 400
    message = "A document may not load {url}. Documents load nothing but the project's own files."


def render_html_pdf(
    html: str, base_url: str | Path | None = None, *, stylesheet: Path | None = None
) -> bytes:
    """The PDF of one HTML page.

    base_url: the folder its relative addresses start from and may not leave; without it nothing is loaded.
    stylesheet: a CSS file of ours, read and parsed once per thread.
    Raises RefusedResource.
    """
    from .typesetting import render_html_pdf

    return render_html_pdf(html, base_url, stylesheet=stylesheet)


def lay_out(html: str, base_url: str | Path | None = None, *, stylesheet: Path | None = None) -> "Document":
    """Pages that are laid out and not yet written; each document counts its pages from one."""
    from .typesetting import lay_out

    return lay_out(html, base_url, stylesheet=stylesheet)


def join_documents(documents: "Sequence[Document]") -> bytes:
    """One PDF of the pages of all documents, with the title and dates of the first."""
    from .typesetting import join_documents

    return join_documents(documents)
