"""Run the tests on this machine's own PostgreSQL, 15 or later: `make test-pg15`.

A server of its own is started from the installed programs in a temporary folder, and removed afterwards; one
that runs already is not touched. The oldest suitable release is taken: it is the one that lacks most.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from batconnect.embedded import Cluster
from batconnect.embedded_host import major_version
from tests.server import SETTINGS

OLDEST = 15


def programs() -> Path | None:
    """The folder of the oldest installed PostgreSQL that is new enough."""
    folders = {path.parent.resolve() for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")}
    pg_config = shutil.which("pg_config")
    if pg_config:
        said = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=True).stdout  # noqa: S603
        folders.add(Path(said.strip()).resolve())
    # pg_config also comes with the client's headers alone.
    versions = {folder: major_version(folder) for folder in folders if (folder / "postgres").exists()}
    suitable = [folder for folder, version in versions.items() if version >= OLDEST]
    return min(suitable, key=versions.__getitem__, default=None)


def main(arguments: list[str]) -> int:
    """Start the server, run pytest on it, remove the server; the exit code is pytest's."""
    found = programs()
    if found is None:
        sys.stderr.write(
            f"No PostgreSQL {OLDEST} or later is installed here (Debian: postgresql-{OLDEST}).\n"
        )
        return 1
    home = Path(tempfile.mkdtemp(prefix="batconnect-system-postgres-"))
    home.chmod(0o711)  # as root, the server runs as another account, which must get in
    cluster = Cluster(home, bin_dir=found, settings=SETTINGS)
    try:
        sys.stdout.write(f"PostgreSQL {major_version(found)} from {found}\n")
        sys.stdout.flush()
        # DEBUG as with the embedded database: a DATABASE_URL otherwise means production.
        environment = {**os.environ, "DATABASE_URL": cluster.start(), "DEBUG": "1"}
        command = [sys.executable, "-m", "pytest", *arguments]
        return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603
    finally:
        cluster.destroy()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
