"""A desk in a real browser: the site served from a database of its own, and people who are logged in."""

import base64
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from batconnect.common.models import User
from tests import databases

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE = {"width": 390, "height": 844}
SCREEN = {"width": 1280, "height": 900}
# Where pictures of the pages go, for whoever wants to look at them; none are kept without it.
PICTURES = os.environ.get("PICTURES", "")
WAIT_MS = 10_000


class Desk:
    """The served site and its browser."""

    def __init__(self, address: str, browser: Browser) -> None:
        self.address = address
        self.browser = browser
        self.errors: list[str] = []

    def seat(self, user: User, **options: Any) -> "Seat":
        """A browser of that person's own, logged in."""
        context = self.browser.new_context(**{"viewport": SCREEN, "base_url": self.address, **options})
        context.set_default_timeout(WAIT_MS)
        seat = Seat(self, context)
        seat.log_in(user)
        return seat


class Seat:
    def __init__(self, desk: Desk, context: BrowserContext) -> None:
        self.desk = desk
        self.context = context

    def log_in(self, user: User) -> None:
        store = SessionStore()
        store[SESSION_KEY] = str(user.pk)
        store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        store[HASH_SESSION_KEY] = user.get_session_auth_hash()
        store.create()
        self.key = store.session_key
        self.context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": self.key, "url": self.desk.address}]
        )

    def end_session(self) -> None:
        SessionStore(self.key).flush()

    def tab(self, path: str) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.desk.errors.append(str(error)))
        page.goto(path)
        return page


def look(page: Page, name: str) -> None:
    """Keep a picture of the page; and nothing may stick out at its side, at whatever width."""
    # A click returns when the next page has begun; until it is read there is nothing to measure.
    page.wait_for_function("document.readyState === 'complete'")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name} sticks out by {wide} pixels"
    if PICTURES:
        folder = Path(PICTURES)
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(folder / f"{name}.png"), full_page=True)


@contextmanager
def served(url: str) -> Iterator[Desk]:
    # The same keys, so that a session made here is one there, and bank details can be read.
    env = {
        "SECRET_KEY": settings.SECRET_KEY,
        "BANK_DETAILS_KEY": base64.b64encode(settings.BANK_DETAILS_KEYS[0]).decode(),
    }
    with databases.serving(url, env) as address, sync_playwright() as playwright:
        found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            desk = Desk(address, browser)
            yield desk
            assert desk.errors == [], desk.errors
        finally:
            browser.close()
