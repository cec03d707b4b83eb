"""A desk in a real browser: the site served from a database of its own, and people who are logged in."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.test.testcases import QuietWSGIRequestHandler
from playwright.sync_api import Browser, BrowserContext, Locator, Page, TimeoutError, sync_playwright

from batconnect.common.models import User

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE = {"width": 390, "height": 844}
SCREEN = {"width": 1280, "height": 900}
# Where pictures of the pages go, for whoever wants to look at them; none are kept without it.
PICTURES = os.environ.get("PICTURES", "")
WAIT_MS = 30_000  # a machine that does much else takes its time; what is there is never waited for


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


def turn(page: Page, what: Locator) -> None:
    """Click what leads to a page, and return when that page is read: also when it comes under the same address."""
    with page.expect_navigation():
        what.click()


def pick(page: Page, typed: str, *, shown: str = "") -> None:
    """Find by typing, and choose the hit that shows `shown` (or what was typed) for the case that this begins.

    While the rest is typed the list shows who matched its beginning: the first hit may be another one's.
    """
    page.get_by_role("combobox").press_sequentially(typed, delay=15)
    page.locator(".bc-hit").filter(has_text=shown or typed).click()
    page.wait_for_url("**/work/")


def look(page: Page, name: str) -> None:
    """Keep a picture of the page; and nothing may stick out at its side, at whatever width."""
    # In one question that is asked again when another page comes meanwhile: a click returns when the next has begun.
    fits = "document.readyState === 'complete' && root.scrollWidth <= root.clientWidth"
    try:
        page.wait_for_function(f"(() => {{ const root = document.documentElement; return {fits} }})()")
    except TimeoutError:
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        raise AssertionError(f"{name} sticks out by {wide} pixels") from None
    if PICTURES:
        folder = Path(PICTURES)
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(folder / f"{name}.png"), full_page=True)


@contextmanager
def serving() -> Iterator[str]:
    """Serve the site from threads of this process, on the database that its ORM has; yields the site's address.

    A process of its own would take seconds to start, for each module anew. The threads have connections of their own
    and close them, as under `manage.py runserver`.
    """
    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietWSGIRequestHandler, allow_reuse_address=False)
    server.set_app(StaticFilesHandler(WSGIHandler()))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def served() -> Iterator[Desk]:
    with serving() as address, sync_playwright() as playwright:
        found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            desk = Desk(address, browser)
            yield desk
            assert desk.errors == [], desk.errors
        finally:
            browser.close()
