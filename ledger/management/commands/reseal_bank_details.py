"""`reseal_bank_details`: after a new first key in BANK_DETAILS_KEY, bring everything under it; then drop the old key."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from batconnect.common.audit import system_user
from batconnect.common.errors import BatConnectError
from ledger.services.payouts.bank_details import reseal


class Command(BaseCommand):
    help = "Encrypt all bank details under the first key of BANK_DETAILS_KEY."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = reseal(actor=system_user())
        except BatConnectError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{done} were under another key; all are under the first one now.")
