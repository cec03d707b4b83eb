"""Clients of the API, with exactly the permissions a test gives them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from tests.factories import make_user

READ = (
    "ledger.view_ledgerposting",
    "ledger.view_ledgerbalance",
    "ledger.view_dtr",
    "ledger.export_ledger",
    "ledger.read_reports",
)
ACCOUNTS = ("ledger.view_account", "ledger.open_account")
BATCHES = ("ledger.view_journalrun", "ledger.post_batch", "ledger.reverse_batch")
WRITE = ("ledger.void_posting", "ledger.take_payment", "ledger.reverse_settlement")
FLEET = ("leases.view_driver", "leases.view_medallion", "leases.view_vehicle", "leases.view_lease")
PAYOUTS = tuple(
    f"ledger.{name}"
    for name in (
        "view_payoutbatch", "prepare_payoutbatch", "approve_payoutbatch", "download_payoutbatch", "send_payoutbatch",
        "view_payoutinstruction", "request_payoutinstruction", "approve_payoutinstruction", "hold_payout",
        "view_payoutcheck", "issue_payoutcheck", "void_payoutcheck", "open_checkbook", "pay_cash",
        "view_payoutreturn", "record_payoutreturn",
    )
)  # fmt: skip


@pytest.fixture(autouse=True)
def _no_throttle_left_over_and_quick_passwords(settings: Any) -> None:
    cache.clear()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def client_with(db: None) -> Callable[..., APIClient]:
    """A client logged in as a member of staff with these permissions and no other."""

    def make(*permissions: str) -> APIClient:
        client = APIClient()
        client.force_login(make_user(permissions=permissions))
        return client

    return make


@pytest.fixture
def api(client_with: Callable[..., APIClient]) -> APIClient:
    """A client that may do everything."""
    return client_with(*READ, *WRITE, *FLEET, *ACCOUNTS, *PAYOUTS)
