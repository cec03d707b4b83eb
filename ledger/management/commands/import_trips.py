"""`import_trips FILE`: load CURB's trips, park what cannot be accepted, and say what was done to the cent."""

import json
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from batconnect.common import audit
from batconnect.common.errors import BatConnectError
from ledger.services.trips import TripImport, import_trips

COUNTS = ("rows", "accepted", "rejected", "duplicates")
AMOUNTS = ("card_earnings", "taxes")


class Command(BaseCommand):
    help = "Import trips in CURB's format. Rows loaded before are ignored; rows that do not pass are parked."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="CSV file in CURB's format, UTF-8")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
        parser.add_argument(
            "--leave-journal",
            action="store_true",
            help="load the trips and leave their entries to post_batch; they do not settle before",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.perf_counter()
        try:
            result = import_trips(
                path=Path(options["file"]),
                actor=audit.system_user(),
                journalise=not options["leave_journal"],
            )
        except BatConnectError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": error.code, "message": str(error)}))
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(_figures(result)))
            return
        self._tell(result, time.perf_counter() - started)
        if options["leave_journal"] and result.accepted:
            self.stdout.write(
                "\nThe trips have no entries yet, and settle only once they have:\n"
                "  manage.py post_batch --pack taxi --month YYYY-MM, for each month that they lie in"
            )

    def _tell(self, result: TripImport, seconds: float) -> None:
        for name in COUNTS:
            self.stdout.write(f"{name:<13} {getattr(result, name):>14,}")
        for name in AMOUNTS:
            self.stdout.write(f"{name.replace('_', ' '):<13} {getattr(result, name):>14,.2f}")
        self.stdout.write(f"{'seconds':<13} {seconds:>14.2f}")
        if not result.rejects:
            return
        self.stdout.write(f"\n{'row':>9}  {'ROWID':<12}  {'reason':<16}  what is wrong")
        for row in result.rejects:
            self.stdout.write(f"{row.row_number:>9}  {row.rowid:<12}  {row.reason:<16}  {row.message}")
        if result.rejected > len(result.rejects):
            self.stdout.write(
                f"and {result.rejected - len(result.rejects):,} more, all among the parked rows"
            )


def _figures(result: TripImport) -> dict[str, int | str]:
    return {
        **{name: getattr(result, name) for name in COUNTS},
        **{name: f"{getattr(result, name):.2f}" for name in AMOUNTS},
    }
