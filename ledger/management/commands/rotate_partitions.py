"""`rotate_partitions`: months ahead are made, months beyond retention are archived and dropped."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from batconnect.common.audit import system_user
from batconnect.common.commands import ReportingCommand, today_in_new_york
from ledger.services.archives import rotate_partitions


class Command(ReportingCommand):
    help = (
        "Make the partitions of the months ahead; write the months beyond retention to files, prove that the files "
        "hold all of them, and drop them; drop what bulk runs staged. Counted back from the newest closed month. "
        "Safe to repeat, and to run again after a crash. A month that cannot leave yet is kept, and said why."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--dry-run", action="store_true", help="write and drop nothing; say what would be done"
        )

    def report(self, **options: Any) -> dict[str, Any]:
        self.rotation = rotate_partitions(
            today=today_in_new_york(), actor=system_user(), dry_run=options["dry_run"]
        )
        return self.rotation.as_dict()

    def describe(self, result: dict[str, Any]) -> None:
        rotation = self.rotation
        if not rotation.newest_closed:
            self.stdout.write("No month is closed, so none is old enough to leave.")
        else:
            self.stdout.write(
                f"Newest closed month: {rotation.newest_closed}. Kept are {settings.LEDGER_MONTHS_KEPT} months of "
                f"journal entries and {settings.SOURCE_MONTHS_KEPT} of source rows."
            )
        for step in rotation.steps:
            self.stdout.write(str(step))
        if rotation.newest_closed and not rotation.steps:
            self.stdout.write("No month is beyond that.")
        if rotation.staging_dropped:
            runs = ", ".join(map(str, rotation.staging_dropped))
            verb = "would be" if rotation.dry_run else "was"
            self.stdout.write(f"What these runs staged {verb} dropped: {runs}")
        if rotation.dry_run:
            self.stdout.write("Nothing was changed.")
