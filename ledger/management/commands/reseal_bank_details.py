"""`reseal_bank_details`: once BANK_DETAILS_KEY has a new first key, bring everything under it."""

from typing import Any

from batconnect.common.audit import system_user
from batconnect.common.commands import ReportingCommand
from ledger.services.payouts.bank_details import reseal


class Command(ReportingCommand):
    help = "Encrypt all bank details under the first key of BANK_DETAILS_KEY; the others can be dropped then."

    def report(self, **options: Any) -> dict[str, Any]:
        return {"resealed": reseal(actor=system_user())}

    def describe(self, result: dict[str, Any]) -> None:
        self.stdout.write(f"{result['resealed']} were under another key; all are under the first one now.")
