"""Whatever a client sends, it gets an answer in one shape, and never a 500."""

import json

import pytest
from django.db import InterfaceError, OperationalError, connections
from django.db.utils import ConnectionHandler
from django.test import Client
from rest_framework.test import APIClient
from werkzeug.test import EnvironBuilder

from batconnect import wsgi
from batconnect.api.errors import answer_exception
from tests.factories import make_user
from tests.ledger.factories import make_account


def check(answer, status, error):
    assert answer.headers["Content-Type"] == "application/json", answer.content
    body = answer.json()
    assert (answer.status_code, body["error"]) == (status, error), body
    assert set(body) == {"error", "message", "details"} and body["message"]


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(
    "path",
    [
        "/nothing", "/ledger", "/ledger/", "/ledger/nothing", "/ledger/postings/1/void", "/ledger/dtrs/x",
        "/ledger/dtrs/DTR-2019-00001%00", "/ledger/drivers/-1/balance", "/ledger/drivers/9999999999999999999/balance",
        "/drivers/x", "/%00", "/%ff", "/ledger/postings%2Fvoid", "/.env", "/auth", "/openapi.json/x",
    ],
)  # fmt: skip
def test_unknown_routes(api, settings, path, debug):
    settings.DEBUG = debug
    check(api.get(path), 404, "not_found")
    check(APIClient().post(path, {}, format="json"), 404, "not_found")


