"""Charging a driver: one and many on the same path, every date, and every refusal with nothing written."""

from datetime import date
from decimal import Decimal

import pytest

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry
from batconnect.common.money import BadAmount
from ledger.models import Category, DriverAccount, LedgerBalance, LedgerPosting
from ledger.services import obligations
from ledger.services.errors import DuplicateReference, UnknownAccount
from ledger.services.obligations import Obligation
from ledger.services.postings import DatedAhead

from .factories import MONDAY_AFTER, SATURDAY, SUNDAY, balance, charge, make_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return make_account()


def post(*rows, on=SUNDAY, **options):
    return obligations.create_obligations(obligations=rows, actor=system_user(), on=on, **options)


def nothing_written(account):
    return not LedgerPosting.objects.exists() and not LedgerBalance.objects.exists() and balance(account) == 0


def test_a_charge_is_a_debit_with_its_open_item_on_the_lease_s_cab(account):
    posting = charge(
        account, "PVB", "65.00", "SUMMONS-1", event_on=date(2019, 2, 20), description="No parking"
    )

    assert (posting.amount, posting.entry_type, posting.status) == (Decimal("65.00"), "DEBIT", "POSTED")
    assert (posting.effective_on, posting.event_on, posting.due_on) == (SUNDAY, date(2019, 2, 20), SATURDAY)
    assert (posting.driver_id, posting.lease_id) == (account.driver_id, account.lease_id)
    assert (posting.medallion_id, posting.vehicle_id) == (
        account.lease.medallion_id,
        account.lease.vehicle_id,
    )
    item = posting.open_item
    assert (item.original_amount, item.balance, item.status) == (Decimal("65.00"), Decimal("65.00"), "OPEN")
    assert balance(account) == Decimal("65.00")


def test_the_audit_trail_names_the_posting_and_its_maker(account):
    posting = charge(account, "MISC", "5.00")
    entry = AuditEntry.objects.get(subject=f"posting:{posting.pk}")
    assert (entry.action, entry.actor, entry.automatic) == ("posting.created", system_user(), True)
    assert entry.after == {"amount": "5.00", "first_reference": posting.reference_id}


def test_many_charges_are_posted_in_one_statement_and_returned_in_order(account, django_assert_num_queries):
    rows = [Obligation(account.pk, "EZPASS", Decimal("6.12"), f"TOLL-{n}") for n in range(1_000)]
    actor = system_user()
    with django_assert_num_queries(3):  # savepoint, the statement, release
        posted = obligations.create_obligations(obligations=rows, actor=actor, on=SUNDAY)
    assert [made.reference_id for made in posted] == [row.reference_id for row in rows]
    assert balance(account) == Decimal("6120.00")
    assert AuditEntry.objects.filter(subject="postings:1000").count() == 1


def test_no_charges_are_no_statement(account, django_assert_num_queries):
    actor = system_user()
    with django_assert_num_queries(2):  # only the test's own savepoint
        assert obligations.create_obligations(obligations=[], actor=actor, on=SUNDAY) == []


def test_a_reference_is_used_once_per_category_for_ever_by_whichever_driver(account):
    other = make_account()
    charge(account, "EZPASS", "5.00", "8800")
    charge(other, "PVB", "5.00", "8800")
    with pytest.raises(DuplicateReference, match="EZPASS reference 8800"):
        charge(other, "EZPASS", "7.00", "8800")
    assert balance(account) == balance(other) == Decimal("5.00")


def test_one_bad_row_refuses_the_whole_batch_and_is_named(account):
    rows = [Obligation(account.pk, "MISC", Decimal("1.00"), reference) for reference in ("A", "B", "A")]
    with pytest.raises(DuplicateReference, match="MISC reference A "):
        post(*rows)
    assert nothing_written(account)


@pytest.mark.parametrize("amount", [Decimal("0.01"), Decimal("999999999999.99")])
def test_the_smallest_and_the_largest_amount_are_taken(account, amount):
    post(Obligation(account.pk, "MISC", amount, "EDGE"))
    assert balance(account) == amount


