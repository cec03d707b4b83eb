"""How large an amount of a lease may be: a fee, a cap, a deposit, a cancellation fee."""

from decimal import Decimal

from batconnect.common.errors import BatConnectError

# No account overflows by it: one that did would stop the weekly run of the whole fleet.
LARGEST = Decimal("99999.99")


class AmountTooLarge(BatConnectError):
    code, status = "lease.amount_too_large", 400
    message = "{amount} is more than {largest}; look at the amount again."


def checked_size(amount: Decimal) -> Decimal:
    """Raises AmountTooLarge."""
    if amount > LARGEST:
        raise AmountTooLarge(amount=amount, largest=f"{LARGEST:,}")
    return amount
