"""Driver accounts: opening them and locking them. Balances are moved by postings alone."""

from collections.abc import Iterable

from django.db import connection

from ..models import DriverAccount
from .errors import UnknownAccount

_LOCK = "SELECT id FROM driver_account WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"


def open_account(*, driver_id: int, lease_id: int) -> DriverAccount:
    """The account of a lease's driver, made if it is not there yet."""
    account, _ = DriverAccount.objects.get_or_create(driver_id=driver_id, lease_id=lease_id)
    return account


def lock_accounts(account_ids: Iterable[int]) -> None:
    """Hold these accounts until the transaction ends; always all at once, in id order, so nobody deadlocks.

    Raises UnknownAccount.
    """
    wanted = sorted(set(account_ids))
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [wanted])
        if len(cursor.fetchall()) != len(wanted):
            raise UnknownAccount


def lock_account(account_id: int) -> DriverAccount:
    """Hold one account and read it as it is now. Raises UnknownAccount."""
    lock_accounts([account_id])
    return DriverAccount.objects.select_related("lease", "driver").get(pk=account_id)
