"""Clients' accounts for tests: opened and filled as the product does it."""

from datetime import date
from decimal import Decimal
from typing import Any

from batconnect.common.audit import system_user
from ledger.models import Account
from ledger.selectors.client_accounts import balance_of
from ledger.services import chart, transfers

DAY = date(2019, 3, 12)


def opened(kind: str = "user", currency: str = "USD", **metadata: str) -> Account:
    return chart.open_account(kind=kind, currency=currency, metadata=metadata, actor=system_user())


def moved(
    source: Account, destination: Account, amount: str, *, on: date = DAY, **more: Any
) -> transfers.Transfer:
    return transfers.transfer(
        source=source.uid,
        destination=destination.uid,
        amount=Decimal(amount),
        currency=more.pop("currency", source.currency_id),
        actor=more.pop("actor", None) or system_user(),
        on=on,
        **more,
    )


def has(account: Account, as_of: Any = None) -> str:
    return str(balance_of(account, as_of=as_of))
