"""One driver account between two days: what it began with, every posting with the balance after it, its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Sum

from batconnect.common.money import ZERO

from ..models import DriverAccount, LedgerPosting


@dataclass(frozen=True)
class StatementRow:
    """A posting and what the driver owed after it; below zero the fleet owed the driver."""

    posting: LedgerPosting
    balance: Decimal


@dataclass(frozen=True)
class DriverStatement:
    """`opening` + `charged` - `credited` = `closing`; all of accounting dates from `start` to `end`."""

    account: DriverAccount
    start: date
    end: date
    opening: Decimal
    rows: Sequence[StatementRow]
    charged: Decimal
    credited: Decimal

    @property
    def closing(self) -> Decimal:
        return self.opening + self.charged - self.credited


def driver_statement(*, account: DriverAccount, start: date, end: date) -> DriverStatement:
    """By accounting date, and within a day as it was posted. Two look-ups by the account's index.

    An account has about ten postings a week, so a year is five hundred rows: they are read whole.
    """
    postings = LedgerPosting.objects.filter(account=account)
    before = postings.filter(effective_on__lt=start).aggregate(sum=Sum("amount"))["sum"] or ZERO
    running, charged, credited = before, ZERO, ZERO
    rows = []
    for posting in postings.filter(effective_on__gte=start, effective_on__lte=end).order_by(
        "effective_on", "seq"
    ):
        running += posting.amount
        if posting.amount > 0:
            charged += posting.amount
        else:
            credited -= posting.amount
        rows.append(StatementRow(posting, running))
    return DriverStatement(account, start, end, before, rows, charged, credited)
