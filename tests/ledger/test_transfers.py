"""Transfers between clients' accounts: what moves, what is refused with nothing written, what was there when."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry
from ledger.models import Account, AccountKind, EntryHeader, EntryLine, GuardedBalance
from ledger.selectors import client_accounts, journal
from ledger.services import chart, months, transfers
from ledger.services.entries import NewEntry, NewLine, enter
from ledger.services.errors import ClosedPeriod, ControlAccount

from .account_stories import DAY, has, moved, opened
from .factories import broken_proofs
from .test_application_role import as_application

pytestmark = pytest.mark.django_db

MARCH = date(2019, 3, 1)
APRIL = date(2019, 4, 1)


@pytest.fixture
def alice() -> Account:
    """Alice has 100.00, from the house's float."""
    account = opened("user", name="Alice")
    moved(opened("internal", name="Float"), account, "100.00")
    return account


def code_of(account: str) -> Account:
    return Account.objects.get(code=account)


def test_an_account_begins_with_the_rules_of_its_kind():
    alice = opened("UsEr", name="Alice")
    assert (alice.code, alice.name, alice.kind_id) == (f"ACC-{alice.pk:08}", "Alice", "USER")
    assert (alice.type, alice.overdraft_limit, alice.metadata) == ("LIABILITY", 0, {"name": "Alice"})
    assert GuardedBalance.objects.get(pk=alice.pk).balance == 0
    float_ = opened("internal")
    assert float_.overdraft_limit is None and float_.name == f"Internal account {float_.pk}"
    assert not GuardedBalance.objects.filter(pk=float_.pk).exists()
    assert alice.history.get().history_user == system_user()
    entry = AuditEntry.objects.get(subject=f"account:{alice.code}")
    assert (entry.action, entry.after) == (
        "account.opened", {"kind": "USER", "currency": "USD", "name": "Alice"}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "currency", "error"),
    [
        ("driver", "USD", chart.UnknownKind),
        ("user", "USX", chart.UnknownCurrency),
        ("user", "usd", chart.UnknownCurrency),
    ],
)
def test_an_account_of_no_known_kind_or_currency_is_not_opened(kind, currency, error):
    with pytest.raises(error) as refused:
        opened(kind, currency)
    assert kind in str(refused.value) or currency in str(refused.value)
    assert not Account.objects.filter(kind__isnull=False).exists()


def test_a_transfer_debits_the_source_and_credits_the_destination(alice):
    bob = opened("merchant")
    made = moved(alice, bob, "30.50", metadata={"description": "Two lunches", "table": "7"})
    assert (made.amount, made.source_balance, made.destination_balance) == (
        Decimal("30.50"), Decimal("69.50"), Decimal("30.50")
    )  # fmt: skip
    entry = journal.entry_numbered(made.je_number)
    assert (entry.origin, entry.je_date, entry.event_on, entry.total) == (
        "TRANSFER",
        DAY,
        DAY,
        Decimal("30.50"),
    )
    assert (entry.description, entry.metadata) == (
        "Two lunches",
        {"description": "Two lunches", "table": "7"},
    )
    assert [(line.side, line.account, line.amount, line.fund) for line in journal.lines_of(entry)] == [
        ("DR", alice, Decimal("30.50"), "OP"), ("CR", bob, Decimal("30.50"), "OP")
    ]  # fmt: skip
    audited = AuditEntry.objects.get(subject=f"entry:{made.je_number}")
    assert (audited.action, audited.automatic, audited.after) == (
        "transfer.made", True,
        {"source": alice.code, "destination": bob.code, "amount": "30.50", "currency": "USD"},
    )  # fmt: skip
    assert (has(alice), has(bob)) == ("69.50", "30.50")
    assert broken_proofs() == []


def test_the_last_cent_can_be_given_and_not_one_more(alice):
    bob = opened("user")
    with pytest.raises(transfers.InsufficientFunds) as refused:
        moved(alice, bob, "100.01")
    assert refused.value.code == "account.overdrawn" and "100.00 USD" in str(refused.value)
    moved(alice, bob, "100.00")
    with pytest.raises(transfers.InsufficientFunds):
        moved(alice, bob, "0.01")
    assert (has(alice), has(bob)) == ("0.00", "100.00")


def test_an_overdraft_limit_is_how_far_below_zero_it_goes(alice):
    Account.objects.filter(pk=alice.pk).update(overdraft_limit=Decimal("20"))
    bob = opened("user")
    with pytest.raises(transfers.InsufficientFunds, match=r"120\.00 USD"):
        moved(alice, bob, "120.01")
    assert moved(alice, bob, "120.00").source_balance == Decimal("-20.00")


