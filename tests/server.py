"""The server that tests work on: an embedded PostgreSQL of their own, in which nothing has to last.

`python -m tests.server stop|destroy` ends it; the next run of the tests starts it again.
"""

import sys
from pathlib import Path

from batconnect.embedded import Cluster, default_cluster

# What tests make is gone when they end, so nothing is forced to the disk; tests that kill a server have their own.
# Autovacuum would look at tables whose rows were all rolled back, and note that many pages hold no row at all: from
# then on a statement is planned for one row, whatever a later test has put there, and takes twenty times as long.
# Tables that were never looked at are planned for by their size.
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def cluster() -> Cluster:
    return Cluster(default_cluster().home / "tests", settings=SETTINGS)


def start() -> str:
    """Make sure that it runs; returns the URL of a database on it."""
    server = cluster()
    marker, boot = server.home / "boot", _BOOT.read_text() if _BOOT.exists() else ""
    if server.pid() is None and marker.exists() and marker.read_text() != boot:
        server.destroy()  # who knows what of it had reached the disk when the machine went down
    url = server.start()
    marker.write_text(boot)
    return url


if __name__ == "__main__":
    (action,) = sys.argv[1:]
    {"stop": cluster().stop, "destroy": cluster().destroy}[action]()
