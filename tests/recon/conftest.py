"""What stories about reconciliation share: people with exactly their permissions, and a folder for files."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.factories import make_user

from .hosts import Host

READ = ("recon.view_reconjob", "recon.view_reconlog")
WORK = (*READ, "recon.run_recon", "recon.decide_exception", "recon.write_off")


@pytest.fixture
def client_with(db: None, settings: Any) -> Callable[..., APIClient]:
    """A client logged in as a member of staff with these permissions and no other."""

    def make(*permissions: str) -> APIClient:
        client = APIClient()
        client.force_login(make_user(permissions=permissions))
        return client

    return make


@pytest.fixture
def api(client_with: Callable[..., APIClient]) -> APIClient:
    """Somebody who may reconcile, decide and write off."""
    return client_with(*WORK)


@pytest.fixture
def imports(tmp_path: Path, settings: Any) -> Path:
    """The import folder, empty."""
    folder = tmp_path / "imports"
    folder.mkdir()
    settings.RECON_IMPORT_ROOT = folder
    return folder


@pytest.fixture
def host(settings: Any) -> Iterator[Host]:
    settings.RECON_API_HOSTS = settings.RECON_API_INSIDE_HOSTS = ["127.0.0.1"]
    settings.RECON_API_BACKOFF = 0.0
    settings.RECON_API_TIMEOUT = settings.RECON_API_PAGE_SECONDS = 0.3
    settings.RECON_API_LONGEST_WAIT = 1
    made = Host()
    yield made
    made.server.shutdown()
    made.server.server_close()
