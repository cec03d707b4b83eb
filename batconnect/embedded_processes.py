"""Is a server's process alive, and the end of it and all its children. Imported only when that is asked.

(psutil takes longer to import than the usual start of an already running server takes altogether.)
"""

import contextlib
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped] # comes with the wheel, without types


def server_pid(data: Path) -> int | None:
    """The process id of the server on that folder, or None if none runs, whatever a stale pid file says."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        recorded, recorded_data = int(lines[0]), lines[1]
        process = psutil.Process(recorded)
        running = not _is_gone(process) and process.cmdline()[1:3] == ["-D", recorded_data]
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    # A process id may have been given out again, and a pid file may have come along with copied data.
    ours = recorded_data == str(data) or not Path(recorded_data).exists()
    return recorded if running and ours else None


def kill_server(pid: int) -> None:
    """SIGKILL the server and all its children; returns when they are gone."""
    try:
        server = psutil.Process(pid)
        server.suspend()  # or it would start new children while we collect them
        family = [server, *server.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    while not all(_is_gone(process) for process in family):
        time.sleep(0.01)


def _is_gone(process: psutil.Process) -> bool:
    try:
        # A zombie waits for its parent to take note, and does nothing more.
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