def test_one_transfer_moves_no_more_than_the_limit_of_the_sources_kind():
    AccountKind.objects.filter(pk="USER").update(transfer_limit=Decimal("50"))
    float_, alice, bob = opened("internal"), opened("user"), opened("user")
    moved(float_, alice, "50.01")  # the float's kind has none
    with pytest.raises(transfers.AboveLimit, match=r"50\.00 USD"):
        moved(alice, bob, "50.01")
    moved(alice, bob, "50.00")


def test_decimals_are_those_of_the_currency():
    for currency, finest, too_fine in (
        ("JPY", "1", "0.1"),
        ("KWD", "0.001", "0.0001"),
        ("USD", "0.01", "0.001"),
    ):
        float_, alice = opened("internal", currency), opened("user", currency)
        with pytest.raises(transfers.TooFine):
            moved(float_, alice, too_fine)
        assert (
            str(moved(float_, alice, f"{finest}0" if "." in finest else finest).destination_balance) == finest
        )
        assert has(alice) == finest


@pytest.mark.parametrize("amount", ["0", "-1", "-0.001", "NaN"])
def test_nothing_and_less_is_refused(alice, amount):
    with pytest.raises(transfers.NotPositive):
        moved(alice, opened("user"), amount)


def test_what_is_refused_leaves_nothing_behind(alice):
    bob, euros, closed = opened("user"), opened("user", "EUR"), opened("user")
    Account.objects.filter(pk=closed.pk).update(active=False)
    unknown = Account(uid=uuid4(), currency_id="USD")
    before = _everything()
    for error, source, destination, more in (
        (transfers.NoSuchAccount, unknown, bob, {}),
        (transfers.NoSuchAccount, alice, unknown, {}),
        (transfers.SameAccount, alice, alice, {}),
        (transfers.InactiveAccount, alice, closed, {}),
        (transfers.InactiveAccount, closed, alice, {}),
        (chart.UnknownCurrency, alice, bob, {"currency": "XXX"}),
        (transfers.CurrencyMismatch, alice, bob, {"currency": "EUR"}),
        (transfers.CurrencyMismatch, alice, euros, {"currency": "USD"}),
        (transfers.CurrencyMismatch, euros, alice, {"currency": "USD"}),
        (transfers.TooFine, alice, bob, {"amount": "1.001"}),
        (transfers.NotPositive, alice, bob, {"amount": "0"}),
        (transfers.InsufficientFunds, alice, bob, {"amount": "100.01"}),
        (ControlAccount, alice, code_of("1200"), {}),
        (ControlAccount, code_of("2300"), alice, {}),
    ):
        with pytest.raises(error) as refused:
            moved(source, destination, more.pop("amount", "10.00"), **more)
        assert 400 <= refused.value.status < 500 and "{" not in str(refused.value)
        assert _everything() == before, error


def _everything():
    return (
        EntryHeader.objects.count(),
        EntryLine.objects.count(),
        AuditEntry.objects.count(),
        list(GuardedBalance.objects.order_by("pk").values_list("pk", "balance")),
    )


def test_the_database_itself_refuses_a_control_account(alice):
    """As somebody would meet it who came past `ledger_transfer`."""
    receivable = code_of("1200")
    lines = [NewLine(alice.pk, Decimal("1.00")), NewLine(receivable.pk, Decimal("-1.00"))]
    with pytest.raises(ControlAccount, match="1200"):
        enter([NewEntry(je_date=DAY, lines=lines)], origin="TRANSFER", actor_id=system_user().pk)


def test_a_transfer_to_the_bank_pays_out(alice):
    """An asset is smaller for its credit: the client has less, and so has the bank."""
    bank = code_of("1010")
    made = moved(alice, bank, "40.00")
    assert (made.source_balance, made.destination_balance) == (Decimal("60.00"), None)
    assert has(bank) == "-40.00"


def test_a_guarded_asset_is_not_overdrawn_by_what_it_gives(alice):
    safe = code_of("1020")
    Account.objects.filter(pk=safe.pk).update(overdraft_limit=0)
    with pytest.raises(transfers.InsufficientFunds, match="1020"):
        moved(alice, safe, "0.01")
    made = moved(safe, alice, "5.00")  # the client pays in
    assert (made.source_balance, made.destination_balance) == (Decimal("5.00"), Decimal("105.00"))


def test_a_closed_day_is_refused(alice):
    bob = opened("user")
    months.close_month(month=MARCH, actor=system_user(), on=APRIL)
    with pytest.raises(ClosedPeriod):
        moved(alice, bob, "1.00", on=DAY)
    assert moved(alice, bob, "1.00", on=APRIL).je_date == APRIL


