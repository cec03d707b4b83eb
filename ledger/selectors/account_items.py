"""One account as a desk sees it: who it is, what is open of it, and how it is found while somebody types."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet, Sum

from ..models import Category, DriverAccount, LedgerBalance

MOST_FOUND = 12


def account_of_lease(lease_id: int, driver_id: int) -> DriverAccount | None:
    return DriverAccount.objects.filter(lease_id=lease_id, driver_id=driver_id).first()


def whole_account(account_id: int) -> DriverAccount | None:
    """The account with its driver, lease, medallion and vehicle."""
    return _named(DriverAccount.objects.filter(pk=account_id)).first()


def find_accounts(*, tlc_license: str = "", medallion: str = "", vin: str = "") -> Sequence[DriverAccount]:
    """Accounts behind one whole licence, medallion or VIN, ended leases too; those still running first."""
    found = DriverAccount.objects.all()
    if tlc_license:
        found = found.filter(driver__tlc_license__iexact=tlc_license)
    if medallion:
        found = found.filter(lease__medallion__number__iexact=medallion)
    if vin:
        found = found.filter(
            Q(lease__vehicle__vin__iexact=vin)
            | Q(
                lease__medallion__assignments__vehicle__vin__iexact=vin,
                lease__medallion__assignments__ended_at__isnull=True,
            )
        )
    return list(_latest_first(_named(found))[:MOST_FOUND])


def accounts_starting(term: str) -> Sequence[DriverAccount]:
    """Accounts as somebody types: the start of a licence, medallion, VIN, plate or lease number, part of a name."""
    term = term.strip()
    if len(term) < 2 or not term.isprintable():
        return []
    found = DriverAccount.objects.filter(
        Q(driver__tlc_license__istartswith=term)
        | Q(driver__name__icontains=term)
        | Q(lease__number__istartswith=term)
        | Q(lease__medallion__number__istartswith=term)
        | Q(lease__vehicle__vin__istartswith=term)
        | Q(lease__vehicle__plate__istartswith=term)
        | Q(
            lease__medallion__assignments__vehicle__vin__istartswith=term,
            lease__medallion__assignments__ended_at__isnull=True,
        )
    )
    return list(_latest_first(_named(found))[:MOST_FOUND])


def open_charges(account_id: int) -> Sequence[LedgerBalance]:
    """What the driver owes on this account, in the order in which it is due."""
    items = LedgerBalance.objects.filter(
        account_id=account_id,
        status=LedgerBalance.Status.OPEN,
        original_amount__gt=0,
        posting__reversal_for__isnull=True,
    )
    return list(items.select_related("posting").order_by("due_on", "created_at", "reference_id"))


def open_credit(account_id: int) -> Decimal:
    """What the driver has in hand on this account, as a positive amount."""
    items = LedgerBalance.objects.filter(
        account_id=account_id, status=LedgerBalance.Status.OPEN, original_amount__lt=0
    )
    return -(items.aggregate(all=Sum("balance"))["all"] or Decimal("0.00"))


def owed_by_category(account_id: int) -> list[dict[str, str]]:
    """Open charges by category, JSON-ready: category, label, amount and how many."""
    sums: dict[str, tuple[Decimal, int]] = {}
    for item in open_charges(account_id):
        amount, count = sums.get(item.category, (Decimal("0.00"), 0))
        sums[item.category] = (amount + item.balance, count + 1)
    return [
        {
            "category": category,
            "label": str(Category(category).label),
            "amount": str(amount),
            "items": str(count),
        }
        for category, (amount, count) in sorted(sums.items())
    ]


def account_facts(account: DriverAccount) -> dict[str, Any]:
    """An account as the screens and the API of cases show it; JSON-ready. Wants `whole_account`'s joins."""
    lease = account.lease
    return {
        "account_id": account.pk,
        "driver_id": account.driver_id,
        "driver_name": account.driver.name,
        "tlc_license": account.driver.tlc_license,
        "lease_id": account.lease_id,
        "lease_number": lease.number,
        "lease_ends_on": lease.ends_on and lease.ends_on.isoformat(),
        "medallion_no": lease.medallion.number,
        "vehicle_vin": lease.vehicle.vin,
        "balance": str(account.balance),
    }


def _named(accounts: QuerySet[DriverAccount]) -> QuerySet[DriverAccount]:
    return accounts.select_related("driver", "lease__medallion", "lease__vehicle")


def _latest_first(accounts: QuerySet[DriverAccount]) -> QuerySet[DriverAccount]:
    # A lease without an end sorts as the latest, which NULLs do in descending order.
    return accounts.order_by("-lease__ends_on", "-pk").distinct()
