"""Papers put to a case: what may be attached, and where it is kept."""

import hashlib
import uuid
from pathlib import PurePath

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from batconnect.common.errors import BatConnectError
from batconnect.common.models import User

from ..models import CaseDocument, CaseEvent
from .access import visible_case
from .events import lock_case, record_event

MOST_DOCUMENTS = 50
_LONGEST_NAME = 120
# By the end of the name: the type it is handed out as, and how such a file starts.
TYPES: dict[str, tuple[str, bytes]] = {
    ".pdf": ("application/pdf", b"%PDF-"),
    ".png": ("image/png", b"\x89PNG\r\n\x1a\n"),
    ".jpg": ("image/jpeg", b"\xff\xd8\xff"),
    ".jpeg": ("image/jpeg", b"\xff\xd8\xff"),
    ".xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK\x03\x04"),
    ".docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", b"PK\x03\x04"),
    ".txt": ("text/plain; charset=utf-8", b""),
    ".csv": ("text/csv; charset=utf-8", b""),
}


class DocumentTooLarge(BatConnectError):
    code, status = "document.too_large", 400
    message = "{name} has {size:,} bytes; a document has at most {most:,}."


class EmptyDocument(BatConnectError):
    code, status = "document.empty", 400
    message = "{name} is empty."


class DocumentType(BatConnectError):
    code, status = "document.type", 400
    message = "{name} is none of the kinds that are kept: {kinds}."


class NotWhatItSays(BatConnectError):
    code, status = "document.content", 400
    message = "{name} is not the kind of file that its name says."


class AttachedBefore(BatConnectError):
    code, status = "document.duplicate", 409
    message = "The same file is attached already, as {name}."


class TooManyDocuments(BatConnectError):
    code, status = "document.too_many", 409
    message = "A case holds {most} documents."


class UnknownDocument(BatConnectError):
    code, status = "document.unknown", 404
    message = "{case_no} has no such document."


@transaction.atomic
def attach(*, case_no: str, upload: UploadedFile, actor: User) -> CaseDocument:
    """Keep an uploaded file with the case, under a name of our own making. Raises the errors above, UnknownCase."""
    visible_case(case_no=case_no, actor=actor)
    case = lock_case(case_no)
    name = clean_name(upload.name or "")
    suffix = PurePath(name).suffix.lower()
    most = settings.CASE_DOCUMENT_MAX_BYTES
    if suffix not in TYPES:
        raise DocumentType(name=name, kinds=", ".join(sorted(kind[1:] for kind in TYPES)))
    content_type, start = TYPES[suffix]
    if (upload.size or 0) > most:
        raise DocumentTooLarge(name=name, size=upload.size, most=most)
    content = upload.read(most + 1)
    if not content:
        raise EmptyDocument(name=name)
    if not content.startswith(start) or (not start and not _is_text(content)):
        raise NotWhatItSays(name=name)
    digest = hashlib.sha256(content).hexdigest()
    if same := case.documents.filter(sha256=digest).first():
        raise AttachedBefore(name=same.name)
    if case.documents.count() >= MOST_DOCUMENTS:
        raise TooManyDocuments(most=MOST_DOCUMENTS)
    document = CaseDocument(
        case=case, name=name, content_type=content_type, size=len(content), sha256=digest, uploaded_by=actor
    )
    document.file.save(f"{uuid.uuid4().hex}{suffix}", ContentFile(content), save=False)
    document.save(force_insert=True)
    record_event(
        case=case,
        action=CaseEvent.Action.ATTACHED,
        actor=actor,
        after={"document": document.pk, "name": name, "size": document.size, "sha256": digest},
    )
    return document


def document_of(*, case_no: str, document_id: int, actor: User) -> CaseDocument:
    """Raises UnknownCase, UnknownDocument."""
    case = visible_case(case_no=case_no, actor=actor)
    document = case.documents.filter(pk=document_id).first()
    if document is None:
        raise UnknownDocument(case_no=case_no)
    return document


def clean_name(name: str) -> str:
    """The last part of a path, without what would break a header or a screen; its end is kept."""
    plain = "".join(letter for letter in name.replace("\\", "/").rpartition("/")[2] if letter.isprintable())
    plain = plain.replace('"', "'").strip() or "document"
    path = PurePath(plain)
    return (
        path.stem[: _LONGEST_NAME - len(path.suffix)] + path.suffix if len(plain) > _LONGEST_NAME else plain
    )


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode("utf-8")
    except UnicodeDecodeError:
        return False
