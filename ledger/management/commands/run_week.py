"""Run a week: post what is due, settle the trips, pay the debts, freeze the DTRs, close the week."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.core.management.base import CommandParser

from batconnect.common.audit import system_user
from batconnect.common.commands import ReportingCommand, iso_date, today_in_new_york, worker_count
from ledger.selectors.week_warnings import week_warnings
from ledger.services import weekly_close


class Command(ReportingCommand):
    help = "Run one week, named by its Sunday, to its end. Safe to repeat, and to run again after a crash."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--week", type=iso_date, required=True, help="the week's Sunday, e.g. 2019-03-03")
        parser.add_argument("--dry-run", action="store_true", help="say what it would give; keep nothing")
        parser.add_argument(
            "--workers",
            type=worker_count,
            metavar="N",
            help="connections to share the work (default: from settings)",
        )

    def report(self, **options: Any) -> dict[str, Any]:
        self.dry_run = options["dry_run"]
        if not self.quiet:
            for warning in week_warnings(options["week"]):
                self.stderr.write(f"  Mind: {warning.sentence}")
        return weekly_close.run_week(
            week=options["week"],
            today=today_in_new_york(),
            actor=system_user(),
            dry_run=self.dry_run,
            progress=None if self.quiet else self.show,
            workers=options["workers"],
        )

    def show(self, step: str, done: int, total: int) -> None:
        self.stdout.write(f"  {step}{f': {done:,} of {total:,}' if total else ''}")

    def describe(self, result: dict[str, Any]) -> None:
        week = date.fromisoformat(result["week"])
        closing = "would close (dry run, nothing was kept)" if self.dry_run else "is closed"
        self.stdout.write(f"The week of {week:%b %d} to {week + timedelta(days=6):%b %d, %Y} {closing}.")
        for label, name in (
            ("Leases", "leases"),
            ("Installments posted", "installments_posted"),
            ("Card earnings", "earnings"),
            ("Taxes", "taxes"),
            ("Put to debts", "allocated"),
            ("Net pay", "net_pay"),
            ("Still owed by drivers", "open_receivables"),
            ("DTRs", "dtrs"),
        ):
            value = result[name]
            self.stdout.write(
                f"  {label:<22} {value if isinstance(value, int) else f'{Decimal(value):,.2f}':>14}"
            )
