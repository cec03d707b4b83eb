"""`make bench`: run every benchmark, or those named, each in a process and a scratch database of its own."""

import json
import os
import subprocess
import sys
from urllib.parse import urlsplit

BENCHMARKS = (
    "obligations",
    "trips",
    "weekly_run",
    "lists",
    "dtr_pdf",
    "expansion",
    "proofs",
    "transfers",
    "recon_matching",
    "recon_run",
    "archives",
    "bulk",
    "bulk_ten",
)
SCRATCH = f"batconnect_bench_{os.getpid()}"


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(
            f"No benchmark called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}.", file=sys.stderr
        )
        return 2
    failed = 0
    for name in names or BENCHMARKS:
        failed += (
            subprocess.run([sys.executable, "-m", "benchmarks", "--here", name], check=False).returncode != 0
        )
    return 1 if failed else 0


def run_here(name: str) -> None:
    """Run one benchmark in this process: make its database, measure, print one JSON line, drop the database."""
    import psycopg

    from batconnect.embedded import database_url

    url = os.environ.get("DATABASE_URL") or database_url()
    scratch = urlsplit(url)._replace(path=f"/{SCRATCH}").geturl()
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {SCRATCH} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {SCRATCH}")
        try:
            os.environ.update(DATABASE_URL=scratch, DEBUG="1", DJANGO_SETTINGS_MODULE="benchmarks.settings")
            print(json.dumps({"benchmark": name, **_measure(name)}), flush=True)
        finally:
            server.execute(f"DROP DATABASE IF EXISTS {SCRATCH} WITH (FORCE)")


def _measure(name: str) -> dict[str, object]:
    import importlib

    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connections

    settings.DEBUG = False  # DEBUG keeps every statement in memory
    call_command("migrate", verbosity=0, skip_checks=True)
    try:
        return importlib.import_module(f"benchmarks.{name}").measure()
    finally:
        connections.close_all()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--here"]:
        run_here(sys.argv[2])
    else:
        sys.exit(main(sys.argv[1:]))
