"""No cent is lost or made, however many work on the same accounts at once; and without the locks it would show."""

import json
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import psycopg
import pytest
from django.db import connection

from ledger.selectors.proofs import run_proofs
from tests.databases import PROJECT, manage_environment

from .factories import charge, make_account

PROCESSES, CLERKS, ACCOUNTS = 4, 4, 8
OPERATIONS = 5_000
SECONDS, SECONDS_WITHOUT_LOCKS = 45, 8

pytestmark = pytest.mark.slow


def work(url: str, *, seconds: float, locked: bool, enough: int | None = None) -> dict[str, Any]:
    """Let the clerks loose on a database, until enough was done or time is up; returns what they saw, together."""
    started = time.time() + 4  # by when all of them are up
    orders = {"clerks": CLERKS, "until": started + seconds, "locked": locked}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.ledger.bank_clients", json.dumps({**orders, "seed": seed})],
            cwd=PROJECT,
            env=manage_environment(url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(PROCESSES)
    ]
    together: dict[str, Any] = {
        "done": Counter(),
        "refused": Counter(),
        "wrong_sums": [],
        "failures": Counter(),
    }
    for process in processes:
        output, errors = process.communicate(timeout=seconds + 60)
        assert process.returncode == 0, errors
        for name, value in json.loads(output).items():
            together[name] += value if isinstance(value, list) else Counter(value)
    return together


@pytest.fixture
def bank(committing_database: str) -> str:
    """A few accounts, each with something owed."""
    for _ in range(ACCOUNTS):
        charge(make_account(), "LEASE", "500.00")
    connection.close()
    return committing_database


def deadlocks(url: str) -> int:
    with psycopg.connect(url) as server:
        return server.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()[0]


def test_sixteen_clients_on_eight_accounts_lose_no_cent(bank: str) -> None:
    seen = work(bank, seconds=SECONDS, locked=True)
    print(seen, deadlocks(bank))
    assert seen["failures"] == {}
    assert seen["wrong_sums"] == []
    assert seen["done"].total() >= OPERATIONS
    assert [proof for proof in run_proofs() if not proof.ok] == []
    assert deadlocks(bank) == 0


def test_without_the_locks_it_shows(bank: str) -> None:
    seen = work(bank, seconds=SECONDS_WITHOUT_LOCKS, locked=False)
    print(seen)
    assert seen["failures"] or seen["wrong_sums"]
