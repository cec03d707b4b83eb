"""Sixteen clients move money among eight guarded accounts; and without the locks it would show."""

import json
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import pytest
from django.db import connection

from tests.databases import PROJECT, manage_environment

from .account_stories import moved, opened
from .factories import broken_proofs
from .test_bank import deadlocks

PROCESSES, CLIENTS, ACCOUNTS = 2, 8, 8
OPERATIONS = 1_600
STARTING = 5  # seconds until every process is up and all begin together
PATIENCE = 300
TOTAL = "400.00"

pytestmark = pytest.mark.slow


@pytest.fixture
def bank(committing_database: str) -> str:
    """Eight users with fifty dollars each; what the clients ask for is often more."""
    float_ = opened("internal")
    for _ in range(ACCOUNTS):
        moved(float_, opened("user"), "50.00")
    connection.close()
    return committing_database


def work(url: str, *, operations: int) -> dict[str, Any]:
    orders = {
        "clients": CLIENTS,
        "operations": operations // (PROCESSES * CLIENTS),
        "start": time.time() + STARTING,
        "total": TOTAL,
    }
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.ledger.transfer_clients",
                json.dumps({**orders, "name": str(number)}),
            ],
            cwd=PROJECT,
            env=manage_environment(url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    together: dict[str, Any] = {"done": Counter(), "refused": Counter(), "wrong": [], "failures": Counter()}
    for process in processes:
        output, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
        for name, value in json.loads(output).items():
            together[name] += value if isinstance(value, list) else Counter(value)
    return together


def test_sixteen_clients_lose_no_cent_and_overdraw_nothing(bank: str, soak_factor: int) -> None:
    seen = work(bank, operations=OPERATIONS * soak_factor)
    assert seen["failures"] == {}
    assert seen["wrong"] == []
    assert seen["done"]["move"] > OPERATIONS / 4 and seen["done"]["read"] > 0, seen
    assert seen["refused"].total() > 0, "nobody ever asked for more than there was: this proved nothing"
    assert deadlocks(bank) == 0
    assert broken_proofs() == []


@pytest.mark.thorough
def test_without_the_locks_it_shows(bank: str) -> None:
    """The clause that locks is cut out of the function; what the trigger locks later does not make up for it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('ledger_transfer'::regproc)")
        (source,) = cursor.fetchone()
        clause = "FOR NO KEY UPDATE OF lower, higher"
        assert source.count(clause) == 1
        cursor.execute(source.replace(clause, ""))
    connection.close()
    seen = work(bank, operations=OPERATIONS)
    assert seen["wrong"], seen
