"""`restore_month`: an archived month back into the database, from its files."""

from typing import Any

from django.core.management.base import CommandParser

from batconnect.common.audit import system_user
from batconnect.common.commands import ReportingCommand
from ledger.services.archives import restore_month

from .archive_month import add_month_arguments, shown


class Command(ReportingCommand):
    help = (
        "Bring an archived month back from its files, as it was: the files are checked, and what comes back is "
        "compared with what was archived. Whole or not at all. rotate_partitions leaves it alone for some days."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_month_arguments(parser)

    def report(self, **options: Any) -> dict[str, Any]:
        return shown(restore_month(kind=options["kind"], month=options["month"], actor=system_user()))

    def describe(self, result: dict[str, Any]) -> None:
        self.stdout.write(
            f"{result['name']}: back in the database, {result['rows']:,} rows from {len(result['files'])} files"
        )
