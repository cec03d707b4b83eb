"""The API against its own OpenAPI document, with requests that follow it and requests that do not.

No answer is a 500, and each is one that the document announces: status, media type, headers and body. Every other sound
request names things that exist (`existing.py`), so that not all of them end at 404. An ordinary run asks each
operation once for every fault (a wrong type, a length or a number beyond its bound, ...) in every parameter and field;
`make soak` with every value that makes such a fault, and with many random ones.
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
from tests.api.existing import Existing
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
    known = {
        "posting_id": str(toll.pk),
        "driver_id": account.driver_id,
        "lease_id": account.lease_id,
        "number": DTR.objects.values_list("number", flat=True).first(),
        "account_id": str(client.uid),
        "source_account_id": str(float_.uid),
        "destination_account_id": str(client.uid),
    }
    yield {
        "headers": {"Authorization": f"Bearer {AccessToken.for_user(user)}"},
        "known": known,
        "existing": Existing(user, account, known),
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
    """Half of the sound requests are about something that is there, made when it is first named."""
    for given in (case.path_parameters, case.body):
        if isinstance(given, dict):
            for name in given:
                value = world["existing"].named(name, case.path)
                if value is not None:
                    given[name] = value
    if isinstance(case.query, dict):
        case.query.update({name: value for name, value in world["known"].items() if name in case.query})
