"""Prove the ledger: every proof by name, and the first thing that breaks it. Exit 1 when one does."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection, transaction

from ledger.selectors.proofs import run_proofs


class Command(BaseCommand):
    help = (
        "Recompute every balance from postings and allocations and compare; exit 1 when something is wrong."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            if len(connection.atomic_blocks) == 1:
                # All proofs look at the same moment, whatever is posted meanwhile.
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            checks = list(run_proofs())
        ok = all(check.ok for check in checks)
        if options["json"]:
            self.stdout.write(
                json.dumps(
                    {"ok": ok, "checks": [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in checks]}
                )
            )
        else:
            for check in checks:
                self.stdout.write(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.detail}")
            self.stdout.write(
                "The ledger is proved." if ok else "The ledger is NOT right: see the lines marked FAIL."
            )
        if not ok:
            sys.exit(1)
