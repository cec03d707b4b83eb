"""`export_dtrs`: the DTRs of a closed week as PDF files."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from batconnect.common.commands import ReportingCommand, iso_date, worker_count
from ledger.services.dtr_export import export_dtrs


class Command(ReportingCommand):
    help = (
        "Write the DTRs of a closed week as PDF files, one each or all in one. "
        "A second run replaces them with the same files."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--week", type=iso_date, required=True, help="the week's Sunday, e.g. 2019-03-03")
        parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder; made if missing")
        parser.add_argument("--one-file", action="store_true", help="all in one PDF")
        parser.add_argument(
            "--workers", type=worker_count, metavar="N", help="processes to use (default: one per processor)"
        )

    def report(self, **options: Any) -> dict[str, Any]:
        exported = export_dtrs(
            week=options["week"],
            out=options["out"],
            one_file=options["one_file"],
            workers=options["workers"],
        )
        return exported.as_dict()

    def describe(self, result: dict[str, Any]) -> None:
        files = "1 file" if result["files"] == 1 else f"{result['files']} files"
        self.stdout.write(
            f"{result['dtrs']} DTRs of the week of {result['week']}: {files} in {result['out']}"
        )
