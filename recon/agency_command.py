"""What `import_tolls` and `import_violations` share."""

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from batconnect.common.audit import system_user
from batconnect.common.commands import ReportingCommand, today_in_new_york

from .services.agency.importing import AgencyImport

SHOWN_REJECTS = 20


class AgencyImportCommand(ReportingCommand):
    load: ClassVar[Callable[..., AgencyImport]]

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)  # type: ignore[arg-type]
        parser.add_argument(
            "file", type=Path, metavar="FILE", help="CSV file as the agency exports it, UTF-8"
        )

    def report(self, **options: Any) -> dict[str, Any]:
        return import_answer(self.load(path=options["file"], actor=system_user(), on=today_in_new_york()))

    def describe(self, result: dict[str, Any]) -> None:
        for name in ("rows", "new", "repeated", "rejected"):
            self.stdout.write(f"{name:<14} {result[name]:>10,}")
        for state, end in result["ended"].items():
            self.stdout.write(f"{state.lower().replace('_', ' '):<14} {end['rows']:>10,} {end['amount']:>14}")
        self.stdout.write(f"{'known vehicle':<14} {result['known_vehicle']:>10,}")
        self.stdout.write(f"{'attributed':<14} {result['attributed']:>10,}")
        for reject in result["rejects"]:
            self.stdout.write(f"row {reject['row']}, {reject['column']}: {reject['message']}")


def import_answer(result: AgencyImport) -> dict[str, Any]:
    """What an import did, JSON-ready."""
    kept = result.file
    return {
        "file_id": kept.pk,
        "kind": kept.kind,
        "file_name": kept.file_name,
        "rows": kept.rows,
        "new": kept.new,
        "repeated": kept.repeated,
        "rejected": kept.rejected,
        "found_again": result.found_again,
        "known_vehicle": result.known_vehicle,
        "attributed": result.attributed,
        "ended": {
            state: {"rows": end.rows, "amount": str(end.amount)} for state, end in result.ended.items()
        },
        "rejects": [
            {"row": one.row_number, "column": one.column, "message": one.message}
            for one in kept.rejects.order_by("row_number")[:SHOWN_REJECTS]
        ],
    }
