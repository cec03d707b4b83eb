"""Accounts, transfers and events over HTTP: the seed's own flow, what is refused, and what is sent twice."""

import json
from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from batconnect.api.views import today
from batconnect.common.models import AuditEntry
from ledger.models import Account, EntryHeader, EntryLine, GuardedBalance
from tests.ledger.account_stories import moved, opened
from tests.ledger.factories import broken_proofs

NOWHERE = "00000000-0000-7000-8000-000000000000"


def post(client, path, body, key=None):
    headers = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
    return client.post(path, json.dumps(body), content_type="application/json", **headers)


def transfer_of(source, destination, amount="10.00", currency="USD", **more):
    return {
        "source_account_id": str(getattr(source, "uid", source)),
        "destination_account_id": str(getattr(destination, "uid", destination)),
        "amount": amount,
        "currency": currency,
        **more,
    }


def balance_at(client, account, as_of=None):
    answer = client.get(
        f"/ledger/account/{getattr(account, 'uid', account)}/balance", {"as_of": as_of} if as_of else {}
    )
    assert answer.status_code == 200, answer.json()
    return answer.json()["balance"]


@pytest.fixture
def alice(db):
    """Alice has 100.00, from the house's float."""
    account = opened("user", name="Alice")
    moved(opened("internal", name="Float"), account, "100.00")
    return account


def test_the_seeds_own_flow(api, db):
    ids = {}
    for name, kind in (("Float", "internal"), ("Alice", "user"), ("Bob", "USER")):
        answer = post(api, "/ledger/account/", {"currency": "USD", "type": kind, "metadata": {"name": name}})
        body = answer.json()
        assert answer.status_code == 201, body
        ids[name] = body["account_id"]
        assert UUID(ids[name])
        assert (body["name"], body["type"], body["account_type"]) == (name, kind.lower(), "LIABILITY")
        assert body["overdraft_limit"] == (None if kind == "internal" else "0.00")
        assert (
            api.get(f"/ledger/account/{ids[name]}/").json()
            == body
            == api.get(f"/ledger/account/{ids[name]}").json()
        )
    funded = post(api, "/ledger/transfer/", transfer_of(ids["Float"], ids["Alice"], "500.00")).json()
    assert (funded["source_balance"], funded["destination_balance"]) == (None, "500.00")
    paid = post(
        api,
        "/ledger/transfer",
        transfer_of(ids["Alice"], ids["Bob"], "100", metadata={"description": "Payment"}),
    )
    made = paid.json()
    assert paid.status_code == 201 and made == {
        "je_number": made["je_number"],
        "je_date": today().isoformat(),
        "source_account_id": ids["Alice"],
        "destination_account_id": ids["Bob"],
        "amount": "100.00",
        "currency": "USD",
        "metadata": {"description": "Payment"},
        "source_balance": "400.00",
        "destination_balance": "100.00",
    }
    assert post(api, "/ledger/transfer/", transfer_of(ids["Bob"], ids["Alice"], "50.00")).status_code == 201
    assert [balance_at(api, ids[name]) for name in ids] == ["-500.00", "450.00", "50.00"]

    events = api.get("/ledger/events/", {"account_id": ids["Alice"]}).json()
    assert events["next_cursor"] is None
    assert [(row["side"], row["amount"], row["change"], row["balance_after"]) for row in events["items"]] == [
        ("CR", "50.00", "50.00", "450.00"), ("DR", "100.00", "-100.00", "400.00"), ("CR", "500.00", "500.00", "500.00")
    ]  # fmt: skip
    payment = events["items"][1]
    assert {name: payment[name] for name in ("je_number", "origin", "description", "metadata", "currency")} == {
        "je_number": made["je_number"], "origin": "TRANSFER", "description": "Payment",
        "metadata": {"description": "Payment"}, "currency": "USD",
    }  # fmt: skip
    float_events = api.get("/ledger/events", {"account_id": ids["Float"]}).json()["items"]
    assert [(row["change"], row["balance_after"]) for row in float_events] == [("-500.00", "-500.00")]
    assert broken_proofs() == []


