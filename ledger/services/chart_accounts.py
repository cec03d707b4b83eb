"""Finance's chart of accounts: adding accounts and changing what may be changed. Nothing here moves money."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import connection
from django.db.models import Q

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction

from ..models import Account, JournalTemplate, JournalTemplateLine, ProductAccountMap
from .errors import LedgerError, Overdrawn, translated

# What may be changed at any time; the rest stands once the account has entries.
FREE = ("name", "parent", "active", "overdraft_limit", "metadata")
FIXED = ("code", "type", "currency", "fund")

_HAS_ENTRIES = """
SELECT EXISTS (SELECT FROM ledger_entry_line WHERE account_id = %(account)s)
    OR EXISTS (SELECT FROM archived_account_total WHERE account_id = %(account)s)
"""


class UnknownChartAccount(LedgerError):
    code, status = "chart.unknown", 404
    message = "There is no such account in the chart."


class AccountExists(LedgerError):
    code, status = "chart.exists", 409
    message = "There is an account {account} already."


class AccountFixed(LedgerError):
    code, status = "chart.fixed", 409
    message = (
        "Account {account} has entries: its code, type, currency and fund stand. Add another account instead."
    )


class AccountInUse(LedgerError):
    code, status = "chart.in_use", 409
    message = (
        "Account {account} is named by {users}; have those changed first, or their events would be refused."
    )


class OverdraftTooLow(LedgerError):
    code, status = "chart.overdraft_too_low", 409
    message = "Account {account} is further below zero than {limit} now; choose a higher limit, or none."


class CircularParent(LedgerError):
    code, status = "chart.circular", 400
    message = "{parent} is itself below {account}; an account cannot be its own parent."


@money_transaction
def add_account(*, values: Mapping[str, Any], actor: User) -> Account:
    """Add an account to the chart; `values` by the names in FIXED and FREE. Raises AccountExists."""
    account = Account(**values)
    if Account.objects.filter(code=account.code).exists():
        raise AccountExists(account=account.code)
    with translated():
        account.save(force_insert=True)
    audit.record(actor=actor, action="account.added", subject=f"account:{account.code}", after=_told(account))
    return account


@money_transaction
def change_account(*, account_id: int, values: Mapping[str, Any], actor: User, on: date) -> Account:
    """Change an account; `values` by the names in FIXED and FREE, those left out stay.

    Raises UnknownChartAccount, AccountFixed, AccountExists, AccountInUse, OverdraftTooLow, CircularParent.
    """
    account = Account.objects.select_for_update(of=("self",)).filter(pk=account_id).first()
    if account is None:
        raise UnknownChartAccount
    before = _told(account)
    for name, value in values.items():
        setattr(account, name, value)
    after = _told(account)
    changed = [name for name in after if after[name] != before[name]]
    if not changed:
        return account
    if set(changed) & set(FIXED) and has_entries(account):
        raise AccountFixed(account=before["code"])
    if "code" in changed and Account.objects.filter(code=account.code).exists():
        raise AccountExists(account=account.code)
    if "parent" in changed:
        _check_parent(account)
    if "active" in changed and not account.active and (users := users_of(account, on=on)):
        raise AccountInUse(account=before["code"], users=", ".join(users))
    try:
        with translated():
            account.save()
    except Overdrawn as error:
        raise OverdraftTooLow(account=account.code, limit=account.overdraft_limit) from error
    audit.record(
        actor=actor,
        action="account.changed",
        subject=f"account:{account.code}",
        before={name: before[name] for name in changed},
        after={name: after[name] for name in changed},
    )
    return account


def has_entries(account: Account) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_HAS_ENTRIES, {"account": account.pk})
        return bool(cursor.fetchone()[0])


def users_of(account: Account, *, on: date) -> list[str]:
    """The templates in force (or to come) and the overrides that name an account, in words."""
    templates, overrides = named_by(account, on=on)
    return [
        *(f"template {template}" for template in templates),
        *(f"the override of {row.product}" for row in overrides),
    ]


def named_by(account: Account, *, on: date) -> tuple[list[JournalTemplate], list[ProductAccountMap]]:
    """What `users_of` tells, as records: templates by name, overrides."""
    standing = Q(template__status=JournalTemplate.Status.ACTIVE) & (
        Q(template__effective_to__isnull=True) | Q(template__effective_to__gte=on)
    )
    lines = JournalTemplateLine.objects.filter(standing, account=account).select_related("template")
    adjusting = JournalTemplate.objects.filter(
        Q(effective_to__isnull=True) | Q(effective_to__gte=on),
        status=JournalTemplate.Status.ACTIVE,
        control__adjust_account=account,
    )
    templates = {line.template for line in lines} | set(adjusting)
    return sorted(templates, key=str), list(ProductAccountMap.objects.filter(to_account=account))


def _check_parent(account: Account) -> None:
    above = account.parent
    while above is not None:
        if above.pk == account.pk:
            raise CircularParent(parent=account.parent.code if account.parent else "", account=account.code)
        above = above.parent


def _told(account: Account) -> dict[str, Any]:
    return {
        "code": account.code,
        "name": account.name,
        "type": str(account.type),
        "currency": account.currency_id,
        "fund": account.fund,
        "parent": account.parent.code if account.parent else "",
        "active": account.active,
        "overdraft_limit": "" if account.overdraft_limit is None else f"{account.overdraft_limit:f}",
        "metadata": account.metadata,
    }
