"""Which unpaid DTRs a batch, a run of checks or the desk pays: asked for by week or by number."""

from collections.abc import Sequence
from datetime import date, timedelta

from ...models import DTR
from ...selectors.pay_list import ABOUT_METHOD, PayLine, unpaid
from ..accounts import lock_accounts
from ..errors import LedgerError
from ..statements import PaidTooEarly


class NothingToPayNow(LedgerError):
    code, status = "payouts.nothing", 409
    message = "Nothing is to be paid by {method} now; the pay list says what is held back and why."


class NotPayable(LedgerError):
    code, status = "payouts.not_payable", 409
    message = "{number} cannot be paid so: {why}."


def chosen(
    *, method: str, on: date, week: date | None, numbers: Sequence[str] | None, whatever_method: bool = False
) -> list[PayLine]:
    """The lines to pay by `method`, their accounts locked and read again after that.

    Without `numbers`, whatever is free to be paid by it, of that week or of all. With them, those and all of those;
    `whatever_method` also takes drivers who are usually paid in another way, or whose bank details are blocked.
    Raises NothingToPayNow, NotPayable, PaidTooEarly.
    """
    lines = [line for line in _asked(week, numbers) if numbers is not None or _free(line, method)]
    lock_accounts(line.account_id for line in lines)
    lines = unpaid(dtr_ids=[line.dtr_id for line in lines]) if lines else []
    if numbers is None:
        lines = [line for line in lines if _free(line, method) and on > line.week + timedelta(days=6)]
    else:
        _check_asked(lines, numbers, method, on, whatever_method)
    if not lines:
        raise NothingToPayNow(method=method)
    return lines


def _asked(week: date | None, numbers: Sequence[str] | None) -> list[PayLine]:
    if numbers is None:
        return unpaid(week=week)
    return unpaid(dtr_ids=list(DTR.objects.filter(number__in=numbers).values_list("pk", flat=True)))


def _free(line: PayLine, method: str) -> bool:
    return line.method == method and not line.held


def _check_asked(
    lines: Sequence[PayLine], numbers: Sequence[str], method: str, on: date, whatever_method: bool
) -> None:
    found = {line.number: line for line in lines}
    for number in numbers:
        line = found.get(number)
        if line is None:
            raise NotPayable(number=number, why="it is paid, settled or withdrawn, or there is none")
        if on <= line.week + timedelta(days=6):
            raise PaidTooEarly(number=number, saturday=line.week + timedelta(days=6), on=on)
        if line.held and not (whatever_method and line.held in ABOUT_METHOD):
            raise NotPayable(number=number, why=line.held_because)
        if line.method != method and not whatever_method:
            raise NotPayable(number=number, why=f"its driver is paid by {line.method or 'nothing yet'}")
