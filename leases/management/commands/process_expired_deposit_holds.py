"""`process_expired_deposit_holds`: deposits are applied 30 days after the lease, and the rest is to be refunded."""

import sys
from typing import Any

from batconnect.common.audit import system_user
from batconnect.common.commands import ReportingCommand, today_in_new_york
from leases.services.deposits import process_expired_deposit_holds


class Command(ReportingCommand):
    help = (
        "Release every deposit whose lease ended 30 days ago or more: open credits first, then the deposit pays what "
        "is owed, and the rest is listed to be refunded. Safe to repeat, and to run again after a crash."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if self.failed:
            sys.exit(1)

    def report(self, **options: Any) -> dict[str, Any]:
        holds = process_expired_deposit_holds(
            on=today_in_new_york(), actor=system_user(), progress=None if self.quiet else self.show
        )
        self.failed = holds.failed
        return holds.as_dict()

    def show(self, step: str, done: int, total: int) -> None:
        self.stdout.write(f"  {step}{f': {done:,} of {total:,}' if total else ''}")

    def describe(self, result: dict[str, Any]) -> None:
        self.stdout.write(
            f"{result['released']} deposits released: {result['applied']} applied, {result['to_refund']} to refund, "
            f"{result['cancelled']} never collected and cancelled."
        )
        for one in self.failed:
            self.stderr.write(self.style.ERROR(f"Lease {one.lease} was not released: {one.message}"))
