"""Fetch trips from the processor's API, from the terminal."""

from argparse import ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from batconnect.common.audit import system_user
from batconnect.common.commands import ReportingCommand
from batconnect.common.weeks import NEW_YORK
from recon.selectors.fetches import fetch_answer
from recon.services.curb_fetches import fetch_trips


class Command(ReportingCommand):
    help = "Fetch trips from the processor and import them. Trips that were loaded before are ignored."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--from", dest="begin", type=_moment, help="e.g. 2026-10-04 or 2026-10-04T06:00, New York"
        )
        parser.add_argument("--to", dest="end", type=_moment, help="default: now")

    def report(self, **options: Any) -> dict[str, Any]:
        fetch = fetch_trips(
            actor=system_user(), now=timezone.now(), begin=options["begin"], end=options["end"]
        )
        return fetch_answer(fetch)

    def describe(self, result: dict[str, Any]) -> None:
        self.stdout.write(
            f"Fetch {result['fetch_id']}, {result['from']} to {result['to']}: {result['rows']:,} rows on "
            f"{result['pages']} pages"
        )
        imported = result["imported"]
        if imported:
            self.stdout.write(
                f"{imported['accepted']:,} new, {imported['duplicates']:,} known, {imported['rejected']} parked; "
                f"card earnings {imported['card_earnings']}"
            )


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no time; write 2026-10-04 or 2026-10-04T06:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=NEW_YORK)