@pytest.mark.parametrize(
    ("amount", "error"),
    [
        (Decimal("0.00"), obligations.NotPositive),
        (Decimal("-0.01"), obligations.NotPositive),
        (Decimal("0.001"), BadAmount),
        (Decimal("1000000000000.00"), BadAmount),
        (Decimal("NaN"), BadAmount),
        (Decimal("Infinity"), BadAmount),
        (1.5, BadAmount),
        (None, BadAmount),
    ],
)
def test_what_is_not_an_amount_in_cents_above_zero_is_refused(account, amount, error):
    with pytest.raises(error):
        post(Obligation(account.pk, "MISC", amount, "BAD"))
    assert nothing_written(account)


def test_a_balance_beyond_what_the_ledger_holds_is_refused(account):
    post(Obligation(account.pk, "MISC", Decimal("999999999999.99"), "HUGE"))
    with pytest.raises(obligations.LedgerError, match="larger than the ledger holds"):
        post(Obligation(account.pk, "MISC", Decimal("0.01"), "STRAW"))
    assert balance(account) == Decimal("999999999999.99")


@pytest.mark.parametrize("reference", ["", " A", "A ", "A\nB", "A\x00", "x" * 77])
def test_a_reference_must_be_printable_and_short(account, reference):
    with pytest.raises(obligations.BadReference):
        post(Obligation(account.pk, "MISC", Decimal("1.00"), reference))
    assert nothing_written(account)


@pytest.mark.parametrize(
    "category", ["TAXES", "EARNINGS", "PAYOUT", "INTERIM_PAYMENT", "WRITE_OFF", "NOTHING"]
)
def test_only_charges_are_charged(account, category):
    with pytest.raises(obligations.NotChargeable):
        post(Obligation(account.pk, category, Decimal("1.00"), "X"))
    assert nothing_written(account)


def test_nothing_has_happened_or_is_dated_ahead_of_today(account):
    ahead = date(2019, 3, 4)
    with pytest.raises(obligations.FutureEvent):
        post(Obligation(account.pk, "MISC", Decimal("1.00"), "X", event_on=ahead))
    with pytest.raises(DatedAhead):
        post(Obligation(account.pk, "MISC", Decimal("1.00"), "X"), accounting_date=ahead)
    assert nothing_written(account)
    assert charge(account, "MISC", "1.00", "X", on=ahead, event_on=ahead).event_on == ahead


def test_due_is_the_saturday_of_the_week_posted_unless_said_otherwise(account):
    assert charge(account, "MISC", "1.00", on=SATURDAY).due_on == SATURDAY
    assert charge(account, "MISC", "1.00", on=date(2019, 3, 10)).due_on == date(2019, 3, 16)
    assert charge(account, "MISC", "1.00", due_on=date(2020, 2, 29)).due_on == date(2020, 2, 29)


def test_components_add_up_to_the_amount(account):
    parts = {"principal": "250.00", "interest": "3.29"}
    posting = charge(account, "LOAN", "253.29", components=parts)
    assert posting.components == parts
    with pytest.raises(obligations.ComponentsDiffer):
        charge(account, "LOAN", "253.30", components=parts)


def test_an_unknown_account_is_refused_even_among_good_rows(account):
    missing = DriverAccount.objects.order_by("-pk").values_list("pk", flat=True)[0] + 1
    with pytest.raises(UnknownAccount):
        post(
            Obligation(account.pk, "MISC", Decimal("1.00"), "GOOD"),
            Obligation(missing, "MISC", Decimal("1.00"), "LOST"),
        )
    assert nothing_written(account)


def test_every_charge_of_the_hierarchy_can_be_posted(account):
    for category in obligations.CHARGEABLE:
        charge(account, category, "1.00", on=MONDAY_AFTER)
    assert balance(account) == Decimal(len(obligations.CHARGEABLE))
    assert Category.TAXES not in obligations.CHARGEABLE


def test_a_reference_of_the_lease_schedule_is_the_schedule_s_own(account):
    with pytest.raises(obligations.ReservedReference):
        charge(account, "LEASE", "1.00", "L-00006/2019-03-10")
    assert charge(account, "MISC", "1.00", "L-00006/2019-03-10").amount == Decimal("1.00")
    assert nothing_written(account) is False
