"""Finance keeps its chart of accounts: what may change changes, and what entries rest on stands."""

from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse

from batconnect.common.models import AuditEntry
from ledger.models import Account, AccountKind, ProductAccountMap
from ledger.services import chart_accounts
from tests.factories import make_user
from tests.ledger.factories import SUNDAY, charge, make_account

CHANGES = ("ledger.view_account", "ledger.change_account", "ledger.add_account")


def page(model: str, name: str, *args: Any) -> str:
    return reverse(f"admin:ledger_{model}_{name}", args=args)


def values(account: Account, **changes: Any) -> dict[str, Any]:
    whole = {
        "code": account.code,
        "name": account.name,
        "type": account.type,
        "currency": account.currency_id,
        "fund": account.fund,
        "parent": account.parent_id or "",
        "overdraft_limit": "",
        "active": "on",
        "metadata": "{}",
    }
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


@pytest.fixture
def fees(db: None) -> Account:
    return Account.objects.get(code="4300")


@pytest.fixture
def charged(db: None) -> Account:
    """4200, with an entry of 50."""
    charge(make_account(), "MISC", "50.00", on=SUNDAY, product="Cleaning")
    return Account.objects.get(code="4200")


def test_the_list_shows_rules_and_balances(chief: Client, charged: Account) -> None:
    Account.objects.filter(code="1010").update(overdraft_limit="10.00")
    answer = chief.get(page("account", "changelist"))
    rows = {row.code: row for row in answer.context["cl"].result_list}
    assert (rows["4200"].shown_balance, rows["1200"].shown_balance) == (50, 50)
    assert (rows["1010"].shown_balance, rows["4300"].shown_balance) == (0, 0)
    shown = answer.content.decode()
    assert "control" in shown and "guarded" in shown


def test_the_lists_cost_does_not_grow(chief: Client, django_assert_max_num_queries: Any) -> None:
    chief.get(page("account", "changelist"))
    with django_assert_max_num_queries(12):
        chief.get(page("account", "changelist"))


def test_an_account_is_added_and_renamed(clerk: Any, fees: Account) -> None:
    client = clerk(*CHANGES)
    new = values(fees, code="4310", name="Late returns", metadata='{"owner": "Finance"}', parent=fees.pk)
    assert client.post(page("account", "add"), new).status_code == 302
    made = Account.objects.get(code="4310")
    assert (made.parent, made.metadata, made.type) == (fees, {"owner": "Finance"}, "INCOME")
    assert client.post(page("account", "edit", made.pk), {**new, "name": "Late fees"}).status_code == 302
    made.refresh_from_db()
    assert made.name == "Late fees"
    entry = AuditEntry.objects.get(action="account.changed")
    assert (entry.before, entry.after) == ({"name": "Late returns"}, {"name": "Late fees"})
    shown = client.get(page("account", "change", made.pk)).content.decode()
    assert "Late returns" in shown and "How it was" in shown  # its history
    assert page("account", "edit", made.pk) in shown
    assert "There is an account 4310 already" in client.post(page("account", "add"), new).content.decode()


@pytest.mark.parametrize("field", ["code", "type", "fund"])
def test_what_has_entries_keeps_code_type_and_fund(clerk: Any, charged: Account, field: str) -> None:
    edit = page("account", "edit", charged.pk)
    other = {"code": "4999", "type": "EXPENSE", "fund": "TBR"}[field]
    client = clerk(*CHANGES)
    assert "its code, type, currency and fund stand" in client.get(edit).content.decode()
    assert client.post(edit, values(charged, **{field: other}, name="Renamed")).status_code == 302
    before = getattr(charged, field)
    charged.refresh_from_db()
    assert (getattr(charged, field), charged.name) == (before, "Renamed")
    with pytest.raises(chart_accounts.AccountFixed, match="Account 4200 has entries"):
        chart_accounts.change_account(
            account_id=charged.pk, values={field: other}, actor=make_user(), on=SUNDAY
        )


@pytest.mark.parametrize("change", ["code = '4999'", "type = 'EXPENSE'", "currency_id = 'EUR'"])
def test_the_database_says_so_too(charged: Account, change: str) -> None:
    from django.db import connection

    with pytest.raises(DatabaseError, match="account 4200 has entries"), transaction.atomic():
        connection.cursor().execute(f"UPDATE chart_of_accounts SET {change} WHERE code = '4200'")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"active": None}, "Account 4300 is named by template CANCELLATION_FEE/1"),
        ({"code": "4200"}, "There is an account 4200 already"),
        ({"overdraft_limit": "-1"}, "greater than or equal to 0"),
        ({"metadata": "[1]"}, "Write notes by name"),
        ({"metadata": '{"a": "\\u0000"}'}, "Write notes by name"),
        ({"currency": "XXX"}, "Select a valid choice"),
        ({"name": ""}, "This field is required"),
    ],
)
def test_a_refusal_is_told_on_the_form(
    clerk: Any, fees: Account, changes: dict[str, Any], words: str
) -> None:
    answer = clerk(*CHANGES).post(page("account", "edit", fees.pk), values(fees, **changes))
    assert answer.status_code == 200 and words in answer.content.decode()
    assert Account.objects.get(pk=fees.pk).active


