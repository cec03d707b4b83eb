"""`rebuild_projections`: balances and open items written anew from postings, allocations and journal entries."""

import sys
from typing import Any

from django.core.management.base import CommandParser

from batconnect.common.audit import system_user
from batconnect.common.commands import ReportingCommand
from ledger.services.projections import rebuild_projections


class Command(ReportingCommand):
    help = (
        "Compare driver accounts, open items, guarded balances and month-end snapshots with what the log gives, say "
        "every difference, and write those anew. With --dry-run only compare; exit 1 when something differs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        one = parser.add_mutually_exclusive_group()
        one.add_argument("--account", metavar="CODE", help="only this account of the chart")
        one.add_argument("--driver-account", type=int, metavar="N", help="only this driver account")
        parser.add_argument("--dry-run", action="store_true", help="write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if self.dry_run and self.found:
            sys.exit(1)

    def report(self, **options: Any) -> dict[str, Any]:
        self.dry_run: bool = options["dry_run"]
        self.found = rebuild_projections(
            actor=system_user(),
            driver_account_id=options["driver_account"],
            account_code=options["account"],
            dry_run=self.dry_run,
        )
        return {
            "dry_run": self.dry_run,
            "differences": [difference.as_dict() for difference in self.found],
        }

    def describe(self, result: dict[str, Any]) -> None:
        for row in result["differences"]:
            self.stdout.write(f"{row['projection']} {row['name']}")
            self.stdout.write(f"  was:          {_shown(row['was'])}")
            self.stdout.write(f"  from the log: {_shown(row['from_the_log'])}")
        count = len(result["differences"])
        if not count:
            self.stdout.write("Everything is what the log says.")
        elif result["dry_run"]:
            self.stdout.write(f"{count} rows differ from the log; nothing was written.")
        else:
            self.stdout.write(f"{count} rows were written anew from the log.")


def _shown(values: dict[str, Any] | None) -> str:
    return "no row" if values is None else ", ".join(f"{name} {value}" for name, value in values.items())
