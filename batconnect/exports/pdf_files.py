"""PDF files in a folder, many at a time: laid out in processes of their own, each file whole or not there.

Needs neither Django nor the database, so a process starts quickly and holds no connection.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from batconnect.common.errors import BatConnectError

from .html_pdf import render_html_pdf

WAITING_PER_WORKER = 4  # enough that no process idles, few enough that the pages to come take little memory


class CannotWrite(BatConnectError):
    code, status = "export.cannot_write", 400
    message = "{path} cannot be written: {problem}. Choose another folder, or make room."


class WorkerLost(BatConnectError):
    code, status = "export.worker_lost", 500
    message = (
        "A process that lays out pages was ended from outside, perhaps for memory. Run it again with fewer."
    )


Refusal = tuple[type[BatConnectError], dict[str, Any]]


@dataclass(frozen=True)
class PdfFile:
    """A page, and the file its PDF becomes."""

    html: str
    path: Path


def make_folder(folder: Path) -> Path:
    """The folder, made if it is missing and known to be writable. Raises CannotWrite."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise CannotWrite(path=folder, problem=error.strerror or error) from None
    return folder


def write_whole(path: Path, content: bytes) -> None:
    """Write beside the file, then rename over it: a reader sees the former file or the new one, never half.

    Raises CannotWrite.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise CannotWrite(path=path, problem=error.strerror or error) from None


def write_pdfs(
    files: Iterable[PdfFile],
    *,
    stylesheet: Path,
    workers: int,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write every file; returns how many. `progress` hears the number done so far.

    Raises CannotWrite, WorkerLost. What was written before stays, for every file is whole.
    """
    done = 0
    for _ in _written(files, stylesheet, workers):
        done += 1
        if progress:
            progress(done)
    return done


def _written(files: Iterable[PdfFile], stylesheet: Path, workers: int) -> Iterator[None]:
    if workers <= 1:
        for file in files:
            _write(file, stylesheet)
            yield
        return
    # Spawned, not forked: a fork would share the caller's database connection and hold its locks.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[Refusal | None]] = deque()
        for file in files:
            waiting.append(pool.submit(_write_there, file, stylesheet))
            if len(waiting) >= workers * WAITING_PER_WORKER:
                _take(waiting.popleft())
                yield
        while waiting:
            _take(waiting.popleft())
            yield


def _write(file: PdfFile, stylesheet: Path) -> None:
    write_whole(file.path, render_html_pdf(file.html, stylesheet=stylesheet))


def _write_there(file: PdfFile, stylesheet: Path) -> Refusal | None:
    """Write in a process of the pool; ours do not pickle, so errors travel in parts."""
    try:
        _write(file, stylesheet)
    except BatConnectError as error:
        return type(error), error.details
    return None


def _take(written: Future[Refusal | None]) -> None:
    try:
        refusal = written.result()
    except BrokenProcessPool:
        raise WorkerLost from None
    if refusal is not None:
        error, details = refusal
        raise error(**details)