def test_an_account_is_not_its_own_parent(clerk: Any, fees: Account) -> None:
    child = chart_accounts.add_account(
        values={"code": "4310", "name": "x", "type": "INCOME", "currency_id": "USD", "parent": fees},
        actor=make_user(),
    )
    answer = clerk(*CHANGES).post(page("account", "edit", fees.pk), values(fees, parent=child.pk))
    assert "4310 is itself below 4300" in answer.content.decode()


def test_an_overdraft_below_what_is_owed_is_refused(clerk: Any) -> None:
    """An expense that was credited 7.00 is at minus 7.00."""
    expense = Account.objects.create(code="9001", name="Odd", type="EXPENSE")
    ProductAccountMap.objects.create(
        product="Damage", account=Account.objects.get(code="4200"), to_account=expense
    )
    charge(make_account(), "MISC", "7.00", on=SUNDAY, product="Damage")
    client, edit = clerk(*CHANGES), page("account", "edit", expense.pk)
    refused = client.post(edit, values(expense, overdraft_limit="6.99")).content.decode()
    assert "Account 9001 is further below zero than 6.99 now" in refused
    assert client.post(edit, values(expense, overdraft_limit="7")).status_code == 302
    rows = client.get(page("account", "changelist"), {"q": "9001"}).context["cl"].result_list
    assert rows[0].shown_balance == -7


def test_overrides_are_added_and_removed(clerk: Any) -> None:
    misc, fees = Account.objects.get(code="4200"), Account.objects.get(code="4300")
    rights = ("view", "add", "delete")
    client = clerk(*(f"ledger.{right}_productaccountmap" for right in rights))
    given = {"product": "Towing", "template_code": "MISC", "account": misc.pk, "to_account": fees.pk}
    refused = client.post(page("productaccountmap", "add"), {**given, "to_account": misc.pk})
    assert "same account" in refused.content.decode()
    added = client.post(page("productaccountmap", "add"), given)
    row = ProductAccountMap.objects.get(product="Towing")
    assert added["Location"] == page("productaccountmap", "change", row.pk)
    assert (
        "has an override of 4200 there already"
        in client.post(page("productaccountmap", "add"), given).content.decode()
    )
    remove = page("productaccountmap", "remove", row.pk)
    assert remove in client.get(added["Location"]).content.decode()
    assert client.get(remove).status_code == 405
    assert clerk("ledger.view_productaccountmap").post(remove).status_code == 403
    client = clerk("ledger.delete_productaccountmap", "ledger.view_productaccountmap")
    assert client.post(remove).status_code == 302
    assert not ProductAccountMap.objects.filter(product="Towing").exists()
    assert "There is no such override" in client.post(remove, follow=True).content.decode()


def test_kinds_are_changed_and_audited_and_currencies_are_read(chief: Client) -> None:
    kind = AccountKind.objects.get(code="USER")
    data = {"name": "User", "overdraft_limit": "0", "transfer_limit": "500"}
    assert chief.post(page("accountkind", "change", kind.pk), data).status_code == 302
    kind.refresh_from_db()
    assert kind.transfer_limit == 500
    assert AuditEntry.objects.get(action="account_kind.changed").before["transfer_limit"] == "1000000.000000"
    assert chief.get(page("currency", "changelist")).status_code == 200
    assert chief.get(page("currency", "add")).status_code == 403


def test_only_who_may_may(clerk: Any, fees: Account) -> None:
    looks = clerk("ledger.view_account", "ledger.read_reports")
    assert looks.get(page("account", "changelist")).status_code == 200
    shown = looks.get(page("account", "change", fees.pk)).content.decode()
    assert page("account", "edit", fees.pk) not in shown
    assert f"{reverse('admin:ledger_report_account_statement')}?account=4300" in shown
    for answer in (
        looks.get(page("account", "add")),
        looks.get(page("account", "edit", fees.pk)),
        looks.post(page("account", "edit", fees.pk), values(fees, name="x")),
        looks.get(page("productaccountmap", "changelist")),
        looks.get(page("accountkind", "changelist")),
        clerk().get(page("account", "changelist")),
    ):
        assert answer.status_code == 403
    assert Account.objects.get(pk=fees.pk).name == fees.name
