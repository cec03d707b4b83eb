"""A week with net pay to hand over, and the people and steps that hand it over, for tests of paying drivers."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from batconnect.common.models import User
from ledger.models import DTR, PayoutBatch, PayoutInstruction
from ledger.services.payouts import ach_batches, bank_details, nacha_file
from tests.factories import make_driver, make_user
from tests.ledger.factories import SUNDAY, drive, make_account, run

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (date(2019, 3, day) for day in (11, 12, 13, 14))
# Invented, and right by the checksum.
ROUTING = "011000015"
OTHER_ROUTING = "061999998"


def net_pay(*amounts: str, names: Sequence[str] = ()) -> list[DTR]:
    """DTRs of the week of SUNDAY, one for each amount of net pay, each of a driver of its own."""
    accounts = []
    for at, amount in enumerate(amounts):
        driver = make_driver(**({"name": names[at]} if names else {}))
        accounts.append(make_account(driver=driver))
        drive(accounts[-1], amount)
    run(SUNDAY)
    return [DTR.objects.get(account=account) for account in accounts]


def paid_by(
    dtr: DTR,
    method: str = "ACH",
    *,
    account_number: str = "",
    routing_number: str = ROUTING,
    savings: bool = False,
) -> PayoutInstruction:
    """How the DTR's driver is paid, entered by one and approved by another."""
    details = {}
    if method == "ACH":
        details = {
            "routing_number": routing_number,
            "account_number": account_number or f"77000{dtr.pk:06}",
            "account_type": "SAVINGS" if savings else "CHECKING",
        }
    asked = bank_details.request_method(driver_id=dtr.driver_id, method=method, actor=make_user(), **details)
    return bank_details.approve_method(instruction_id=asked.pk, actor=make_user())


def approved(actor: User | None = None, *, on: date = MONDAY) -> PayoutBatch:
    """A batch of all that is free, approved by another."""
    batch = ach_batches.create_batch(actor=actor or make_user(), on=on)
    return ach_batches.approve_batch(number=batch.number, actor=make_user())


def filed(*, on: date = MONDAY) -> PayoutBatch:
    return nacha_file.make_file(number=approved(on=on).number, on=on, actor=make_user())


def sent(*, on: date = MONDAY) -> PayoutBatch:
    return ach_batches.mark_sent(number=filed(on=on).number, on=on, actor=make_user())


def return_line(
    entry: str, *, code: str, trace: str, information: str = "", kind: str = "99", of_credit: bool = True
) -> list[str]:
    """The two records a bank sends back for an entry of ours: the entry turned round, and its addenda."""
    back = f"6{entry[1]}{1 if of_credit else 6}{entry[3:]}"
    back = back[:78] + "1" + "021000020000001"
    details = f"{information:<29}" if kind == "98" else f"{'':6}{'02100002'}{information:<44}"[:58]
    if kind == "98":
        addenda = f"798{code}{trace}{'':6}{'02100002'}{details}{'':15}021000020000001"
    else:
        addenda = f"799{code}{trace}{'':6}{'02100002'}{information:<44}021000020000001"
    assert len(back) == len(addenda) == 94
    return [back, addenda]


def return_file(*lines: str) -> bytes:
    """A file of returned records, its controls counted here."""
    entries = [line for line in lines if line[0] == "6"]
    hashed = sum(int(line[3:11]) for line in entries) % 10**10
    debits = sum(int(line[29:39]) for line in entries if line[2] in "6789")
    credits = sum(int(line[29:39]) for line in entries if line[2] not in "6789")
    count = len(lines)
    records = [
        f"101 061999998 0210000201903131200A094101{'EXAMPLE FLEET':<23}{'EXAMPLE BANK':<23}{'':8}",
        f"5200{'EXAMPLE FLEET':<16}{'':20}1999999999PPDRETURN    {'':6}190313   1021000020000001",
        *lines,
        f"8200{count:06}{hashed:010}{debits:012}{credits:012}1999999999{'':25}021000020000001",
        f"9000001{-(-(count + 4) // 10):06}{count:08}{hashed:010}{debits:012}{credits:012}{'':39}",
    ]
    records += ["9" * 94] * (-len(records) % 10)
    assert all(len(record) == 94 for record in records), [len(record) for record in records]
    return ("\n".join(records) + "\n").encode()


def entry_lines(content: bytes) -> list[str]:
    """The entries of a file of ours."""
    return [line for line in content.decode().splitlines() if line[0] == "6"]


def amount_on(code: str) -> Decimal:
    """What stands on an account, debits positive."""
    from django.db.models import Case, F, Sum, When

    from ledger.models import EntryLine

    signed = Case(When(side="DR", then=F("amount")), default=-F("amount"))
    found = EntryLine.objects.filter(account__code=code).aggregate(sum=Sum(signed))["sum"]
    return found or Decimal(0)
