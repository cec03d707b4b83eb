"""Net pay in cash, from the cashier's drawer, against a receipt that the driver signs."""

from datetime import date

from batconnect.common.models import User
from batconnect.common.numbers import reserve_numbers
from batconnect.common.transactions import money_transaction

from ...models import DTR, DTRPayment, PaymentMethod
from ..statements import pay_dtr
from .choosing import chosen


@money_transaction
def pay_cash(*, number: str, on: date, actor: User) -> DTRPayment:
    """Pay one DTR in cash, whatever way its driver is usually paid; the payment's reference is the receipt's number.

    Raises NotPayable, PaidTooEarly and as `pay_dtr`.
    """
    (line,) = chosen(method=PaymentMethod.CASH, on=on, week=None, numbers=[number], whatever_method=True)
    (receipt,) = reserve_numbers(prefix="CASHPAY", year=on.year, count=1)
    return pay_dtr(
        dtr=DTR.objects.get(pk=line.dtr_id),
        on=on,
        method=PaymentMethod.CASH,
        method_reference=receipt,
        actor=actor,
    )
