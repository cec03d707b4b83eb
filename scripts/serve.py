"""Web, worker and beat together, for development: `make serve`. One Ctrl-C stops all three."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

PROJECT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 15


def commands(host: str, port: str) -> dict[str, list[str]]:
    """What runs, by name."""
    celery = [sys.executable, "-m", "celery", "-A", "batconnect"]
    return {
        "web": [sys.executable, "manage.py", "runserver", f"{host}:{port}"],
        "worker": [*celery, "worker", "--loglevel", "WARNING", "--concurrency", "2"],
        "beat": [*celery, "beat", "--loglevel", "WARNING", "--pidfile", ""],
    }


def main(host: str, port: str) -> int:
    """Run them until one ends or somebody stops us, then stop the rest; returns the first one's exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    # A session each: the terminal's Ctrl-C then reaches us alone, and everybody is told once, by us.
    running = {
        name: subprocess.Popen(command, cwd=PROJECT, start_new_session=True)  # noqa: S603
        for name, command in commands(host, port).items()
    }
    sys.stdout.write(
        f"\nBAT Connect is on http://{host}:{port}/admin/ (Ctrl-C stops it).\n"
        f"To create a login: {sys.executable} manage.py createsuperuser\n\n"
    )
    sys.stdout.flush()
    try:
        while True:
            for name, process in running.items():
                code = process.poll()
                if code is not None:
                    sys.stderr.write(f"{name} ended with {code}; stopping the others.\n")
                    return code or 1
            time.sleep(0.5)
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(list(running.values()))


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + PATIENCE_SECONDS
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with what it started itself
            process.wait()


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:3]))