def test_every_rule_of_a_transfer_is_told_and_nothing_is_written(api, alice):
    bob, euros, closed = opened("user"), opened("user", "EUR"), opened("user")
    Account.objects.filter(pk=closed.pk).update(active=False)
    receivable = Account.objects.get(code="1200")
    before = _everything()
    for body, status, code in (
        (transfer_of(NOWHERE, bob), 404, "transfer.unknown_account"),
        (transfer_of(alice, NOWHERE), 404, "transfer.unknown_account"),
        (transfer_of(alice, alice), 400, "transfer.same_account"),
        (transfer_of(alice, bob, currency="XXX"), 400, "currency.unknown"),
        (transfer_of(alice, bob, currency="EUR"), 400, "transfer.currency_mismatch"),
        (transfer_of(alice, euros), 400, "transfer.currency_mismatch"),
        (transfer_of(alice, bob, "0"), 400, "transfer.amount_not_positive"),
        (transfer_of(alice, bob, "-1.00"), 400, "transfer.amount_not_positive"),
        (transfer_of(alice, bob, -1), 400, "transfer.amount_not_positive"),
        (transfer_of(alice, bob, "1.005"), 400, "transfer.amount_too_fine"),
        (transfer_of(alice, bob, "1000000.01"), 400, "transfer.above_limit"),
        (transfer_of(alice, bob, "100.01"), 409, "account.overdrawn"),
        (transfer_of(alice, closed), 409, "account.inactive"),
        (transfer_of(alice, receivable), 409, "journal.control_account"),
        (transfer_of(receivable, alice), 409, "journal.control_account"),
        (transfer_of(alice, bob, "1e2"), 400, "amount.invalid"),
        (transfer_of(alice, bob, "1.0000001"), 400, "amount.invalid"),
        (transfer_of(alice, bob, "999999999999999"), 400, "amount.invalid"),
        (transfer_of(alice, bob, 10**30), 400, "amount.invalid"),
        (transfer_of(alice, bob, True), 400, "amount.invalid"),
        (transfer_of(alice, bob, None), 400, "request.invalid"),
        (transfer_of(alice, bob, ["1"]), 400, "amount.invalid"),
        (transfer_of("alice", bob), 400, "request.invalid"),
        (transfer_of(alice, bob, metadata={"a": "x\x00"}), 400, "request.invalid"),
        (transfer_of(alice, bob, metadata={"a": "\ud800"}), 400, "request.invalid"),
        (transfer_of(alice, bob, metadata=["a"]), 400, "request.invalid"),
        (transfer_of(alice, bob, note="?"), 400, "request.invalid"),
        ({}, 400, "request.invalid"),
    ):
        answer = post(api, "/ledger/transfer", body, key="k")
        assert (answer.status_code, answer.json()["error"]) == (status, code), (body, answer.json())
        assert len(answer.json()["message"]) > 15
        assert _everything() == before, body


@pytest.mark.parametrize("number", ["1e-999999999", "1e999999999", "1e400", "0.0000000000000001", "1e14"])
def test_numbers_that_are_tricks_are_refused(api, alice, number):
    raw = json.dumps(transfer_of(alice, opened("user"), "AMOUNT")).replace('"AMOUNT"', number)
    answer = api.post("/ledger/transfer", raw, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]) == (400, "amount.invalid")


def test_a_json_number_is_read_exactly(api, alice):
    raw = json.dumps(transfer_of(alice, opened("user"), "AMOUNT")).replace('"AMOUNT"', "70.10")
    answer = api.post("/ledger/transfer", raw, content_type="application/json")
    assert (answer.status_code, answer.json()["amount"], answer.json()["source_balance"]) == (
        201,
        "70.10",
        "29.90",
    )


def _everything():
    return (
        EntryHeader.objects.count(),
        EntryLine.objects.count(),
        AuditEntry.objects.count(),
        list(GuardedBalance.objects.order_by("pk").values_list("pk", "balance")),
    )


def test_a_balance_too_large_for_the_journal_is_refused(api, db):
    float_, alice = opened("internal"), opened("user")
    most = transfer_of(float_, alice, "99999999999999.99")
    assert post(api, "/ledger/transfer", most).json()["destination_balance"] == "99999999999999.99"
    answer = post(api, "/ledger/transfer", most)
    assert (answer.status_code, answer.json()["error"]) == (400, "amount.too_large")


def test_the_same_key_and_body_is_one_transfer_and_one_account(api, alice):
    bob = opened("user")
    first, again = (post(api, "/ledger/transfer", transfer_of(alice, bob), key="t-1") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json()
    assert "Idempotent-Replayed" not in first.headers and again.headers["Idempotent-Replayed"] == "true"
    assert balance_at(api, bob) == "10.00"
    other = post(api, "/ledger/transfer", transfer_of(alice, bob, "10.01"), key="t-1")
    assert (other.status_code, other.json()["error"]) == (422, "idempotency.key_reused")
    account = {"currency": "USD", "type": "user"}
    assert len({post(api, "/ledger/account", account, key="a-1").json()["account_id"] for _ in range(2)}) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"currency": "USX", "type": "user"}, "currency.unknown"),
        ({"currency": "usd", "type": "user"}, "currency.unknown"),
        ({"currency": "USD", "type": "driver"}, "account.unknown_kind"),
        ({"currency": "USD"}, "request.invalid"),
        ({"type": "user"}, "request.invalid"),
        ({"currency": "USD", "type": "user", "metadata": {"name": 1}}, "request.invalid"),
        ({"currency": "USD", "type": "user", "metadata": {"a\x00": "x"}}, "request.invalid"),
        ({"currency": "USD", "type": "user", "overdraft_limit": "5"}, "request.invalid"),
    ],
)
def test_an_account_that_cannot_be_opened(api, db, body, code):
    answer = post(api, "/ledger/account/", body)
    assert (answer.status_code, answer.json()["error"]) == (400, code)
    assert not Account.objects.filter(kind__isnull=False).exists()


