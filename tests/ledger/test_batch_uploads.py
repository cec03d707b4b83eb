"""Files of source rows kept for a worker: under names of ours, no larger than they may be, and not for ever."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory

from batconnect.api.uploads import limited, was_too_large
from ledger.services import batch_uploads
from ledger.services.batch_uploads import (
    UploadGone,
    UploadTooLarge,
    find_upload,
    forget_upload,
    receive_upload,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path / "batches"


def test_a_file_is_kept_whole_and_found_by_its_token_until_it_is_forgotten(folder: Path) -> None:
    upload = receive_upload(chunks=[b"one", b"two"], name="rows.csv")
    assert find_upload(upload.token) == upload
    assert (upload.path.read_bytes(), upload.size) == (b"onetwo", 6)
    assert upload.sha256 == hashlib.sha256(b"onetwo").hexdigest()
    forget_upload(upload.token)
    forget_upload(upload.token)
    assert not list(folder.iterdir())
    with pytest.raises(UploadGone):
        find_upload(upload.token)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\rows\\march.csv", "march.csv"),
        ("ro\x00ws\u202e\n.csv", "rows.csv"),
        ("x" * 300, "x" * 255),
        ("", "upload"),
        ("/", "upload"),
    ],
)
def test_what_a_file_was_called_names_nothing_here(folder: Path, sent: str, kept: str) -> None:
    upload = receive_upload(chunks=[b"x"], name=sent)
    assert upload.name == kept
    assert {path.stem for path in folder.iterdir()} == {upload.token}
    assert upload.path.parent == folder


@pytest.mark.parametrize("token", ["", "x", "../" * 10 + "f" * 32, "F" * 32, "0" * 31])
def test_a_token_that_is_none_reads_and_removes_nothing(folder: Path, token: str) -> None:
    outside = folder.parent / "x.json"
    outside.write_text("{}")
    forget_upload(token)
    with pytest.raises(UploadGone):
        find_upload(token)
    assert outside.exists()


def test_a_file_above_the_limit_leaves_nothing(folder: Path, settings: Any) -> None:
    settings.BATCH_UPLOAD_MAX_BYTES = 5
    assert receive_upload(chunks=[b"12345"], name="a").size == 5
    with pytest.raises(UploadTooLarge):
        receive_upload(chunks=[b"123", b"456"], name="b")
    assert len(list(folder.iterdir())) == 2


def test_a_request_whose_file_is_too_large_is_cut_off_as_it_arrives(rf: RequestFactory) -> None:
    def sent(size: int, most: int) -> Any:
        request = rf.post("/", {"pack": "taxi", "file": SimpleUploadedFile("a.csv", b"x" * size)})
        limited(request, most)
        return request

    fits, above, far_above = sent(10, 10), sent(11, 10), sent(2_000_000, 10)
    assert (fits.FILES["file"].size, was_too_large(fits)) == (10, False)
    for request in (above, far_above):
        assert not request.FILES and was_too_large(request)


def test_what_nobody_had_loaded_is_forgotten_after_some_days(folder: Path) -> None:
    old, new = (receive_upload(chunks=[b"x"], name=name) for name in ("old", "new"))
    past = old.path.stat().st_mtime - batch_uploads.KEPT.total_seconds() - 60
    for path in folder.glob(f"{old.token}.*"):
        os.utime(path, (past, past))
    third = receive_upload(chunks=[b"x"], name="third")
    assert {path.stem for path in folder.iterdir()} == {new.token, third.token}
