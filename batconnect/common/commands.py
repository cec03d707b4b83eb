"""What every management command of ours does alike: `--json`, errors as a sentence, exit 1."""

import json
import sys
from argparse import ArgumentTypeError
from datetime import date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from .errors import BatConnectError
from .weeks import NEW_YORK

MOST_WORKERS = 64


def iso_date(text: str) -> date:
    """An argparse type: a date as 2019-03-03."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a date; write it like 2019-03-03") from None


def iso_month(text: str) -> date:
    """An argparse type: a month as 2019-03; given as its first day."""
    try:
        if len(text) != len("2019-03"):
            raise ValueError
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a month; write it like 2019-03") from None


def worker_count(text: str) -> int:
    """An argparse type: how many processes, or connections, share the work."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MOST_WORKERS:
        raise ArgumentTypeError(f"{text!r} is not a number of workers from 1 to {MOST_WORKERS}")
    return int(text)


def today_in_new_york() -> date:
    return datetime.now(tz=NEW_YORK).date()


class ReportingCommand(BaseCommand):
    """A command whose work is `report(...)`, which returns the final object, and `describe`, its text.

    With `--json` the object is printed, alone, on the last line. A BatConnectError is printed as its sentence
    (or as {"error", "message"}) and ends the command with exit code 1.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one final JSON object, nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        self.quiet = options["json"]
        try:
            result = self.report(**options)
        except BatConnectError as error:
            if self.quiet:
                self.stdout.write(json.dumps({"error": error.code, "message": str(error)}))
            else:
                self.stderr.write(self.style.ERROR(str(error)))
            sys.exit(1)
        if self.quiet:
            self.stdout.write(json.dumps(result))
        else:
            self.describe(result)

    def report(self, **options: Any) -> dict[str, Any]:
        """Do the work and return the final object, JSON-ready."""
        raise AssertionError("a command says what it reports")

    def describe(self, result: dict[str, Any]) -> None:
        """Print the object for people."""
        for name, value in result.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {value}")
