"""Who may call what: the whole matrix, made from the routes themselves; then tokens, lock-out and probes."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from batconnect.api.views import ApiView
from tests.factories import make_user

# Django views of ours (no DRF), and the endpoints that are there to be called without a login.
ANONYMOUS = {"openapi", "swagger", "redoc", "token", "token-refresh", "token-revoke"}
METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
PARAMETERS = {
    "item_id": "1",
    "posting_id": "00000000-0000-7000-8000-000000000000", "driver_id": "1", "number": "DTR-2019-00001", "key": "1",
    "account_id": "00000000-0000-7000-8000-000000000000", "je_number": "JE-201903-1", "mj_number": "MJ-2019-00001",
    "case_no": "MISCEXP999999", "step_id": "MISCEXP-001", "document_id": "1", "expense_id": "MISC-2019-99999",
    "repayment_no": "RPR-2019-99999",
    "run_id": "1", "on": "2025-07-13", "source": "bank_csv", "log_id": "1",
    "upload_id": "00000000-0000-4000-8000-000000000000", "payment_number": "INTPAY-2019-00001",
    "batch_number": "1901-999", "check_number": "999999", "return_id": "999999", "receipt_number": "CASHPAY-2019-99999",
    "instruction_id": "00000000-0000-4000-8000-000000000000",
    "settlement_pk": "1", "added_id": "1", "week": "2019-03-03",
}  # fmt: skip


def endpoints(patterns=None, prefix="/"):
    """Every API endpoint: (name, path, view class)."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if not path.startswith("/admin"):
                yield from endpoints(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern) and hasattr(pattern.callback, "cls"):
            yield pattern.name, re.sub(r"<\w+:(\w+)>", lambda m: PARAMETERS[m[1]], path), pattern.callback.cls


GUARDED = [(path, view) for name, path, view in endpoints() if name not in ANONYMOUS]


def test_the_matrix_is_not_empty():
    assert len(GUARDED) >= 18
    assert {name for name, _, _ in endpoints()} >= ANONYMOUS


@pytest.mark.parametrize(("path", "view"), GUARDED)
def test_an_endpoint_names_a_real_permission_for_each_of_its_methods(db, path, view):
    assert issubclass(view, ApiView)
    handled = {method.upper() for method in METHODS if hasattr(view, method)} - {"OPTIONS", "HEAD"}
    assert handled == set(view.permissions), path
    for permission in view.permissions.values():
        app, codename = permission.split(".")
        assert Permission.objects.filter(content_type__app_label=app, codename=codename).exists(), permission


@pytest.mark.parametrize(("path", "view"), GUARDED)
def test_anonymous_is_asked_to_log_in(db, path, view):
    for method in METHODS:
        answer = APIClient().generic(method.upper(), path)
        assert answer.status_code == 401, (method, path)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("path", "view"), GUARDED)
def test_only_the_named_permission_opens_an_endpoint(client_with, path, view):
    ours = Permission.objects.filter(content_type__app_label__in=("ledger", "leases")).select_related(
        "content_type"
    )
    everything_else = make_user()
    everything_else.user_permissions.set(
        one for one in ours if f"{one.content_type.app_label}.{one.codename}" not in view.permissions.values()
    )
    stranger = APIClient()
    stranger.force_authenticate(everything_else)
    for method in METHODS:
        named = ("GET" if method == "head" else method.upper()) in view.permissions
        refused = stranger.generic(method.upper(), path)
        assert refused.status_code == (403 if named else 405), (method, path)
    for method, permission in view.permissions.items():
        # What comes next depends on the request: here it lacks a body (which few do without), or names nothing real.
        answer = client_with(permission).generic(method, path, content_type="application/json")
        assert answer.status_code in (200, 201, 202, 400, 404), (method, path, answer.content)


def test_an_endpoint_that_names_nothing_is_closed_even_to_a_superuser(db, rf):
    class Forgotten(ApiView):
        def get(self, request):
            raise AssertionError("this must not run")

    request = rf.get("/")
    request.user = make_user(is_superuser=True)
    request._force_auth_user = request.user
    assert Forgotten.as_view()(request).status_code == 403


# --- tokens ---------------------------------------------------------------------------------------------------


@pytest.fixture
def maria(db):
    user = make_user(username="maria", permissions=["ledger.view_dtr"])
    user.set_password("correct horse battery")
    user.save()
    return user


def log_in(password="correct horse battery", username="maria", **extra):
    return APIClient().post(
        "/auth/token", {"username": username, "password": password}, format="json", **extra
    )


def bearer(token):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def refresh(token, path="/auth/token/refresh"):
    return APIClient().post(path, {"refresh": token}, format="json")


