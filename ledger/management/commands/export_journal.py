"""`export_journal`: the journal as a file that hledger or beancount reads."""

from argparse import ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.core.management.base import CommandParser

from batconnect.common.commands import ReportingCommand, iso_date
from batconnect.common.errors import BatConnectError
from batconnect.exports.pdf_files import CannotWrite
from ledger.selectors.plain_text import FORMATS, export_journal
from ledger.services.archives import whole_ledger


class NowhereToWrite(BatConnectError):
    code, status = "export_journal.output", 400
    message = "With --json only the object is printed: say --output FILE, where the journal goes."


class Command(ReportingCommand):
    help = (
        "Write the journal for plain-text accounting: every account, opening balances when it does not begin at the "
        "beginning, every entry with its number, and what every account came to at the end of each month."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--format", choices=list(FORMATS), required=True)
        parser.add_argument("--from", dest="start", type=iso_date, metavar="DATE", help="the first day")
        parser.add_argument("--to", dest="end", type=iso_date, metavar="DATE", help="the last day")
        parser.add_argument(
            "--output", type=_file, metavar="FILE", help="the file to write (default: standard output)"
        )

    def report(self, **options: Any) -> dict[str, Any]:
        if options["output"] is None and self.quiet:
            raise NowhereToWrite
        # Archived months are written too, from their files.
        with whole_ledger():
            pieces = export_journal(format_name=options["format"], start=options["start"], end=options["end"])
            if options["output"] is None:
                self.stdout.ending = ""
                for piece in pieces:
                    self.stdout.write(piece)
                return {}
            return {
                "format": options["format"],
                "file": str(options["output"]),
                "bytes": _write(options["output"], pieces),
            }

    def describe(self, result: dict[str, Any]) -> None:
        if result:
            self.stdout.write(f"{result['bytes']:,} bytes for {result['format']} in {result['file']}")


def _file(text: str) -> Path:
    if not text or Path(text).is_dir():
        raise ArgumentTypeError(f"{text!r} is not the name of a file")
    return Path(text)


def _write(path: Path, pieces: Iterator[str]) -> int:
    """Write beside the file, then rename over it: a reader sees the former file or the new one, never half."""
    try:
        with NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            partial = Path(file.name)
            try:
                for piece in pieces:
                    file.write(piece)
            except BaseException:
                partial.unlink()
                raise
        partial.chmod(0o644)
        partial.replace(path)
    except OSError as error:
        raise CannotWrite(path=path, problem=error.strerror or error) from None
    return path.stat().st_size
