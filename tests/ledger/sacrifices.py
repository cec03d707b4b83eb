"""Management commands that die when told to: at one SQL statement of theirs, by SIGKILL, or their server does.

`Sacrifices` starts one process that has Django set up and forks a child per command, so that dying costs no
start-up. Nothing in the product knows of this: the child counts its statements through Django's own hook.
"""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

SMALL_CHUNKS = {"accounts": 2, "installments": 4, "bytes": 3_000}  # so that a small fleet has many of each


@dataclass(frozen=True)
class Point:
    """The n-th time a statement is run, and when death comes: before, during or after it."""

    statement: str
    occurrence: int
    when: str = "after"


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit code (-9: killed), what it printed, and each statement's name and text."""

    code: int
    output: str
    statements: Sequence[tuple[str, str]]

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Sacrifices:
    """`with Sacrifices(environment) as sacrifices: sacrifices.run(url, "run_week", …, at=Point(…))`."""

    def __init__(self, environment: Mapping[str, str], *, cwd: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.ledger.sacrifices"],
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Sacrifices":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def run(
        self, url: str, *command: str, at: Point | None = None, deed: str = "kill", where: str = ""
    ) -> Outcome:
        """Run a command, `seed`, or `call` a function by its path, on a database of the environment's server.

        At `at`, do the deed (`_DEEDS`).
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        order = {"database": urlsplit(url).path.lstrip("/"), "command": command, "deed": deed, "where": where}
        point = at and {"statement": at.statement, "occurrence": at.occurrence, "when": at.when}
        self._process.stdin.write(json.dumps({**order, "at": point}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Outcome(answer["code"], answer["output"], [tuple(pair) for pair in answer["statements"]])


# --- in the child -------------------------------------------------------------------------------------------


def name_of(statement: str) -> str:
    """Short, and the same in every process: Django's savepoints are called by thread and number."""
    text = re.sub(r'"s\d+_x\d+"', "a savepoint", " ".join(statement.split()))
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:12]


class Watch:
    """Sees every statement of every connection of this process, and acts at one of them."""

    def __init__(self, at: Mapping[str, Any] | None, deed: str, where: str) -> None:
        self.at, self.deed, self.where = at, deed, where
        self.seen: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        text = str(sql)
        with self._lock:
            self.seen.append((name_of(text), " ".join(text.split())))
            count = sum(name == self.seen[-1][0] for name, _ in self.seen)
            here = self.at and (self.at["statement"], self.at["occurrence"]) == (self.seen[-1][0], count)
        when = self.at["when"] if self.at and here else ""
        if when == "before":
            self.act()
        if when == "during":
            threading.Timer(0.001, self.act).start()
        result = execute(sql, params, many, context)
        if when in ("after", "during"):
            self.act()
        return result

    def act(self) -> None:
        _DEEDS[self.deed](self.where)


def _kill(_where: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_server(home: str) -> None:
    from batconnect.embedded import Cluster

    Cluster(Path(home)).kill()


def _hold(folder: str) -> None:
    """Say that the point is reached, and go on when allowed."""
    (Path(folder) / "reached").touch()
    while not (Path(folder) / "go").exists():
        time.sleep(0.02)


_DEEDS = {"kill": _kill, "kill_server": _kill_server, "hold": _hold}


def _carry_out(order: Mapping[str, Any]) -> dict[str, Any]:
    """Run one command in this process and say how it went."""
    from django.core.management import call_command
    from django.db import connections
    from django.db.backends.signals import connection_created
    from django.utils.module_loading import import_string

    from ledger.services import trips, weekly_close
    from tests.ledger import small_fleet

    weekly_close.CHUNK_OF_ACCOUNTS = SMALL_CHUNKS["accounts"]
    weekly_close.CHUNK_OF_INSTALLMENTS = SMALL_CHUNKS["installments"]
    trips.BLOCK = SMALL_CHUNKS["bytes"]
    connections["default"].settings_dict["NAME"] = order["database"]
    watch = Watch(order["at"], order["deed"], order["where"])
    connection_created.connect(lambda connection, **_: connection.execute_wrappers.append(watch), weak=False)
    output = StringIO()
    name, *arguments = order["command"]
    try:
        if name == "seed":
            small_fleet.seed(*map(int, arguments))
        elif name == "call":
            output.write(str(import_string(arguments[0])(*arguments[1:])))
        else:
            call_command(name, *arguments, stdout=output, stderr=output)
        code = 0
    except BaseException as error:
        code, text = 1, f"{type(error).__name__}: {error}"
        output.write(text)
    return {"code": code, "output": output.getvalue(), "statements": watch.seen}


def _in_a_child(order: Mapping[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "w") as pipe:
            json.dump(_carry_out(order), pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return {"code": -os.WTERMSIG(status), "output": "", "statements": []}
    return dict(json.loads(told))


def main() -> None:
    import django

    django.setup()
    for line in sys.stdin:
        print(json.dumps(_in_a_child(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
