"""Every link on the pages of a lived-in week leads somewhere: to a page, not to a refusal and not back to home."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from tests.factories import make_user

REPORTS = ("trial_balance", "account_statement", "aging", "summary")
MARCH = {"from": "2019-03-01", "to": "2019-03-31"}
# One of a kind is enough: pages of the same kind differ by their number alone.
NUMBERS = re.compile(r"(?<=/)([A-Z]{2}-)?[\d-]+(?=/)|[0-9a-f-]{36}")


def links(page: str, html: str) -> Iterator[str]:
    for found in re.findall(r'href="([^"#]+)', html.partition('id="content"')[2]):
        address = urljoin(page, unescape(found))
        if address.startswith("/admin/") and not re.search(r"pdf|xlsx|csv|[?&](o|p)=", address):
            yield address


def kind(address: str) -> str:
    parts = urlsplit(address)
    return NUMBERS.sub("#", parts.path) + ",".join(part.partition("=")[0] for part in parts.query.split("&"))


def beginnings(rows: dict[str, Any]) -> list[str]:
    reports = [
        f"{reverse(f'admin:ledger_report_{name}')}?from={MARCH['from']}&to={MARCH['to']}&account=1200"
        for name in REPORTS
    ]
    return [
        "/admin/",
        *reports,
        *(reverse(f"admin:{name}_change", args=[row.pk]) for name, row in rows.items()),
    ]


def dead(client: Client, rows: dict[str, Any]) -> list[str]:
    """Links that lead nowhere, each with the page it stands on."""
    followed: dict[str, str] = {}
    for page in beginnings(rows):
        answer = client.get(page)
        if answer.status_code == 200:
            for link in links(page, answer.content.decode()):
                followed.setdefault(kind(link), f"{page} → {link}")
    found = []
    for trail in followed.values():
        answer = client.get(trail.partition(" → ")[2])
        if answer.status_code >= 400 or answer.headers.get("Location") == "/admin/":
            found.append(f"{trail}: {answer.status_code}")
    assert len(followed) > 10
    return found


def test_whoever_may_see_all_is_led_nowhere_in_vain(chief: Client, rows: dict[str, Any]) -> None:
    assert dead(chief, rows) == []


def test_a_cashier_is_not_led_to_what_is_not_his_to_see(client: Client, rows: dict[str, Any]) -> None:
    person = make_user(username="window")
    person.groups.set([Group.objects.get(name="Cashier")])
    client.force_login(person)
    assert dead(client, rows) == []
