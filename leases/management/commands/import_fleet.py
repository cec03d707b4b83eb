"""`import_fleet`: bring medallions, vehicles, drivers and leases in from two files."""

import json
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from batconnect.common.audit import system_user
from batconnect.common.errors import BatConnectError
from batconnect.common.money import parse_amount
from leases.fleet_import import FleetImported, import_fleet


class BadLeaseDate(BatConnectError):
    code, status = "fleet_import.lease_from", 400
    message = "--lease-from {value!r} is not a date; write it like 2019-02-24."


class Command(BaseCommand):
    help = (
        "Import medallions with their vehicles, and drivers with an open-ended long-term lease on their cab. "
        "All or nothing; a second run of the same files changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--medallions", type=Path, required=True, metavar="FILE", help="CSV with one medallion per row"
        )
        parser.add_argument(
            "--drivers", type=Path, required=True, metavar="FILE", help="CSV with one driver per row"
        )
        parser.add_argument("--lease-from", required=True, metavar="DATE", help="first day: 2019-02-24")
        parser.add_argument("--weekly-fee", required=True, metavar="AMOUNT", help="dollars a week: 150.00")
        parser.add_argument("--json", action="store_true", help="print one JSON object only")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            imported = import_fleet(
                medallions=options["medallions"],
                drivers=options["drivers"],
                lease_from=_date(options["lease_from"]),
                weekly_fee=parse_amount(options["weekly_fee"]),
                actor=system_user(),
            )
        except BatConnectError as error:
            told = f"{error} Nothing was imported."
            if options["json"]:
                self.stdout.write(json.dumps({"error": error.code, "message": told}))
            raise CommandError(told) from error
        self.stdout.write(json.dumps(imported.as_dict()) if options["json"] else _told(imported))


def _date(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise BadLeaseDate(value=value) from None


def _told(imported: FleetImported) -> str:
    lines = [
        f"{kind:<12}" + "".join(f"{count:>6} {became}" for became, count in counts.items())
        for kind, counts in imported.as_dict().items()
    ]
    if not imported.changed:
        lines.append("Everything was there already; nothing was changed.")
    return "\n".join(lines)
