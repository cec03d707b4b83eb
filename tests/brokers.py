"""A Redis of a test's own, and Celery workers that are real processes on it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import redis
from celery import Celery

from tests.databases import PROJECT, manage_environment


@contextlib.contextmanager
def redis_broker() -> Iterator[str]:
    """The URL of a Redis that keeps nothing, on a free port; gone afterwards."""
    server = shutil.which("redis-server")
    assert server, "redis-server is needed: make .venv/.redis, or see scripts/setup.sh"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "no"}
        command = [server, *(part for name, value in options.items() for part in (f"--{name}", str(value)))]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        try:
            _wait_until_it_answers(port, process)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait(10)


def sending_to(broker: str) -> Celery:
    """An application that sends tasks there, whatever this process is configured for."""
    return Celery("tests", broker=broker, set_as_current=False)


class Worker:
    """`celery worker` with one process for tasks, in a session of its own so that it can be killed with it."""

    def __init__(self, database: str, broker: str, name: str, *more: str) -> None:
        self.log = Path(tempfile.mkdtemp(prefix="worker-")) / "log"
        environment = manage_environment(database, {"CELERY_BROKER_URL": broker, "LOG_LEVEL": "INFO"})
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "batconnect", "worker", "--hostname", f"{name}@%h",
                 "--concurrency", "1", "--loglevel", "INFO", "--without-mingle", "--without-gossip", *more],
                cwd=PROJECT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def said(self) -> str:
        return self.log.read_text()

    def wait_until_ready(self) -> None:
        wait_until(lambda: " ready." in self.said() or self.process.poll() is not None, self.said)
        assert self.process.poll() is None, self.said()

    def has_process(self, pid: int) -> bool:
        """Whether a process is this worker's."""
        try:
            return os.getsid(pid) == self.process.pid
        except ProcessLookupError:
            return False

    def kill(self) -> None:
        """SIGKILL, to the worker and its processes at once: the machine is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        shutil.rmtree(self.log.parent, ignore_errors=True)


@contextlib.contextmanager
def workers(database: str, broker: str, names: Mapping[str, tuple[str, ...]]) -> Iterator[dict[str, Worker]]:
    """Workers by name, each with more options of its own, started together and ready."""
    running = {name: Worker(database, broker, name, *more) for name, more in names.items()}
    try:
        for worker in running.values():
            worker.wait_until_ready()
        yield running
    finally:
        for worker in running.values():
            worker.kill()


def wait_until(done: object, said: object = None, seconds: float = 60) -> None:
    """Raises AssertionError, with what is said, when it takes too long."""
    assert callable(done)
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, said() if callable(said) else "it took too long"
        time.sleep(0.02)


def _wait_until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    client = redis.Redis(port=port)
    while True:
        try:
            client.ping()
            return
        except redis.ConnectionError:
            assert process.poll() is None, "redis-server did not start"
            time.sleep(0.02)
        finally:
            client.close()
