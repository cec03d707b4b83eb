"""Leases as a source for the weekly run: what is due, what was posted, and what then stays as it is."""

from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from leases.installments import InstallmentsChanged, LeaseInstallments
from leases.models import LeaseInstallment
from ledger.models import DriverAccount
from ledger.services.installments import registered_sources
from tests.factories import make_lease

SUNDAY = date(2019, 3, 3)
SATURDAY = date(2019, 3, 9)
pytestmark = pytest.mark.django_db


@pytest.fixture
def source():
    return LeaseInstallments()


def test_leases_are_registered_with_the_weekly_run():
    assert "leases" in [source.name for source in registered_sources()]


def test_due_installments_become_lease_obligations_in_account_order(source):
    late, early = make_lease(starts_on=SUNDAY), make_lease(starts_on=date(2019, 3, 10), weekly_fee="70.00")
    source.prepare(through=date(2019, 3, 16))
    due = source.due(through=date(2019, 3, 16), limit=100)
    accounts = {a.lease_id: a.pk for a in DriverAccount.objects.all()}
    assert [(d.obligation.account_id, d.obligation.reference_id) for d in due] == [
        (accounts[late.pk], f"{late.number}/2019-03-03"),
        (accounts[late.pk], f"{late.number}/2019-03-10"),
        (accounts[early.pk], f"{early.number}/2019-03-10"),
    ]
    assert {d.obligation.category for d in due} == {"LEASE"}
    assert (due[2].obligation.amount, due[2].obligation.due_on) == (Decimal("70.00"), date(2019, 3, 16))


def test_the_parts_of_what_is_due_are_the_whole_and_share_no_account(source):
    for _ in range(5):
        make_lease(starts_on=SUNDAY)
    source.prepare(through=date(2019, 3, 16))
    whole = source.due(through=date(2019, 3, 16), limit=100)
    parts = [source.due(through=date(2019, 3, 16), limit=100, part=part, parts=3) for part in range(3)]
    assert sorted(due.source_id for part in parts for due in part) == sorted(due.source_id for due in whole)
    accounts = [{due.obligation.account_id for due in part} for part in parts]
    assert sum(map(len, accounts)) == len(set.union(*accounts)) == 5


def test_only_what_is_due_by_that_day_and_no_more_than_asked(source):
    make_lease(starts_on=SUNDAY)
    source.prepare(through=date(2019, 3, 23))
    assert source.due(through=date(2019, 3, 8), limit=100) == []
    assert len(source.due(through=SATURDAY, limit=100)) == 1
    assert len(source.due(through=date(2019, 3, 23), limit=2)) == 2


def test_what_was_posted_is_not_due_again(source):
    make_lease(starts_on=SUNDAY)
    source.prepare(through=date(2019, 3, 16))
    first, second = source.due(through=date(2019, 3, 16), limit=100)
    posting = uuid4()
    source.mark_posted([(first.source_id, posting)])
    assert LeaseInstallment.objects.get(pk=first.source_id).posting_id == posting
    assert source.due(through=date(2019, 3, 16), limit=100) == [second]
    source.mark_posted([])


def test_marking_what_is_gone_or_posted_already_is_refused(source):
    make_lease(starts_on=SUNDAY)
    source.prepare(through=SATURDAY)
    (due,) = source.due(through=SATURDAY, limit=1)
    source.mark_posted([(due.source_id, uuid4())])
    with pytest.raises(InstallmentsChanged, match="1 of 1"):
        source.mark_posted([(due.source_id, uuid4())])
    with pytest.raises(InstallmentsChanged):
        source.mark_posted([(due.source_id + 1000, uuid4())])


@pytest.fixture
def posted(source):
    make_lease(starts_on=SUNDAY)
    source.prepare(through=SATURDAY)
    (due,) = source.due(through=SATURDAY, limit=1)
    source.mark_posted([(due.source_id, uuid4())])
    return LeaseInstallment.objects.get(pk=due.source_id)


@pytest.mark.parametrize(
    "change",
    [
        {"amount": Decimal("1.00")},
        {"due_on": date(2019, 3, 16)},
        {"posting_id": None},
        {"posting_id": uuid4()},
    ],
)
def test_a_posted_installment_cannot_be_changed(posted, change):
    with pytest.raises(DatabaseError, match="was posted and cannot be changed"), transaction.atomic():
        LeaseInstallment.objects.filter(pk=posted.pk).update(**change)


def test_a_posted_installment_cannot_be_deleted_or_truncated_away(posted):
    with pytest.raises(DatabaseError, match="cannot be changed or deleted"), transaction.atomic():
        posted.delete()
    with (
        pytest.raises(DatabaseError, match="cannot be truncated"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("TRUNCATE lease_installment")


def test_an_unposted_installment_can_be_changed_and_deleted(source):
    lease = make_lease(starts_on=SUNDAY)
    source.prepare(through=SATURDAY)
    assert lease.installments.update(amount=Decimal("1.00")) == 1
    assert lease.installments.all().delete()[0] == 1


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"amount": Decimal("0.00")}, "lease_installment_positive"),
        ({"days": 0}, "lease_installment_days"),
        ({"days": 8}, "lease_installment_days"),
        ({"week": date(2019, 3, 4)}, "lease_installment_within_week"),
        ({"period_start": date(2019, 3, 2)}, "lease_installment_within_week"),
        ({"period_end": date(2019, 3, 10)}, "lease_installment_within_week"),
        ({"period_start": SATURDAY, "period_end": SUNDAY}, "lease_installment_within_week"),
        ({"due_on": date(2019, 3, 8)}, "lease_installment_within_week"),
    ],
)
def test_an_installment_lies_in_one_week_and_costs_something(source, change, rule):
    lease = make_lease(starts_on=SUNDAY)
    source.prepare(through=SATURDAY)
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        lease.installments.update(**change)


def test_a_stretch_is_billed_once(source):
    lease = make_lease(starts_on=SUNDAY)
    source.prepare(through=SATURDAY)
    again = lease.installments.get()
    reference, again.pk, again.reference_id = again.reference_id, None, "another"
    with pytest.raises(IntegrityError, match="lease_installment_once"), transaction.atomic():
        again.save()
    again.period_start, again.reference_id = date(2019, 3, 4), reference
    with pytest.raises(IntegrityError, match="lease_installment_reference_once"), transaction.atomic():
        again.save()
