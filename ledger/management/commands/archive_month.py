"""`archive_month`: one month out of the database into files, by hand."""

from typing import Any

from django.core.management.base import CommandParser

from batconnect.common.audit import system_user
from batconnect.common.commands import ReportingCommand, iso_month
from ledger.models import ArchivedMonth
from ledger.services.archives import archive_month, drop_archived


class Command(ReportingCommand):
    help = (
        "Write one closed month to files, prove that they hold all of it, and drop it from the database, whether it "
        "is beyond retention or not. With --keep it is only written."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_month_arguments(parser)
        parser.add_argument(
            "--keep", action="store_true", help="write the files and leave the month in the database"
        )

    def report(self, **options: Any) -> dict[str, Any]:
        archive = archive_month(kind=options["kind"], month=options["month"], actor=system_user())
        if not options["keep"]:
            archive = drop_archived(archive=archive, actor=system_user())
        return shown(archive)

    def describe(self, result: dict[str, Any]) -> None:
        what = "archived and dropped" if result["dropped"] else "archived, and still in the database"
        self.stdout.write(f"{result['name']}: {what}")
        self.stdout.write(
            f"{result['rows']:,} rows in {len(result['files'])} files of {result['bytes']:,} bytes:"
        )
        for file in result["files"]:
            self.stdout.write(f"  {file['path']}  {file['rows']:,} rows  sha256 {file['sha256']}")


def add_month_arguments(parser: CommandParser) -> None:
    parser.add_argument("--month", type=iso_month, required=True, metavar="YYYY-MM")
    kind = parser.add_mutually_exclusive_group(required=True)
    for name, value, label in (
        ("--ledger", ArchivedMonth.Kind.LEDGER, "its journal entries and their lines"),
        ("--source", ArchivedMonth.Kind.SOURCE, "its source rows"),
    ):
        kind.add_argument(name, dest="kind", action="store_const", const=value.value, help=label)


def shown(archive: ArchivedMonth) -> dict[str, Any]:
    return {
        "name": str(archive),
        "kind": archive.kind,
        "month": f"{archive.month:%Y-%m}",
        "rows": archive.rows,
        "bytes": archive.bytes,
        "dropped": archive.is_away,
        "files": list(archive.files.values("path", "rows", "bytes", "sha256")),
    }
