"""The OpenAPI document in `docs/` is the one that the site serves, and says what every endpoint needs."""

import json
from pathlib import Path

from django.core.management import call_command

SAVED = Path(__file__).resolve().parent.parent.parent / "docs" / "openapi.json"
COMMAND = "manage.py spectacular --validate --fail-on-warn --format openapi-json --file docs/openapi.json"


def test_the_saved_document_is_current(tmp_path, capsys):
    made = tmp_path / "openapi.json"
    call_command("spectacular", "--validate", "--fail-on-warn", format="openapi-json", file=str(made))
    assert json.loads(SAVED.read_text()) == json.loads(made.read_text()), f"Run: {COMMAND}"


def test_the_served_document_is_the_saved_one(client, db):
    answer = client.get("/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == json.loads(SAVED.read_text())


def test_every_operation_tells_its_failures_and_its_permission():
    document = json.loads(SAVED.read_text())
    error = {"$ref": "#/components/schemas/Error"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            assert {"400", "401", "429"} <= set(answers), (method, path)
            for status, answer in answers.items():
                if status[0] == "4":
                    assert answer["content"]["application/json"]["schema"] == error
            if not path.startswith("/auth"):
                assert "Permission: `" in operation["description"], (method, path)
                assert operation["security"] == [{"bearer": []}, {"cookieAuth": []}]


def test_money_that_moves_takes_an_idempotency_key():
    paths = json.loads(SAVED.read_text())["paths"]
    writing = [
        operation for path, operations in paths.items() for method, operation in operations.items()
        if method == "post" and not path.startswith("/auth")
    ]  # fmt: skip
    assert len(writing) >= 2
    for operation in writing:
        assert "Idempotency-Key" in {parameter["name"] for parameter in operation["parameters"]}
        assert {"404", "409", "415", "422"} <= set(operation["responses"])


def test_amounts_are_documented_as_strings():
    schemas = json.loads(SAVED.read_text())["components"]["schemas"]
    for name, field in (
        ("PostingRow", "amount"),
        ("BalanceRow", "prior_balance"),
        ("Receipt", "balance_after"),
    ):
        assert schemas[name]["properties"][field]["type"] == "string"
    assert "last allocation date" in schemas["BalanceRow"]["properties"]["prior_balance"]["description"]