def test_a_token_opens_what_its_user_may(maria):
    pair = log_in().json()
    assert bearer(pair["access"]).get("/ledger/dtrs").status_code == 200
    assert bearer(pair["access"]).get("/ledger/postings").status_code == 403
    # A refresh token is not an access token.
    assert bearer(pair["refresh"]).get("/ledger/dtrs").status_code == 401


def test_an_access_token_is_short_lived(maria):
    token = AccessToken.for_user(maria)
    token.set_exp(lifetime=-timedelta(seconds=1))
    assert bearer(token).get("/ledger/dtrs").status_code == 401
    assert AccessToken.lifetime <= timedelta(minutes=15)


def test_a_refresh_token_is_good_once(maria):
    first = log_in().json()["refresh"]
    second = refresh(first)
    assert second.status_code == 200
    assert bearer(second.json()["access"]).get("/ledger/dtrs").status_code == 200
    assert refresh(first).status_code == 401
    assert refresh(second.json()["refresh"]).status_code == 200


def test_a_revoked_token_is_over(maria):
    token = log_in().json()["refresh"]
    assert refresh(token, "/auth/token/revoke").status_code == 200
    assert refresh(token).status_code == 401


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "!"}])
def test_a_leaver_or_a_new_password_ends_every_token(maria, change):
    pair = log_in().json()
    for name, value in change.items():
        setattr(maria, name, value)
    maria.save()
    assert bearer(pair["access"]).get("/ledger/dtrs").status_code == 401
    assert refresh(pair["refresh"]).status_code == 401


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "é.é.é", "W1tb" * 240 + ".e30.x", "W1tb" * 5000 + ".e30.x", str(RefreshToken)]
)
def test_a_false_token_is_refused(maria, token):
    answer = APIClient().get("/ledger/dtrs", HTTP_AUTHORIZATION=f"Bearer {token}")
    assert answer.status_code == 401 and set(answer.json()) == {"error", "message", "details"}
    assert refresh(token).status_code in (400, 401)


def test_a_wrong_password_says_no_more_than_that(maria):
    for answer in (log_in("wrong"), log_in("wrong", "nobody")):
        assert (answer.status_code, answer.json()["error"]) == (401, "auth.failed")
        assert answer.json()["message"] == "No active user has this name and password."


def test_five_wrong_passwords_lock_even_the_right_one_out(maria):
    answers = [log_in("wrong").status_code for _ in range(5)]
    assert answers[:4] == [401] * 4
    answer = log_in()
    assert (answer.status_code, answer.json()["error"]) == (429, "auth.locked_out")
    assert set(answer.json()) == {"error", "message", "details"}


def test_a_success_before_the_fifth_starts_the_count_anew(maria):
    for _ in range(2):
        for _ in range(4):
            log_in("wrong")
        assert log_in().status_code == 200


def test_many_logins_from_one_address_are_throttled(maria, settings):
    answers = [log_in("wrong", f"user{n}") for n in range(21)]
    assert (answers[-1].status_code, answers[-1].json()["error"]) == (429, "throttled")
    assert int(answers[-1].headers["Retry-After"]) >= 1
    # What a client writes into the header of a proxy does not make it another client.
    assert log_in("wrong", "other", HTTP_X_FORWARDED_FOR="8.8.8.8").status_code == 429


def test_a_session_needs_the_csrf_token_to_write(maria):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(maria)
    answer = client.post("/ledger/interim-payment", {}, format="json")
    assert (answer.status_code, answer.json()["error"]) == (403, "permission.denied")


# --- probes and documentation ---------------------------------------------------------------------------------


def test_healthz_answers_anybody_and_touches_nothing(client, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        assert client.get("/healthz", REMOTE_ADDR="8.8.8.8").json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
def test_probes_answer_only_their_clients(client, db, settings, path):
    assert client.get(path).status_code == 200
    assert client.get(path, REMOTE_ADDR="::1").status_code == 200
    outside = client.get(path, REMOTE_ADDR="10.1.2.3")
    assert (outside.status_code, outside.json()["error"]) == (403, "permission.denied")
    # Through a proxy on this machine everyone looks local.
    assert client.get(path, HTTP_X_FORWARDED_FOR="8.8.8.8").status_code == 403
    assert client.get(path, HTTP_X_FORWARDED_FOR="127.0.0.1, nonsense").status_code == 403
    assert client.get(path, HTTP_FORWARDED="for=8.8.8.8").status_code == 403
    settings.PROBE_CLIENTS = ["10.1.0.0/16"]
    assert client.get(path, REMOTE_ADDR="10.1.2.3").status_code == 200
    assert client.get(path).status_code == 403


def test_metrics_are_for_prometheus(client, db):
    assert b"django_http_requests_total_by_method_total" in client.get("/metrics").content


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_documentation_loads_nothing_from_elsewhere(client, db, path):
    page = client.get(path).content.decode()
    assert "/static/drf_spectacular_sidecar/" in page
    assert not re.findall(r"(?:src|href)=[\"'](?:https?:)?//", page)
