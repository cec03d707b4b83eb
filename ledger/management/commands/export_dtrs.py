"""`export_dtrs`: the DTRs of a closed week as PDF files."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from batconnect.common.errors import BatConnectError
from ledger.services.dtr_export import export_dtrs


class Command(BaseCommand):
    help = (
        "Write the DTRs of a closed week as PDF files, one each or all in one. "
        "A second run replaces them with the same files."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--week", type=_date, required=True, metavar="SUNDAY", help="the week, by its Sunday: 2019-03-03"
        )
        parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder; made if missing")
        parser.add_argument("--one-file", action="store_true", help="all in one PDF")
        parser.add_argument(
            "--workers", type=_workers, metavar="N", help="processes to use (default: one per processor)"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object only")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            exported = export_dtrs(
                week=options["week"],
                out=options["out"],
                one_file=options["one_file"],
                workers=options["workers"],
            )
        except BatConnectError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(exported.as_dict()))
        else:
            files = "1 file" if exported.files == 1 else f"{exported.files} files"
            self.stdout.write(
                f"{exported.dtrs} DTRs of the week of {exported.week}: {files} in {exported.out}"
            )


def _date(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ArgumentTypeError(f"{value!r} is not a date; write it like 2019-03-03.") from None


def _workers(value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= 64:
        raise ArgumentTypeError(f"{value!r} is not a number of processes from 1 to 64.")
    return int(value)
