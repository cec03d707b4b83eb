"""Moving money between two accounts of the journal: an entry of two lines, debit the source, credit the destination.

For accounts the house owes (clients' are), that makes the source's balance smaller and the destination's larger.
The work is one call of `ledger_transfer` (`migrations/sql/0012_transfers.sql`): it locks, checks, enters, audits.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from psycopg.types.json import Jsonb

from batconnect.common.models import SYSTEM_USERNAME, User
from batconnect.common.transactions import money_statement

from .chart import UnknownCurrency
from .errors import ControlAccount, LedgerError, Overdrawn, translated

LONGEST_DESCRIPTION = 160  # of an entry
LARGEST = Decimal("99999999999999.999999")  # numeric(20,6)
_SMALLEST_EXPONENT = -6
_PLAIN = re.compile(r"-?[0-9]{1,14}(\.[0-9]{1,6})?\Z")

_TRANSFER = """
SELECT problem, facts, entry_id, source_after, destination_after, decimals
  FROM ledger_transfer(
    %s::bigint, %s::boolean, %s::uuid, %s::uuid, %s::numeric, %s::text, %s::date, %s::text, %s::jsonb
  )
"""


class NoSuchAccount(LedgerError):
    code, status = "transfer.unknown_account", 404
    message = "There is no account {account}."


class SameAccount(LedgerError):
    code, status = "transfer.same_account", 400
    message = "The source and the destination are one account; name two."


class InactiveAccount(LedgerError):
    code, status = "account.inactive", 409
    message = "Account {account} is not active; it takes and gives nothing."


class CurrencyMismatch(LedgerError):
    code, status = "transfer.currency_mismatch", 400
    message = "Account {account} is in {account_currency}; {currency} cannot be moved there or from there."


class BadAmount(LedgerError):
    code, status = "amount.invalid", 400
    message = 'An amount is written like "12.50": digits, and at most six decimals.'


class NotPositive(LedgerError):
    code, status = "transfer.amount_not_positive", 400
    message = "The amount of a transfer is more than zero."


class TooFine(LedgerError):
    code, status = "transfer.amount_too_fine", 400
    message = "An amount in {currency} has at most {decimals} decimals."


class AboveLimit(LedgerError):
    code, status = "transfer.above_limit", 400
    message = "One transfer from account {account} moves at most {limit} {currency}."


class InsufficientFunds(Overdrawn):
    message = "Account {account} has {available} {currency} to give; transfer at most that."


class AccountChanging(LedgerError):
    code, status = "transfer.account_changing", 409
    message = "The rules of these accounts were being changed at this moment; try again."


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """What was moved. The balances after are those of guarded accounts; others keep none, and have None."""

    entry_id: int
    je_date: date
    amount: Decimal
    source_balance: Decimal | None
    destination_balance: Decimal | None

    @property
    def je_number(self) -> str:
        return f"JE-{self.je_date:%Y%m}-{self.entry_id}"


_PROBLEMS: dict[str, type[LedgerError]] = {
    "unknown_account": NoSuchAccount,
    "same_account": SameAccount,
    "control_account": ControlAccount,
    "inactive_account": InactiveAccount,
    "unknown_currency": UnknownCurrency,
    "currency_mismatch": CurrencyMismatch,
    "amount_not_positive": NotPositive,
    "amount_too_fine": TooFine,
    "above_limit": AboveLimit,
    "changing": AccountChanging,
    "overdrawn": InsufficientFunds,
}


def parse_amount(value: Any) -> Decimal:
    """What a client wrote as an amount: a string, or a JSON number that was read exactly. Raises BadAmount."""
    if isinstance(value, str) and _PLAIN.match(value):
        return Decimal(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST:
        return Decimal(value)
    # The exponent first: writing out 1e-999999999 would take a gigabyte.
    if isinstance(value, Decimal) and value.is_finite():
        if not value:
            return Decimal(0)
        exponent = value.as_tuple().exponent
        if (
            value.adjusted() <= LARGEST.adjusted()
            and isinstance(exponent, int)
            and exponent >= _SMALLEST_EXPONENT
        ):
            return value
    raise BadAmount


@money_statement
def transfer(
    *,
    source: UUID,
    destination: UUID,
    amount: Decimal,
    currency: str,
    actor: User,
    on: date,
    metadata: Mapping[str, Any] | None = None,
) -> Transfer:
    """Move an amount from one account to another, dated `on`.

    source, destination: `uid` of the accounts. amount: in `currency`, which both accounts are in. The limit of one
    transfer is that of the source's kind. Raises the errors above, UnknownCurrency, ControlAccount, ClosedPeriod
    and AmountTooLarge. Source: api.md, seed 003.
    """
    description = (metadata or {}).get("description")
    parameters: list[Any] = [
        actor.pk,
        actor.username == SYSTEM_USERNAME,
        source,
        destination,
        amount,
        currency,
        on,
        description[:LONGEST_DESCRIPTION] if isinstance(description, str) else "",
        None if metadata is None else Jsonb(metadata),
    ]
    with translated(), connection.cursor() as cursor:
        cursor.execute(_TRANSFER, parameters)
        problem, facts, entry_id, source_after, destination_after, decimals = cursor.fetchone()
    if problem is not None:
        raise _PROBLEMS[problem](**json.loads(facts))
    unit = Decimal(1).scaleb(-decimals)
    return Transfer(
        entry_id=entry_id,
        je_date=on,
        amount=amount.quantize(unit),
        source_balance=None if source_after is None else source_after.quantize(unit),
        destination_balance=None if destination_after is None else destination_after.quantize(unit),
    )
