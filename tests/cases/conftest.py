"""What tests of cases share: the desk in a browser, on a database that its module keeps."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connections
from pytest_django import DjangoDbBlocker

from tests import databases

from .desk import Desk, served


@pytest.fixture(scope="module")
def desk(django_db_blocker: DjangoDbBlocker) -> Iterator[Desk]:
    """The site in a browser; the ORM of this process works on the same database, and commits."""
    url = databases.clone(settings.DATABASE_URL)
    current = connections["default"]
    former = current.settings_dict["NAME"]
    patch = pytest.MonkeyPatch()
    # Playwright keeps an event loop in this thread, which Django would take for asynchronous code.
    patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with django_db_blocker.unblock():
        current.close()
        current.settings_dict["NAME"] = url.rsplit("/", 1)[1]
        try:
            with served() as found:
                yield found
                # Playwright's loop has a connection of its own, by the rules of asgiref.
                connections["default"].close()
        finally:
            current.close()
            current.settings_dict["NAME"] = former
            patch.undo()
            databases.drop(url, settings.DATABASE_URL)
