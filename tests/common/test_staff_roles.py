"""The six roles: who has none sees nothing, and nobody can both ask for money and let it go alone."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from batconnect.common.models import User
from tests.factories import make_user

pytestmark = pytest.mark.django_db
ROLES = ("Front desk", "Cashier", "Accountant", "Finance manager", "Auditor", "Administrator")
# What ends with money leaving, or with history taken back.
MOVES_MONEY = (
    "ledger.void_posting",
    "ledger.take_payment",
    "ledger.pay_dtr",
    "ledger.pay_cash",
    "ledger.send_payoutbatch",
    "ledger.approve_payoutbatch",
    "ledger.refund_credit",
    "ledger.write_off",
    "ledger.approve_journal",
    "ledger.reverse_settlement",
    "ledger.run_week",
    "leases.refund_deposit",
    "loans.pay_out_driverloan",
    "loans.forgive_driverloan",
    "misc_expenses.add_miscellaneousexpense",
    "recon.decide_agencyitem",
    "cases.process_case",
    "cases.approve_case",
)


def in_role(name: str) -> User:
    user = make_user()
    user.groups.add(Group.objects.get(name=name))
    return User.objects.get(pk=user.pk)


def test_they_are_there_from_the_start_and_nobody_is_in_them() -> None:
    assert set(Group.objects.filter(name__in=ROLES).values_list("name", flat=True)) == set(ROLES)
    assert not User.objects.filter(groups__name__in=ROLES).exists()


@pytest.mark.parametrize("name", ROLES)
def test_everybody_finds_a_home_page_and_every_page_of_the_own_menu(client: Client, name: str) -> None:
    client.force_login(in_role(name))
    home = client.get(reverse("admin:index"))
    assert home.status_code == 200
    links = {
        item["link"]
        for group in home.context["sidebar_navigation"]
        for item in group["items"]
        if item.get("has_permission", True)
    }
    assert len(links) > 8
    refused = [link for link in sorted(map(str, links)) if client.get(link).status_code != 200]
    assert refused == []


def test_an_auditor_and_an_administrator_move_no_money() -> None:
    for name in ("Auditor", "Administrator"):
        user = in_role(name)
        assert [permission for permission in MOVES_MONEY if user.has_perm(permission)] == []


def test_an_auditor_changes_nothing_at_all() -> None:
    may = {permission.partition(".")[2] for permission in in_role("Auditor").get_all_permissions()}
    reading = ("view_", "export_")
    assert {name for name in may if not name.startswith(reading)} == {"read_reports"}


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("ledger.prepare_payoutbatch", "ledger.approve_payoutbatch"),
        ("ledger.request_payoutinstruction", "ledger.approve_payoutinstruction"),
        ("ledger.enter_journal", "ledger.approve_journal"),
        ("cases.process_case", "cases.approve_case"),
        ("loans.add_driverloan", "loans.approve_driverloan"),
    ],
)
def test_what_needs_two_people_is_let_go_by_finance_managers_alone(one: str, two: str) -> None:
    assert [name for name in ROLES if in_role(name).has_perm(two)] == ["Finance manager"]
    assert in_role("Accountant").has_perm(one)


def test_whoever_moves_cash_through_a_drawer_of_his_own_may_close_it() -> None:
    moving = ("ledger.take_payment", "ledger.pay_cash", "ledger.pay_dtr", "ledger.refund_credit")
    for name in ROLES:
        user = in_role(name)
        assert user.has_perm("ledger.close_drawer") is any(map(user.has_perm, moving)), name


def test_the_desk_takes_no_payments_and_the_cashier_charges_nobody() -> None:
    desk, cashier = in_role("Front desk"), in_role("Cashier")
    assert desk.has_perm("misc_expenses.add_miscellaneousexpense") and not desk.has_perm(
        "ledger.take_payment"
    )
    assert cashier.has_perm("ledger.take_payment")
    assert not cashier.has_perm("misc_expenses.add_miscellaneousexpense")
    for user in (desk, cashier):
        assert not user.has_perm("ledger.void_posting") and not user.has_perm("ledger.run_week")