def test_a_method_that_is_not_there(api):
    for method in ("put", "patch", "delete"):
        answer = getattr(api, method)("/ledger/postings", {}, format="json")
        check(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"] == "GET, HEAD"
    check(api.get("/ledger/interim-payment"), 405, "method_not_allowed")
    check(api.options("/ledger/postings"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("content_type", "body", "status", "error"),
    [
        ("application/x-www-form-urlencoded", b"reason=x", 415, "media_type.unsupported"),
        ("multipart/form-data; boundary=x", b"--x--", 415, "media_type.unsupported"),
        ("text/plain", b"hello", 415, "media_type.unsupported"),
        ("application/xml", b"<a/>", 415, "media_type.unsupported"),
        ("", b"{}", 415, "media_type.unsupported"),
        ("application/json; charset=zlib", b"{}", 415, "media_type.unsupported"),
        ("application/json; charset=utf-16", "{}".encode("utf-16"), 415, "media_type.unsupported"),
        ("application/json", b"{", 400, "request.malformed"),
        ("application/json", b"", 400, "request.invalid"),
        ("application/json", b"\xff\xfe", 400, "request.malformed"),
        ("application/json", b'{"reason": NaN}', 400, "request.malformed"),
        ("application/json", b'{"reason": 1e999999999}', 400, "request.invalid"),
        ("application/json", b'{"reason": ' + b"9" * 5000 + b"}", 400, "request.malformed"),
        ("application/json", b"[" * 100_000, 400, "request.malformed"),
        ("application/json", b'{"reason": "a long reason", "reason": "another one"}', 400, "request.malformed"),
        ("application/json", b"[]", 400, "request.invalid"),
        ("application/json", b"null", 400, "request.invalid"),
        ("application/json", b'"text"', 400, "request.invalid"),
        ("application/json", b'{"reason": {"a": 1}}', 400, "request.invalid"),
        ("application/json", b'{"reason": "\\u0000 in the middle"}', 400, "request.invalid"),
        ("application/json", b'{"reason": "\\ud800 half a character"}', 400, "request.invalid"),
        ("application/json", b'{"reason": "' + b"x" * 1_000_000 + b'"}', 413, "request.too_large"),
        ("APPLICATION/JSON; charset=UTF-8", b'{"reason": "short"}', 400, "void.reason"),
    ],
)  # fmt: skip
def test_bodies(api, db, content_type, body, status, error):
    path = "/ledger/postings/00000000-0000-7000-8000-000000000000/void"
    check(api.generic("POST", path, body, content_type=content_type), status, error)


def test_an_amount_that_would_take_a_gigabyte_to_write_out(api, db):
    account = make_account()
    for number in ("1e999999999", "1e-999999999", "0.001", "12345678901234567890.12", "1e400"):
        body = (
            f'{{"driver_id": {account.driver_id}, "lease_id": {account.lease_id}, "payment_method": "CASH",'
            f' "total_payment_amount": {number}}}'
        )
        answer = api.post("/ledger/interim-payment", body, content_type="application/json")
        check(answer, 400, "request.invalid")


@pytest.mark.parametrize(
    "query", ["page=%ff", "page=%00", "a=%00", "driver_name=%ed%a0%80", "=", "&&&", "page[]=1"]
)
def test_queries_that_are_hardly_text(api, query):
    answer = api.get(f"/ledger/postings?{query}")
    assert answer.status_code in (200, 400), answer.content


@pytest.mark.parametrize(
    "content_type", ["text/plain; charset=zlib", "text/plain; charset=hex", "a/b; charset=latin-1"]
)
def test_a_charset_that_django_fails_on_is_refused_before_django(db, content_type):
    started = []
    environ = {
        **EnvironBuilder("/healthz", query_string="page=%31").get_environ(),
        "CONTENT_TYPE": content_type,
    }
    body = b"".join(wsgi.application(environ, lambda status, headers: started.append(status)))
    assert started == ["415 Unsupported Media Type"]
    assert json.loads(body)["error"] == "media_type.unsupported"
    environ["CONTENT_TYPE"] = "text/plain; charset=UTF-8"
    assert b"".join(wsgi.application(environ, lambda status, headers: started.append(status)))
    assert started[1] == "200 OK"


@pytest.mark.parametrize("cookie", ['"\\000' + "a" * 31 + '"', "x", "a" * 500])
def test_a_session_cookie_that_cannot_be_ours_is_no_session(db, cookie):
    client = Client(headers={"cookie": f"sessionid={cookie}"})
    check(client.get("/ledger/postings"), 401, "auth.required")


def test_a_false_host(api, settings):
    settings.ALLOWED_HOSTS = ["fleet.example.com"]
    settings.DEBUG = False
    check(api.get("/ledger/postings", HTTP_HOST="evil.example.com"), 400, "request.invalid")


def test_a_fault_of_ours_shows_nothing_of_itself(api, settings, monkeypatch):
    settings.DEBUG = False
    api.raise_request_exception = False
    monkeypatch.setattr("ledger.api.queries.POSTING_SORTS", None)
    check(api.get("/ledger/postings"), 500, "server_error")


def test_a_database_that_is_away_is_told_as_such():
    """503, and not our fault: a client may send the same again."""
    away = {**connections.databases["default"], "HOST": "127.0.0.1", "PORT": "1"}
    database = ConnectionHandler({"default": away})["default"]
    with pytest.raises(OperationalError) as refused, database.wrap_database_errors:
        database.connect()
    for error in (refused.value, InterfaceError("connection already closed")):
        answer = answer_exception(error, {})
        assert (answer.status_code, answer.data["error"]) == (503, "database.unreachable")
        assert answer["Retry-After"] == "5"


def test_throttled_by_user(db):
    from rest_framework.throttling import UserRateThrottle

    rates = dict(UserRateThrottle.THROTTLE_RATES)
    client = APIClient()
    client.force_authenticate(make_user(permissions=["ledger.view_dtr"]))
    UserRateThrottle.THROTTLE_RATES["user"] = "2/min"
    try:
        answers = [client.get("/ledger/dtrs") for _ in range(3)]
    finally:
        UserRateThrottle.THROTTLE_RATES.update(rates)
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    check(answers[2], 429, "throttled")
    assert answers[2].json()["details"]["retry_after_seconds"] == int(answers[2].headers["Retry-After"])


def test_answers_carry_no_float(api, db):
    make_account()

    def refuse(text):
        raise AssertionError(f"an answer has the float {text}")

    for path in ("/ledger/aging", "/ledger/postings?use_stubs=true", "/ledger/balances?use_stubs=true"):
        json.loads(api.get(path).content, parse_float=refuse)
