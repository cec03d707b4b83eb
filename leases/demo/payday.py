"""One week of the demo is paid as an office pays it: ACH and checks, two transfers come back, a check is lost.

Each step looks at what is there, so that a second telling does nothing, and one that was cut short goes on.
"""

from collections.abc import Sequence
from datetime import date, timedelta

from batconnect.common.models import User
from batconnect.common.weeks import WEEK
from leases.models import Driver
from ledger.engine.nacha import Originator
from ledger.models import DTR, PayoutBatch, PayoutCheck, PayoutInstruction, PayoutItem
from ledger.selectors.pay_list import unpaid
from ledger.services.payouts import ach_batches, bank_details, checks, nacha_file, nacha_returns

from .fleet import CABS, FLEET_NAME, Cab

ROUTING_NUMBER = "061999998"  # right by its checksum, and no bank's
CAME_BACK = ((4, "R02"), (9, "R03"))  # the place in the batch, and what the bank says
ORIGINATOR = Originator(
    destination=ROUTING_NUMBER,
    destination_name="EXAMPLE BANK",
    origin="1999999999",
    origin_name=FLEET_NAME,
    company_name=FLEET_NAME,
    company_id="1999999999",
    odfi=ROUTING_NUMBER,
    description="DRIVER PAY",
)
State = PayoutBatch.State


def pay_week(week: date, *, clerk: User, chief: User) -> int:
    """Pay the week on the Tuesday after it; returns how many things were new."""
    tuesday = week + WEEK + timedelta(days=2)
    done = enter_methods(clerk=clerk, chief=chief)
    batch, steps = _batch(week, tuesday, clerk, chief)
    done += steps + _checks(week, tuesday, clerk)
    if batch is not None:
        done += _what_comes_back(batch, tuesday + timedelta(days=2), clerk)
    return done + _lost_check(week, tuesday + timedelta(days=3), clerk)


def enter_methods(*, clerk: User, chief: User) -> int:
    """Every fifth driver is paid by check, the others by ACH: entered by one and approved by another."""
    drivers = {driver.tlc_license: driver for driver in Driver.objects.filter(tlc_license__in=_licences())}
    known = set(
        PayoutInstruction.objects.filter(driver__in=drivers.values()).values_list("driver_id", flat=True)
    )
    asked = [
        _request(cab, drivers[cab.tlc_license], clerk)
        for cab in CABS
        if drivers[cab.tlc_license].pk not in known
    ]
    waiting = PayoutInstruction.objects.filter(
        driver__in=drivers.values(), state="REQUESTED", requested_by=clerk
    )
    for row in waiting:
        bank_details.approve_method(instruction_id=row.pk, actor=chief)
    return len(asked)


def _licences() -> Sequence[str]:
    return [cab.tlc_license for cab in CABS]


def _request(cab: Cab, driver: Driver, clerk: User) -> PayoutInstruction:
    if cab.number % 5 == 0:
        return bank_details.request_method(driver_id=driver.pk, method="CHECK", actor=clerk)
    return bank_details.request_method(
        driver_id=driver.pk,
        method="ACH",
        routing_number=ROUTING_NUMBER,
        account_number=f"99000{cab.number:05}",
        account_type="SAVINGS" if cab.number % 7 == 0 else "CHECKING",
        actor=clerk,
    )


def _batch(week: date, tuesday: date, clerk: User, chief: User) -> tuple[PayoutBatch | None, int]:
    """The week's batch, as far as settled on the Wednesday, and how many steps that took now."""
    batch = PayoutBatch.objects.filter(items__dtr__week=week).exclude(state=State.REVERSED).first()
    done = 0
    if batch is None:
        if not any(line.method == "ACH" and not line.held for line in unpaid(week=week)):
            return None, 0
        batch, done = ach_batches.create_batch(week=week, on=tuesday, actor=clerk), 1
    number = batch.number
    if batch.state == State.DRAFT:
        batch, done = ach_batches.approve_batch(number=number, actor=chief), done + 1
    if batch.state == State.APPROVED:
        batch, done = (
            nacha_file.make_file(number=number, on=tuesday, actor=clerk, originator=ORIGINATOR),
            done + 1,
        )
    if batch.state == State.FILED:
        batch, done = ach_batches.mark_sent(number=number, on=tuesday, actor=clerk), done + 1
    if batch.state == State.SENT:
        wednesday = tuesday + timedelta(days=1)
        batch, done = ach_batches.mark_settled(number=number, on=wednesday, actor=clerk), done + 1
    return batch, done


def _checks(week: date, tuesday: date, clerk: User) -> int:
    free = [line for line in unpaid(week=week) if line.method == "CHECK" and not line.held]
    numbers = [line.number for line in free if not DTR.objects.get(pk=line.dtr_id).payments.exists()]
    if not numbers:
        return 0
    return len(checks.issue_checks(numbers=numbers, on=tuesday, actor=clerk))


def _what_comes_back(batch: PayoutBatch, thursday: date, clerk: User) -> int:
    """Two transfers come back; the first is paid by check, the second waits for other bank details."""
    items = list(batch.items.select_related("dtr").order_by("pk"))
    done = 0
    for place, code in CAME_BACK:
        item = items[place]
        if item.state == PayoutItem.State.PAID:
            nacha_returns.record_return(dtr=item.dtr, code=code, on=thursday, actor=clerk)
            done += 1
    first = items[CAME_BACK[0][0]].dtr
    if not PayoutItem.objects.filter(dtr=first, method="CHECK").exists():
        checks.issue_checks(numbers=[first.number], on=thursday, actor=clerk)
        done += 1
    return done


def _lost_check(week: date, friday: date, clerk: User) -> int:
    first = PayoutCheck.objects.filter(item__dtr__week=week).order_by("number").first()
    if first is None or first.state != PayoutCheck.State.ISSUED:
        return 0
    reason = "Lost in the mail; the driver rang."
    checks.reissue_check(number=first.number, reason=reason, on=friday, actor=clerk)
    return 1
