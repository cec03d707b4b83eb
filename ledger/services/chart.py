"""Opening accounts of the journal for clients: users, merchants, and the house's own.

Finance's own chart is edited on its screens; what is opened here are rows of the same table, of a kind, whose
rules they begin with. What the house owes a client is a liability, so its balance is credits minus debits.
"""

from collections.abc import Mapping
from typing import Any

from django.db import connection

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction

from ..models import Account, AccountKind, Currency
from .errors import LedgerError, translated

LONGEST_NAME = 120

_NEXT_ID = "SELECT nextval(pg_get_serial_sequence('chart_of_accounts', 'id'))"


class UnknownKind(LedgerError):
    code, status = "account.unknown_kind", 400
    message = "There is no kind of account {kind}; there are {known}."


class UnknownCurrency(LedgerError):
    code, status = "currency.unknown", 400
    message = "{currency} is not the ISO-4217 code of a currency in use; write it like USD."


@money_transaction
def open_account(
    *, kind: str, currency: str, actor: User, metadata: Mapping[str, Any] | None = None
) -> Account:
    """Open an account with nothing in it.

    kind: a code of AccountKind, in any case. currency: an ISO-4217 code, in capitals. The account is called what
    `metadata["name"]` says. Raises UnknownKind, UnknownCurrency.
    """
    chosen = AccountKind.objects.filter(pk=kind.upper()).first()
    if chosen is None:
        known = ", ".join(code.lower() for code in AccountKind.objects.values_list("pk", flat=True))
        raise UnknownKind(kind=kind, known=known)
    if not Currency.objects.filter(pk=currency).exists():
        raise UnknownCurrency(currency=currency)
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_ID)
        (account_id,) = cursor.fetchone()
    account = Account(
        pk=account_id,
        code=f"ACC-{account_id:08}",
        name=_name(metadata or {}) or f"{chosen.name} account {account_id}",
        type=Account.Type.LIABILITY,
        currency_id=currency,
        kind=chosen,
        overdraft_limit=chosen.overdraft_limit,
        metadata=dict(metadata or {}),
    )
    account._history_user = actor  # type: ignore[attr-defined]
    with translated():
        account.save(force_insert=True)
    account.refresh_from_db()
    audit.record(
        actor=actor,
        action="account.opened",
        subject=f"account:{account.code}",
        after={"kind": chosen.pk, "currency": currency, "name": account.name},
    )
    return account


def _name(metadata: Mapping[str, Any]) -> str:
    name = metadata.get("name")
    return name.strip()[:LONGEST_NAME] if isinstance(name, str) else ""
