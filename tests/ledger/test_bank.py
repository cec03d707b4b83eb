"""No cent is lost or made, however many work on the same accounts at once; and without the locks it would show."""

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import psycopg
import pytest
from django.db import connection

from tests.databases import PROJECT, manage_environment

from .factories import broken_proofs, charge, make_account

PROCESSES, CLERKS, ACCOUNTS = 2, 8, 8
OPERATIONS = 800
SOAKED = 5_000  # by make soak, times as many as it is told
PATIENCE = 300

pytestmark = pytest.mark.slow


def let_loose(url: str, program: str, orders: dict[str, Any], together: dict[str, Any]) -> dict[str, Any]:
    """Start the processes, let all begin when all are up, and add what each says in the end to `together`."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", program, json.dumps({**orders, "name": str(number)})],
            cwd=PROJECT,
            env=manage_environment(url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise AssertionError(process.communicate(timeout=PATIENCE)[1])
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        output, errors = process.communicate(timeout=PATIENCE + 60)
        assert process.returncode == 0, errors
        for name, value in json.loads(output).items():
            together[name] += value if isinstance(value, list) else Counter(value)
    return together


def work(url: str, *, operations: int, locked: bool) -> dict[str, Any]:
    """Let the clerks loose on a database until so much was done; returns what they did and saw, together."""
    each = -(-operations // (PROCESSES * CLERKS))
    orders = {"clerks": CLERKS, "operations": each, "patience": PATIENCE, "locked": locked}
    seen = {"done": Counter(), "refused": Counter(), "wrong_sums": [], "failures": Counter()}
    return let_loose(url, "tests.ledger.bank_clients", orders, seen)


@pytest.fixture
def bank(committing_database: str) -> str:
    """A few accounts, each with something owed."""
    for _ in range(ACCOUNTS):
        charge(make_account(), "LEASE", "500.00")
    connection.close()
    return committing_database


def deadlocks(url: str) -> int:
    with psycopg.connect(url) as server:
        found = server.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(found.fetchall()[0][0])


def test_sixteen_clients_on_eight_accounts_lose_no_cent(bank: str, soak_factor: int) -> None:
    operations = OPERATIONS if soak_factor == 1 else SOAKED * soak_factor
    seen = work(bank, operations=operations, locked=True)
    assert seen["failures"] == {}
    assert seen["wrong_sums"] == []
    assert seen["done"].total() >= operations, seen
    assert seen["refused"].total() > 0, "nobody ever wanted what somebody else took: this proved nothing"
    assert broken_proofs() == []
    assert deadlocks(bank) == 0


@pytest.mark.thorough
def test_without_the_locks_it_shows(bank: str) -> None:
    seen = work(bank, operations=600, locked=False)
    assert seen["failures"] or seen["wrong_sums"], seen
