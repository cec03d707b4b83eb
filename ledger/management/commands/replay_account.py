"""`replay_account`: every event of an account, with what it stood at after each."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from batconnect.common.errors import BatConnectError
from ledger.selectors.replay import Event, NoSuchAccount, as_dict, replay_account, replay_driver_account
from ledger.services.archives import whole_ledger

WIDEST = 60
_DRIVER = "{:<19}  {:<10}  {:>10}  {:<10}  {:<60}  {:>13}  {:>13}  {:>13}  {:>13}"
_JOURNAL = "{:<19}  {:<9}  {:<20}  {:<10}  {:<60}  {:<4}  {:>15}  {:>15}"


class Command(BaseCommand):
    help = (
        "Print every event of an account of the chart (by its code) or, with --driver, of a driver account (by its "
        "number), in the order they were made, each with the balance after it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("account", metavar="ACCOUNT")
        parser.add_argument("--driver", action="store_true", help="ACCOUNT is the number of a driver account")
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object: the account and its events"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            # An account's balance after each event is the sum of all before, archived ones too.
            with whole_ledger():
                self._print(options)
        except BatConnectError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": error.code, "message": str(error)}))
            raise CommandError(str(error)) from error

    def _print(self, options: dict[str, Any]) -> None:
        account: str = options["account"]
        if not options["driver"]:
            events = replay_account(account)
        elif account.isdecimal() and account.isascii():
            events = replay_driver_account(int(account))
        else:
            raise NoSuchAccount(kind="driver account", account=repr(account))
        if options["json"]:
            # One object, written as it is read: an account may have any number of events.
            self.stdout.write(f'{{"account": {json.dumps(account)}, "events": [', ending="")
            for count, event in enumerate(events):
                self.stdout.write(f"{', ' if count else ''}{json.dumps(as_dict(event))}", ending="")
            self.stdout.write("]}")
            return
        header = (
            (
                "made at",
                "event",
                "number",
                "dated",
                "what",
                "amount",
                "balance",
                "open debits",
                "open credits",
            )
            if options["driver"]
            else ("made at", "origin", "entry", "dated", "what", "side", "amount", "balance")
        )
        layout = _DRIVER if options["driver"] else _JOURNAL
        self.stdout.write(layout.format(*header))
        for event in events:
            self.stdout.write(layout.format(*_columns(event)))


def _columns(event: Event) -> list[Any]:
    what = " ".join(event.what.split())
    what = what if len(what) <= WIDEST else what[: WIDEST - 1] + "…"
    values = {**as_dict(event), "what": what, "made_at": event.made_at[:19].replace("T", " ")}
    return list(values.values())
