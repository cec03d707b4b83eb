"""A ledger with some of everything that has a journal entry, for tests of the journal's proofs, seals and exports.

Trips come in as a file, so that they are journalised as they are in life.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from django.db import connection

from batconnect.common.audit import system_user
from ledger.models import DTR, Account, AccountKind, DriverAccount, EntryHeader, LedgerPosting, Origin
from ledger.services import statements, voids
from ledger.services.entries import NewEntry, NewLine, enter
from tests.factories import make_lease

from .factories import MONDAY_AFTER, account_of, charge, pay, run
from .trip_files import load, trip

FRIDAY = {"START_DATE": "03/08/2019 08:00:00", "END_DATE": "03/08/2019 08:20:00"}


@dataclass(frozen=True)
class Story:
    """Two accounts after a closed week; one is paid, the other is not yet. And trips of the week that follows."""

    paid: DriverAccount
    unpaid: DriverAccount
    report: DTR
    unpaid_report: DTR
    toll: LedgerPosting
    wallet: Account


def account(code: str) -> Account:
    return Account.objects.get(code=code)


def tell(folder: Path) -> Story:
    leases = [make_lease(weekly_fee="0.00") for _ in range(2)]
    paid, unpaid = (account_of(lease) for lease in leases)
    week = [trip(lease, **FRIDAY) for lease in leases for _ in range(3)]
    load(folder, *week, trip(leases[0], **FRIDAY, PAYMENT_TYPE="$"))
    charge(paid, "LEASE", "10.00", "LEASE-1")
    charge(paid, "DEPOSIT", "5.00", "DEPOSIT-1")
    charge(unpaid, "LOAN", "12.50", "LOAN-1", components={"principal": "10.00", "interest": "2.50"})
    run()
    report, unpaid_report = (DTR.objects.get(account=each) for each in (paid, unpaid))
    statements.pay_dtr(dtr=report, on=MONDAY_AFTER, method="ACH", actor=system_user())
    toll = charge(paid, "EZPASS", "25.00", "TOLL-1", on=MONDAY_AFTER)
    ticket = charge(paid, "PVB", "65.00", "TICKET-1", on=MONDAY_AFTER)
    pay(paid, "10.00", {"TOLL-1": "10.00"})
    voids.void_posting(
        posting_id=ticket.pk, reason="Another cab's ticket", actor=system_user(), on=MONDAY_AFTER
    )
    sunday = {"START_DATE": "03/10/2019 08:00:00", "END_DATE": "03/10/2019 08:20:00"}
    load(folder, trip(leases[1], **sunday))
    wallet = Account.objects.create(
        code="W-1", name='Ann "Wallet"; Ltd.', type="LIABILITY", kind=AccountKind.objects.get(pk="USER"),
        overdraft_limit=Decimal(0),
    )  # fmt: skip
    entry = enter_plain("1010", "W-1", "40.00", reference="TOP-UP")
    reverse(entry)
    enter_plain("1010", "W-1", "15.00", reference='She said "hi";\nthere')
    return Story(paid, unpaid, report, unpaid_report, toll, wallet)


def enter_plain(
    debit: str, credit: str, amount: str, *, on: date = MONDAY_AFTER, reference: str = "", **more: object
) -> EntryHeader:
    """One entry of two lines between two accounts, by their codes."""
    lines = [NewLine(account(debit).pk, Decimal(amount)), NewLine(account(credit).pk, -Decimal(amount))]
    (entered,) = enter(
        [NewEntry(je_date=on, lines=lines, reference=reference, **more)],
        origin=Origin.MANUAL,
        actor_id=system_user().pk,
    )
    return EntryHeader.objects.get(pk=entered.entry_id, je_date=entered.je_date)


def reverse(entry: EntryHeader) -> EntryHeader:
    """The mirror of an entry, on the same day."""
    lines = [
        NewLine(
            line.account_id, -line.amount if line.side == "DR" else line.amount, line.currency_id, line.fund
        )
        for line in entry.lines.order_by("line_number")
    ]
    (entered,) = enter(
        [NewEntry(je_date=entry.je_date, lines=lines, reverses_id=entry.pk, reverses_date=entry.je_date)],
        origin=Origin.MANUAL,
        actor_id=system_user().pk,
    )
    return EntryHeader.objects.get(pk=entered.entry_id, je_date=entered.je_date)


def entry_of(posting: LedgerPosting) -> EntryHeader:
    return EntryHeader.objects.get(posting=posting, je_date=posting.effective_on)


def behind_the_triggers(*statements: str, **parameters: object) -> None:
    """Run statements as somebody who turned the triggers off; each must touch something."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            cursor.execute(statement, parameters if "%(" in statement else None)
            assert cursor.rowcount != 0, f"nothing was touched by {statement}"
        cursor.execute("SET LOCAL session_replication_role = origin")
