"""`import_opening_balances FILE --control-total X`: what was open at cut-over, once, all rows or none."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from batconnect.common import audit
from batconnect.common.commands import ReportingCommand, iso_date, today_in_new_york
from batconnect.common.money import parse_amount
from ledger.services.opening_balances import check_opening, import_opening_balances
from ledger.services.opening_file import COLUMNS, MOST_BYTES, BadOpeningFile, read_opening

MOST_TOLD = 50


class Command(ReportingCommand):
    help = f"Import the opening balances at cut-over, once. A CSV file, UTF-8, with the columns {', '.join(COLUMNS)}."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="CSV: debits positive, credits negative")
        parser.add_argument(
            "--control-total", required=True, metavar="X", help="debits less credits, to the cent"
        )
        parser.add_argument("--date", type=iso_date, help="accounting date, in an open week; default: today")
        parser.add_argument("--dry-run", action="store_true", help="say what is wrong, and import nothing")
        super().add_arguments(parser)

    def report(self, **options: Any) -> dict[str, Any]:
        path, on = Path(options["file"]), today_in_new_york()
        control = parse_amount(options["control_total"])
        try:
            with path.open("rb") as opened:  # one byte more than is taken, however large it is
                content = opened.read(MOST_BYTES + 1)
        except OSError as error:
            raise BadOpeningFile(what=f"{path} cannot be read: {error.strerror}.") from error
        file = read_opening(content=content, name=path.name, on=on)
        if not self.quiet:
            for wrong in file.errors[:MOST_TOLD]:
                self.stderr.write(f"row {wrong.row}, {wrong.column}: {wrong.reason}")
            if len(file.errors) > MOST_TOLD:
                self.stderr.write(f"and {len(file.errors) - MOST_TOLD:,} more")
        told = {
            "file": file.name,
            "rows": file.count,
            "debits": str(file.debits),
            "credits": str(file.credits),
            "total": str(file.total),
        }
        if options["dry_run"]:
            check_opening(file, control_total=control)
            return {**told, "imported": False}
        done = import_opening_balances(
            content=content,
            name=path.name,
            control_total=control,
            actor=audit.system_user(),
            on=on,
            accounting_date=options["date"],
        )
        return {**told, "imported": True, "dated": done.dated.isoformat()}
