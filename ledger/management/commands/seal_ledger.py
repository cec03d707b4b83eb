"""Seal the ledger: hash what can no longer be added to into the chains that `verify_ledger --seals` recomputes."""

from typing import Any

from django.core.management.base import CommandParser

from batconnect.common.audit import system_user
from batconnect.common.commands import ReportingCommand
from ledger.selectors.seals import heads
from ledger.services import seals


class Command(ReportingCommand):
    help = (
        "Seal all postings, allocations and journal entries that are not sealed yet, and print the heads of the "
        "chains. Keep those elsewhere. Nobody waits for it; safe to repeat, and to run again after a crash."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--wait",
            type=float,
            default=seals.PATIENCE,
            metavar="SECONDS",
            help="how long to wait for whoever is writing now (default: %(default).0f)",
        )

    def report(self, **options: Any) -> dict[str, Any]:
        sealed = seals.seal_ledger(actor=system_user(), patience=options["wait"])
        return {**sealed.as_dict(), "heads": [str(head) for head in heads()]}

    def describe(self, result: dict[str, Any]) -> None:
        if not result["blocks"]:
            self.stdout.write("Nothing new: everything is sealed.")
        for log, blocks in result["blocks"].items():
            self.stdout.write(f"{log}: {blocks} blocks, {result['rows'][log]:,} rows sealed")
        for head in result["heads"]:
            self.stdout.write(head)
