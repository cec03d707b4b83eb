"""Prove the ledger: every proof by name, and the first thing that breaks it. Exit 1 when one does."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ledger.selectors.proofs import ARCHIVES_READ, Proof, run_proofs
from ledger.selectors.seals import Head, UnreadableHead, check_seals, heads, read_heads
from ledger.services.archives import ArchiveDamaged, whole_ledger


class Command(BaseCommand):
    help = (
        "Recompute every balance from postings, allocations and journal entries and compare; exit 1 when something "
        "is wrong. Archived months are read from their files. With --seals also recompute the seals, and name the "
        "block and row that changed since."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
        parser.add_argument("--seals", action="store_true", help="recompute what seal_ledger sealed, too")
        parser.add_argument(
            "--head", action="store_true", help="only print the heads of the seals' chains, to keep elsewhere"
        )
        parser.add_argument(
            "--head-file", type=Path, metavar="FILE", help="with --seals: compare with heads kept in a file"
        )
        parser.add_argument(
            "--expect",
            action="append",
            default=[],
            metavar="HEAD",
            help="with --seals: compare with this head, written LOG:BLOCK:CHAIN; may be given for each log",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["head"]:
            return self._print_heads(options["json"])
        expected = self._expected(options)
        try:
            # All proofs look at the same moment, whatever is posted meanwhile, and at archived months too.
            with whole_ledger() as archives:
                checks = list(self._checks(options["seals"] or bool(expected), expected))
        except ArchiveDamaged as error:
            checks, archives = [Proof(ARCHIVES_READ, False, str(error))], []
        ok = all(check.ok for check in checks)
        if options["json"]:
            self.stdout.write(
                json.dumps(
                    {"ok": ok, "checks": [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in checks]}
                )
            )
        else:
            for archive in archives:
                self.stdout.write(f"      read from its archive: {archive}, {archive.rows:,} rows")
            for check in checks:
                self.stdout.write(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.detail}")
            self.stdout.write(
                "The ledger is proved." if ok else "The ledger is NOT right: see the lines marked FAIL."
            )
        if not ok:
            sys.exit(1)
        return None

    def _checks(self, seals: bool, expected: list[Head]) -> Iterator[Proof]:
        yield from run_proofs()
        if seals:
            yield from check_seals(expected=expected)

    def _expected(self, options: dict[str, Any]) -> list[Head]:
        file: Path | None = options["head_file"]
        try:
            kept = read_heads(file.read_text()) if file else []
            return kept + [head for text in options["expect"] for head in read_heads(text)]
        except UnreadableHead as error:
            code, told = error.code, str(error)
        except (OSError, UnicodeDecodeError) as error:
            problem = getattr(error, "strerror", None) or "it is no text"
            code, told = "file.unreadable", f"{file} cannot be read: {problem}. Give a file of heads."
        if options["json"]:
            self.stdout.write(json.dumps({"error": code, "message": told}))
        raise CommandError(told)

    def _print_heads(self, as_json: bool) -> None:
        found = heads()
        if as_json:
            self.stdout.write(json.dumps({"heads": [str(head) for head in found]}))
            return
        for head in found:
            self.stdout.write(str(head))
