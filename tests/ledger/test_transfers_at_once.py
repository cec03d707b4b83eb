"""Sixteen clients move money among eight guarded accounts; and without the locks it would show."""

from collections import Counter
from typing import Any

import pytest
from django.db import connection

from .account_stories import moved, opened
from .factories import broken_proofs
from .test_bank import PROCESSES, deadlocks, let_loose

CLIENTS, ACCOUNTS = 8, 8  # clients of each process
OPERATIONS = 800
SOAKED = 1_600  # by make soak, times as many as it is told
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
    orders = {"clients": CLIENTS, "operations": operations // (PROCESSES * CLIENTS), "total": TOTAL}
    seen = {"done": Counter(), "refused": Counter(), "wrong": [], "failures": Counter()}
    return let_loose(url, "tests.ledger.transfer_clients", orders, seen)


def test_sixteen_clients_lose_no_cent_and_overdraw_nothing(bank: str, soak_factor: int) -> None:
    operations = OPERATIONS if soak_factor == 1 else SOAKED * soak_factor
    seen = work(bank, operations=operations)
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
    seen = work(bank, operations=SOAKED)
    assert seen["wrong"], seen