def test_the_application_needs_no_right_to_the_balances_it_moves(alice):
    with as_application():
        bob = opened("user")
        moved(alice, bob, "1.00")
        assert has(bob) == "1.00"


# --- what was there when ------------------------------------------------------------------------------------


def test_balances_by_day_and_by_moment_agree_with_the_events():
    float_, alice = opened("internal"), opened("user")
    began = _now()
    days = [DAY, DAY, DAY + timedelta(days=1), APRIL, DAY]  # the last is entered late
    moments = []
    for day in days:
        moved(float_, alice, "10.00", on=day)
        moments.append(_now())
    assert [has(alice, as_of=day) for day in (DAY - timedelta(days=1), DAY, DAY + timedelta(days=1), APRIL)] == [
        "0.00", "30.00", "40.00", "50.00"
    ]  # fmt: skip
    assert [has(alice, as_of=moment) for moment in (began, *moments)] == [
        "0.00", "10.00", "20.00", "30.00", "40.00", "50.00"
    ]  # fmt: skip
    assert has(float_) == "-50.00" and has(float_, as_of=DAY) == "-30.00"
    assert has(float_, as_of=moments[1]) == "-20.00"


def test_closed_months_are_read_from_their_snapshots():
    float_, alice = opened("internal"), opened("user")
    moved(float_, alice, "10.00", on=DAY)
    before = _now()
    moved(float_, alice, "5.00", on=DAY)
    months.close_month(month=MARCH, actor=system_user(), on=APRIL)
    moved(float_, alice, "1.00", on=APRIL)
    last_of_march = APRIL - timedelta(days=1)
    expected = [
        ("-10.00", before),
        ("-16.00", _now()),
        ("-16.00", None),
        ("-15.00", last_of_march),
        ("-16.00", APRIL),
    ]
    assert [(has(float_, as_of=as_of), as_of) for _, as_of in expected] == expected
    with connection.cursor() as cursor:
        # Only who reads the snapshot notices; the one from before the month closed must not.
        cursor.execute("UPDATE account_balance_snapshot SET debits = debits + 100, closing = closing + 100")
    assert has(float_, as_of=before) == "-10.00"
    assert has(float_, as_of=_now()) == "-116.00"
    assert has(float_) == "-116.00"


def _now():
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def pages_of(account, limit, between=lambda: None):
    """All events, page by page: (change, balance after). `between` is done after the first page."""
    seen, page = [], client_accounts.events_of(account, limit=limit)
    between()
    while True:
        assert len(page.items) <= limit
        seen += [(str(row["change"]), str(row["balance_after"])) for row in page.items]
        if page.next_cursor is None:
            return seen
        page = client_accounts.events_of(account, limit=limit, cursor=page.next_cursor)


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 7])
@pytest.mark.parametrize("kind", ["merchant", "internal"])
def test_events_come_newest_first_with_the_balance_after_each_page_by_page(kind, limit):
    float_, shop = opened("internal"), opened(kind)
    for amount in ["10.00", "20.00", "0.01", "5.00", "7.50"]:
        moved(float_, shop, amount)
    moved(shop, float_, "2.51")
    expected = [("-2.51", "40.00"), ("7.50", "42.51"), ("5.00", "35.01"), ("0.01", "30.01"), ("20.00", "30.00"),
                ("10.00", "10.00")]  # fmt: skip
    # Somebody pays in while we turn the page.
    assert pages_of(shop, limit, lambda: moved(float_, shop, "0.99")) == expected


def test_an_account_on_both_sides_of_an_entry_has_two_events():
    float_, shop = opened("internal"), opened("user")
    moved(float_, shop, "10.00")
    lines = [
        NewLine(shop.pk, Decimal("4.00")),
        NewLine(shop.pk, Decimal("-1.00")),
        NewLine(float_.pk, Decimal("-3.00")),
    ]
    enter([NewEntry(je_date=DAY, lines=lines)], origin="MANUAL", actor_id=system_user().pk)
    for limit in (1, 2, 3):
        assert pages_of(shop, limit) == [("1.00", "7.00"), ("-4.00", "6.00"), ("10.00", "10.00")]


def test_a_cursor_is_the_accounts_own_and_cannot_be_made_up():
    float_, shop = opened("internal"), opened("user")
    for _ in range(3):
        moved(float_, shop, "10.00")
    cursor = client_accounts.events_of(shop, limit=1).next_cursor
    for account, wrong in ((float_, cursor), (shop, cursor + "x"), (shop, "abc"), (shop, "")):
        with pytest.raises(client_accounts.BadCursor):
            client_accounts.events_of(account, limit=1, cursor=wrong)
