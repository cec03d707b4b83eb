"""Every page passes the automated check of WCAG 2.1, level AA, in the light and in the dark."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib import admin
from django.urls import reverse
from playwright.sync_api import Page

from batconnect.admin_site import MENU
from batconnect.common.models import User
from tests.cases.conftest import desk  # noqa: F401  (the site in a browser)
from tests.cases.desk import Desk
from tests.ledger.factories import SUNDAY, WEEK, run
from tests.ledger.lived_in import LivedIn, live_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LEVEL_AA = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
# What people have before them most of the day; `make soak` looks at all the others too.
OFTEN = (
    "/admin/",
    "/admin/login/",
    "/admin/ledger/driveraccount/",
    "/admin/ledger/weeklyrun/run/",
    "/admin/ledger/categoryrank/",
    "/admin/cases/case/start/INTPAY/",
)


@pytest.fixture(scope="module")
def lived(desk: Desk) -> LivedIn:  # noqa: F811
    lived = live_in()
    run(SUNDAY + WEEK)  # home draws weeks from the second on
    return lived


def faults(page: Page, path: str) -> Iterator[str]:
    answer = page.goto(path)
    if answer is None or answer.status != 200:
        yield f"{path}: answers {answer and answer.status}"
        return
    found: dict[str, Any] = Axe().run(page, options=LEVEL_AA).response
    for fault in found["violations"]:
        for node in fault["nodes"]:
            yield f"{path}: {fault['id']}, {fault['help']}: {node['html'][:200]}"


def all_faults(desk: Desk, paths: list[str], scheme: str) -> list[str]:  # noqa: F811
    user, _ = User.objects.get_or_create(username="everybody", is_staff=True, is_superuser=True)
    seat = desk.seat(user, color_scheme=scheme)
    page = seat.context.new_page()
    try:
        return [fault for path in paths for fault in faults(page, path)]
    finally:
        seat.context.close()


def menu_pages() -> Iterator[str]:
    for _, entries in MENU:
        for _, _, page, _ in entries:
            name, _, argument = page.partition(":")
            if "." not in name:
                yield reverse(f"admin:{name}", args=[argument] if argument else [])


def list_pages() -> Iterator[str]:
    """Each list, and the first thing in it if there is any."""
    for model in admin.site._registry:
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        yield path
        first = model._default_manager.order_by("pk").first()
        if first is not None:
            yield f"{path}{first.pk}/change/"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_every_day(desk: Desk, lived: LivedIn, scheme: str) -> None:  # noqa: F811
    account = f"/admin/ledger/driveraccount/{lived.account.pk}/change/"
    # In the dark only the colours differ: two pages have them all.
    pages = [*OFTEN, account] if scheme == "light" else [OFTEN[0], account]
    assert all_faults(desk, pages, scheme) == []


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_pages(desk: Desk, lived: LivedIn, scheme: str) -> None:  # noqa: F811
    assert all_faults(desk, list(dict.fromkeys([*menu_pages(), *list_pages()])), scheme) == []