def test_unknown_accounts_are_not_found(api, db):
    for path in (
        f"/ledger/account/{NOWHERE}",
        f"/ledger/account/{NOWHERE}/balance",
        f"/ledger/events?account_id={NOWHERE}",
    ):
        answer = api.get(path)
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found"), path


def test_the_balance_at_a_moment_and_on_a_day(api, alice):
    bob = opened("user")
    before = timezone.now()
    assert post(api, "/ledger/transfer", transfer_of(alice, bob)).status_code == 201
    day = today()
    assert balance_at(api, alice, before.isoformat()) == "100.00"
    assert balance_at(api, alice, before.strftime("%Y-%m-%dT%H:%M:%S.%fZ")) == "100.00"
    assert balance_at(api, alice, timezone.now().isoformat()) == "90.00"
    assert balance_at(api, alice, day.isoformat()) == "90.00"
    assert balance_at(api, alice, (day - timedelta(days=1)).isoformat()) == "100.00"
    assert balance_at(api, alice, "1900-01-01") == "0.00"
    for last in ("9998-12-31", "9998-12-31T23:59:59Z"):
        assert balance_at(api, alice, last) == "90.00"
    answer = api.get(f"/ledger/account/{alice.uid}/balance/", {"as_of": day.isoformat()}).json()
    assert answer == {
        "account_id": str(alice.uid), "code": alice.code, "currency": "USD", "balance": "90.00",
        "as_of": day.isoformat(),
    }  # fmt: skip


@pytest.mark.parametrize(
    "as_of",
    ["yesterday", "2019-3-3", "2019-03-03T12:00:00", "2019-03-03 12:00:00Z", "2019-02-30", "2019-02-30T00:00:00Z",
     "0001-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2019-03-03T12:00:00+99:00",
     "2019-03-03T25:00Z", ""],
)  # fmt: skip
def test_what_is_neither_a_day_nor_a_moment_is_refused(api, alice, as_of):
    answer = api.get(f"/ledger/account/{alice.uid}/balance", {"as_of": as_of})
    assert (answer.status_code, answer.json()["error"]) == (400, "request.invalid"), answer.json()


def test_events_are_turned_by_cursor(api, alice):
    bob = opened("user")
    for _ in range(4):
        moved(alice, bob, "5.00")
    seen, cursor = [], None
    for _ in range(2):
        page = api.get(
            "/ledger/events", {"account_id": alice.uid, "limit": 3, **({"cursor": cursor} if cursor else {})}
        )
        seen += [row["balance_after"] for row in page.json()["items"]]
        cursor = page.json()["next_cursor"]
    assert seen == ["80.00", "85.00", "90.00", "95.00", "100.00"] and cursor is None


def test_events_are_asked_properly(api, alice):
    moved(alice, opened("user"), "5.00")
    cursor = api.get("/ledger/events", {"account_id": alice.uid, "limit": 1}).json()["next_cursor"]
    other = opened("user")
    for query, code in (
        ({}, "request.invalid"),
        ({"account_id": "alice"}, "request.invalid"),
        ({"account_id": alice.uid, "limit": 0}, "request.invalid"),
        ({"account_id": alice.uid, "limit": 101}, "request.invalid"),
        ({"account_id": alice.uid, "page": 2}, "request.invalid"),
        ({"account_id": alice.uid, "cursor": "abc"}, "events.bad_cursor"),
        ({"account_id": alice.uid, "cursor": cursor[:-1]}, "events.bad_cursor"),
        ({"account_id": other.uid, "cursor": cursor}, "events.bad_cursor"),
    ):
        answer = api.get("/ledger/events", query)
        assert (answer.status_code, answer.json()["error"]) == (400, code), (query, answer.json())


def test_what_a_request_costs(api, alice, django_assert_num_queries):
    bob = opened("user")
    api.get(f"/ledger/account/{alice.uid}")
    # session, user, permissions of its own and of groups; two savepoints around the one statement
    with django_assert_num_queries(9):
        assert post(api, "/ledger/transfer", transfer_of(alice, bob)).status_code == 201
