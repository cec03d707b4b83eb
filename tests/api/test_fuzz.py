"""The API against its own OpenAPI document, with requests that follow it and requests that do not.

No answer is a 500, and each is one that the document announces: status, media type, headers and body. Some
requests name a driver, lease, posting and report that exist, so that not all of them end at 404. An ordinary run
asks each operation once for every fault (a wrong type, a length or a number beyond its bound, ...) in every parameter
and field; `make soak` with every value that makes such a fault, and with many random ones.
"""

import os
from itertools import count

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from rest_framework.throttling import SimpleRateThrottle
from rest_framework_simplejwt.tokens import AccessToken
from schemathesis.specs.openapi.checks import positive_data_acceptance

from batconnect.wsgi import application
from ledger.models import DTR
from tests.factories import make_user
from tests.ledger.account_stories import moved, opened
from tests.ledger.factories import account_of, charge, drive, make_lease, pay, run

EXAMPLES = 3  # of each operation, beside the boundaries of each parameter
SOAK = int(os.environ.get("SOAK", "1"))
# A request can follow the document and still be refused: an end before its start, a reason of ten blanks.
NOT_CHECKED = [positive_data_acceptance]
schema = schemathesis.openapi.from_wsgi("/openapi.json", application)


@pytest.fixture
def world(db, monkeypatch):
    """Something of everything, a token that may do all, and no throttle."""
    # Here the application runs inside the test's transaction, which these two would end by hanging up.
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    for scope in ("anon", "user", "login"):
        monkeypatch.setitem(SimpleRateThrottle.THROTTLE_RATES, scope, None)
    account = account_of(make_lease())
    drive(account, "560.00", {"MTA": "40.00"})
    run()
    toll = charge(account, "EZPASS", "30.00", "TOLL-1")
    pay(account, "5.00", {"TOLL-1": "5.00"})
    float_, client = opened("internal"), opened("user")
    moved(float_, client, "100.00")
    user = make_user(is_superuser=True)  # or what came last would only ever be asked without the right to it
    yield {
        "headers": {"Authorization": f"Bearer {AccessToken.for_user(user)}"},
        "path": {
            "posting_id": str(toll.pk),
            "driver_id": account.driver_id,
            "number": DTR.objects.values_list("number", flat=True).first(),
            "account_id": str(client.uid),
            "key": account.lease_id,
        },
        "body": {
            "driver_id": account.driver_id,
            "lease_id": account.lease_id,
            "source_account_id": str(float_.uid),
            "destination_account_id": str(client.uid),
        },
        "query": {"account_id": str(client.uid)},
        "turn": count(),
        "told": set(),
    }
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


@pytest.mark.slow
@schema.parametrize()
@settings(
    max_examples=EXAMPLES if SOAK == 1 else 20 * SOAK,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_the_api_keeps_its_word(case, world):
    if SOAK == 1 and _told_already(case, world["told"]):
        return
    if case.meta.generation.mode.is_positive and next(world["turn"]) % 2:
        _name_what_exists(case, world)
    case.call_and_validate(headers=world["headers"], excluded_checks=NOT_CHECKED)


def _told_already(case, told):
    """Whether a request with the same kind of value in the same place was made before."""
    value = case.meta.phase.data
    kind = getattr(value, "scenario", None)
    if kind is None:
        return False  # a random one
    place = (kind, value.parameter_location, value.parameter, value.location)
    return place in told or bool(told.add(place))


def _name_what_exists(case, world):
    for given, existing in (
        (case.path_parameters, world["path"]),
        (case.query, world["query"]),
        (case.body, world["body"]),
    ):
        if isinstance(given, dict):
            given.update({name: value for name, value in existing.items() if name in given})
