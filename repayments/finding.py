"""Whom a repair or a loan is for: the driver and lease behind a TLC licence, a medallion or a VIN."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from batconnect.cases.screens import Found, whole_number
from batconnect.common.errors import BatConnectError
from ledger.models import DriverAccount
from ledger.selectors.account_items import account_facts, accounts_starting, find_accounts, whole_account

from .services.errors import UnknownLease

KEYS = ("tlc_license", "medallion", "vin")


class NobodyFound(BatConnectError):
    code, status = "repayment.nobody", 404
    message = "Nobody was found for {asked}."


def accounts_for(query: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The accounts behind a licence, medallion or VIN, JSON-ready; none when nothing is asked. Raises NobodyFound."""
    named = {name: str(query[name]) for name in KEYS if query.get(name)}
    if not named:
        return []
    found = find_accounts(**named)
    if not found:
        raise NobodyFound(asked=" ".join(named.values()))
    return [{**account_facts(account), "lease_type": account.lease.lease_type} for account in found]


def hits(query: str, *, on: date, running_only: bool) -> list[Found]:
    """Whom the typed text may mean. Where only leases that run will do, the others cannot be picked."""
    found = []
    for account in accounts_starting(query):
        lease = account.lease
        ended = lease.ends_on is not None and lease.ends_on < on
        kind = lease.get_lease_type_display().lower()
        text = f"Lease {lease.number}, {kind} · medallion {lease.medallion.number} · {lease.vehicle}"
        if ended and running_only:
            found.append(Found(str(account.driver), text, warning="This lease has ended."))
            continue
        text = f"{text} · ended" if ended else text
        found.append(Found(str(account.driver), text, pick=str(account.pk)))
    return found


def picked_account(pick: Any) -> DriverAccount:
    """The account that was chosen. Raises UnknownLease."""
    key = whole_number(pick) if isinstance(pick, str) else pick
    account = whole_account(key) if isinstance(key, int) else None
    if account is None:
        raise UnknownLease
    return account


def account_of(data: Mapping[str, Any]) -> DriverAccount:
    """The account of a step's data. Raises UnknownLease."""
    asked = {"driver_id": data.get("driver_id"), "lease_id": data.get("lease_id")}
    if not all(isinstance(value, int) for value in asked.values()):
        raise UnknownLease
    key = DriverAccount.objects.filter(**asked).values_list("pk", flat=True).first()
    return picked_account(key)
