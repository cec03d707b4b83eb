"""A function of ours in a process of its own, on the database that this process works on.

Spawned and not forked: a fork of a process that has used Polars may hang, and a connection is nobody else's.
"""

import multiprocessing
from multiprocessing.process import BaseProcess
from typing import Any


def start(path: str, *, name: str = "", **arguments: Any) -> BaseProcess:
    """Start `path` (`package.module.function`) with these arguments, which can be pickled."""
    from django.db import connection

    database = {key: value for key, value in connection.settings_dict.items() if key != "TEST"}
    process = multiprocessing.get_context("spawn").Process(
        target=_run, args=(path, arguments, database), name=name or path
    )
    process.start()
    return process


def _run(path: str, arguments: dict[str, Any], database: dict[str, Any]) -> None:
    """In the child, which knows nothing: no model may be imported before Django is set up."""
    import django

    django.setup()
    from django.db import connections
    from django.utils.module_loading import import_string

    connections["default"].settings_dict.update(database)
    import_string(path)(**arguments)
