"""The base of the ledger's own errors, and the translation of what the database refuses.

The database is where most rules are held, so that is where most refusals come from; here they get their code
and their sentence.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError

from batconnect.common.errors import BatConnectError
from batconnect.common.transactions import sqlstate

from ..selectors.archives import MonthIsArchived


class LedgerError(BatConnectError):
    code = "ledger.error"


class DuplicateReference(LedgerError):
    code, status = "posting.duplicate_reference", 409
    message = "{category} reference {reference_id} was posted before; a reference is used once, for ever."


class ClosedPeriod(LedgerError):
    code, status = "period.closed", 409
    message = "{date} is closed; weeks and months are closed through {closed_through}. Choose a later date."


class UnknownAccount(LedgerError):
    code, status = "account.unknown", 404
    message = "There is no such driver account."


class AmountTooLarge(LedgerError):
    code, status = "amount.too_large", 400
    message = "The amount, or the balance it leads to, is larger than the ledger holds."


class ControlAccount(LedgerError):
    code, status = "journal.control_account", 409
    message = "Account {account} is a control account: only its own service posts to it. Use that, or another account."


class UnsoundEntry(LedgerError):
    code, status = "journal.unsound", 400
    message = "The journal refused this: {reason}."


class Overdrawn(LedgerError):
    code, status = "account.overdrawn", 409
    message = "The account does not have that much; its overdraft limit stands."


class AlreadyReversed(LedgerError):
    code, status = "journal.already_reversed", 409
    message = "This entry was reversed before."


class DrawerHoldsLess(LedgerError):
    code, status = "drawer.holds_less", 409
    message = (
        "The drawer of {cashier} holds {holds} in cash, less than the {amount} that is to be paid out of it. Have cash "
        "put into it first, or pay by check or ACH."
    )


class MonthRefused(LedgerError):
    code, status = "month.refused", 409
    message = "This month can neither close nor reopen now: {reason}."


class ArchiveRefused(LedgerError):
    code, status = "archive.refused", 409
    message = "This cannot be archived, dropped or brought back now: {reason}."


class Refused(LedgerError):
    """A rule held only by the database was broken: a fault of the caller's code, told plainly."""

    code, status = "ledger.refused", 409
    message = "The ledger refused this: {reason}."


_BY_CONSTRAINT: dict[str, type[LedgerError]] = {
    "guarded_balance_not_overdrawn": Overdrawn,
    "ledger_entry_reversal_pkey": AlreadyReversed,
}
# By SQLSTATE: what the error's detail says, or its message.
_BY_DETAIL: dict[str, type[BatConnectError]] = {
    "BC001": ClosedPeriod,
    "BC009": ControlAccount,
    "BC021": MonthIsArchived,
    "BC064": DrawerHoldsLess,
}
_BY_REASON: dict[str, type[LedgerError]] = {
    "BC008": UnsoundEntry,
    "BC010": MonthRefused,
    "BC020": ArchiveRefused,
}
_KEY = re.compile(r"=\((?P<category>[A-Z_]+), (?P<reference>.*)\) already exists")


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the ledger's constraints and triggers raise into the errors above; let the rest pass."""
    try:
        yield
    except DatabaseError as error:
        raised = _translate(error)
        if raised is None:
            raise
        raise raised from error


def _translate(error: DatabaseError) -> BatConnectError | None:
    diagnostics: Any = getattr(error.__cause__, "diag", None)
    constraint = getattr(diagnostics, "constraint_name", None)
    detail = getattr(diagnostics, "message_detail", None) or ""
    state = sqlstate(error)
    if constraint == "ledger_posting_reference_once":
        key = _KEY.search(detail)
        category, reference = (key["category"], key["reference"]) if key else ("This", "?")
        return DuplicateReference(category=category, reference_id=reference)
    if state in _BY_DETAIL:
        return _BY_DETAIL[state](**json.loads(detail))
    if state == "23502" and getattr(diagnostics, "column_name", None) == "driver_id":
        return UnknownAccount()
    if constraint in _BY_CONSTRAINT:
        return _BY_CONSTRAINT[constraint]()
    if state in _BY_REASON:
        return _BY_REASON[state](reason=diagnostics.message_primary)
    if state == "22003":
        return AmountTooLarge()
    if state.startswith("BC") or constraint == "ledger_balance_between_zero_and_original":
        return Refused(reason=diagnostics.message_primary)
    return None
