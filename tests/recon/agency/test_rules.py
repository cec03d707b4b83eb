"""What the database refuses of tolls and tickets, whoever asks."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from batconnect.common.audit import system_user
from batconnect.common.transactions import sqlstate
from leases.models import Lease
from ledger.models import Origin
from ledger.services.house_events import enter_house_event
from recon.models import AgencyDecision, AgencyFile, AgencyItem, AgencyReject
from recon.services.agency import deciding
from tests.ledger.factories import account_of, broken_proofs, charge
from tests.ledger.test_application_role import as_application

from .stories import DAY, TODAY, drove, item, load_tolls, make_cab, toll

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana(tmp_path: Path) -> Lease:
    lease = make_cab()
    drove(lease, "11:45", "12:15", toll=True)
    load_tolls(
        tmp_path, toll("T1"), toll("T2", "12:40"), toll("F1", plate="NY Z00013Z"), toll("B", amount="six")
    )
    return lease


def refused(code: str, act: Any) -> None:
    with pytest.raises(DatabaseError) as raised, transaction.atomic():
        act()
    assert sqlstate(raised.value) == code, raised.value


def new(number: str, **fields: Any) -> AgencyDecision:
    found = item(number)
    values = {
        "place": (found.decision.place if found.decision else 0) + 1,
        "action": "ASSIGNED",
        "reasons": "Because",
    }
    return AgencyDecision(item=found, decided_by=system_user(), **{**values, **fields})


def test_what_came_and_what_was_decided_never_changes(ana: Lease) -> None:
    for model, change in (
        (AgencyItem, {"amount": "1.00"}),
        (AgencyItem, {"state": "DISMISSED"}),
        (AgencyItem, {"decision": None}),
    ):
        refused("BC058", lambda model=model, change=change: model.objects.all().update(**change))
    for model in (AgencyDecision, AgencyFile, AgencyReject):
        name = {AgencyDecision: "reasons", AgencyFile: "file_name", AgencyReject: "message"}[model]
        refused("P0001", lambda model=model, name=name: model.objects.all().update(**{name: "x"}))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for model in (AgencyItem, AgencyDecision, AgencyFile, AgencyReject):
        refused("P0001", lambda model=model: model.objects.all()._raw_delete("default"))
        refused("P0001", lambda model=model: _truncate(model))


def _truncate(model: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {model._meta.db_table} CASCADE")


def test_an_item_is_left_by_no_transaction_without_a_decision(ana: Lease) -> None:
    found = item("T1")
    values = {
        name: getattr(found, name) for name in ("kind", "nature", "event_on", "amount", "paid", "due", "raw")
    }
    fresh = {
        **values,
        "number": "T9",
        "figures_hash": "x",
        "case_no": "TLC000001",
        "created_by": system_user(),
    }

    def act() -> None:
        AgencyItem.objects.create(**fresh)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS agency_item_decided IMMEDIATE")

    refused("BC058", act)
    refused("BC058", lambda: AgencyItem.objects.create(**fresh, state="POSTED"))
    refused("23514", lambda: AgencyItem.objects.create(**{**fresh, "paid": Decimal("1.00")}))
    refused("23514", lambda: AgencyItem.objects.create(**{**fresh, "case_no": ""}))
    refused("23505", lambda: AgencyItem.objects.create(**{**fresh, "number": "T1"}))


def test_decisions_follow_one_another(ana: Lease) -> None:
    refused("BC055", new("T2", place=3, state="DISMISSED").save)
    refused("23505", new("T2", place=1, state="DISMISSED").save)
    refused("23514", new("T2", state="DISMISSED", reasons="").save)


def test_nothing_is_decided_over_money_that_stands(ana: Lease) -> None:
    refused("BC056", new("T1", state="DISMISSED").save)
    entered = enter_house_event(
        "FLEET_COST", amount=Decimal("6.12"), on=TODAY, actor=system_user(), reference="F1", product="EZPASS"
    )
    money = {"amount": Decimal("6.12"), "entry_id": entered.entry_id, "entry_date": entered.je_date}
    new("F1", state="FLEET_COST", **money).save()
    refused("BC056", new("F1", state="UNASSIGNED").save)


def test_a_decision_fits_its_money(ana: Lease) -> None:
    account = account_of(ana)
    posting = charge(account, "EZPASS", "6.12", "T2", on=TODAY, event_on=DAY)
    fits = {"state": "POSTED", "posting": posting, "account": account, "amount": Decimal("6.12")}
    refused("BC057", new("T2", **{**fits, "amount": Decimal("6.13")}).save)
    refused("BC057", new("F1", **fits).save)
    other = account_of(make_cab("T999999C"))
    refused("BC057", new("T2", **{**fits, "account": other}).save)
    refused("BC057", new("T2", **{**fits, "fee_posting": posting}).save)
    refused("23514", new("T2", **{**fits, "posting": None}).save)
    refused("23514", new("T2", state="REVIEW", posting=posting).save)
    wrong_day = charge(account, "EZPASS", "6.12", "T2/2", on=TODAY)
    refused("BC057", new("T2", **{**fits, "posting": wrong_day}).save)
    entered = enter_house_event(
        "FLEET_COST", amount=Decimal("6.12"), on=TODAY, actor=system_user(), reference="T1", product="EZPASS",
        origin=Origin.HOUSE,
    )  # fmt: skip
    entry = {"amount": Decimal("6.12"), "entry_id": entered.entry_id, "entry_date": entered.je_date}
    refused("BC057", new("F1", state="FLEET_COST", **entry).save)
    new("T2", **fits).save()
    refused("23505", new("T2", **fits).save)  # a posting is of one decision


def test_of_the_figures_under_one_number_one_is_charged(ana: Lease, tmp_path: Path) -> None:
    load_tolls(tmp_path, toll("T1", amount="$-7.12"))
    posting = charge(account_of(ana), "EZPASS", "7.12", "T1/2", on=TODAY, event_on=DAY)
    second = AgencyDecision(
        item=item("T1", 2), place=2, action="REVISED", state="POSTED", reasons="Because", posting=posting,
        account=account_of(ana), amount=Decimal("7.12"), decided_by=system_user(),
    )  # fmt: skip
    refused("23505", second.save)


def test_the_applications_role_can_do_its_work_and_change_nothing(tmp_path: Path) -> None:
    lease = make_cab()
    drove(lease, "11:45", "12:15", toll=True)
    with as_application():
        load_tolls(tmp_path, toll("T1"), toll("T2", "12:40"), toll("B", amount="six"))
        deciding.accept(item_ids=[item("T2").pk], actor=system_user(), on=TODAY)
        asked = {
            "item_id": item("T1").pk,
            "reason": "The trip was another's",
            "actor": system_user(),
            "on": TODAY,
        }
        deciding.take_as_fleet_cost(**asked)
        deciding.undo(**asked)
    assert (item("T1").state, item("T2").state) == ("REVIEW", "POSTED") and broken_proofs() == []
    for statement in (
        "UPDATE agency_item SET amount = 1", "UPDATE agency_item SET state = 'POSTED'", "DELETE FROM agency_item",
        "UPDATE agency_decision SET reasons = 'x'", "DELETE FROM agency_decision", "UPDATE agency_file SET rows = 1",
        "DELETE FROM agency_reject",
    ):  # fmt: skip
        with (
            pytest.raises(DatabaseError, match="permission denied"), transaction.atomic(), as_application(),
            connection.cursor() as cursor,
        ):  # fmt: skip
            cursor.execute(statement)
