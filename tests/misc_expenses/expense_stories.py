"""People and cases that stories about misc expenses start from."""

import json
from typing import Any

from rest_framework.test import APIClient

from batconnect.common.models import User
from leases.models import Lease
from tests.factories import make_user

CLERK = (
    "cases.view_case",
    "cases.process_case",
    "misc_expenses.add_miscellaneousexpense",
    "misc_expenses.view_miscellaneousexpense",
    "misc_expenses.export_miscellaneousexpense",
)
FINANCE = (*CLERK, "ledger.void_posting")
CREATE = "/payments/miscellaneous-expenses/create-case"
LIST = "/payments/miscellaneous-expenses"


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.force_login(user)
    return client


def clerk(*more: str) -> User:
    return make_user(permissions=(*CLERK, *more))


def send(client: APIClient, path: str, body: Any = None, key: str | None = None) -> Any:
    headers = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
    text = json.dumps({} if body is None else body)  # ASCII: half a surrogate pair can be sent too
    return client.post(path, text, content_type="application/json", **headers)


def open_case(client: APIClient) -> str:
    answer = send(client, CREATE)
    assert answer.status_code == 201, answer.json()
    return str(answer.json()["case_no"])


def entered(lease: Lease, **changes: Any) -> dict[str, Any]:
    """The data of MISCEXP-001: 50.00 for a lost key, on 2026-03-02, unless said otherwise."""
    return {
        "driver_id": lease.driver_id,
        "lease_id": lease.pk,
        "category": "Lost Key",
        "amount": "50.00",
        "expense_date": "2026-03-02",
        "notes": "Key lost at the airport",
        **changes,
    }


def process(client: APIClient, case_no: str, data: Any, key: str | None = None) -> Any:
    return send(client, f"/bpm/case/{case_no}", {"step_id": "MISCEXP-001", "data": data}, key)


def charged(client: APIClient, lease: Lease, **changes: Any) -> dict[str, Any]:
    """A finished case's outcome."""
    answer = process(client, open_case(client), entered(lease, **changes))
    assert answer.status_code == 200, answer.json()
    return dict(answer.json())
