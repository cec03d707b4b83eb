"""Repair invoices. On a dov lease the driver repays them by the week; otherwise the fleet pays and nothing posts."""

from django.db import models

from batconnect.common.protection import APPEND_ONLY
from repayments.models import Repayment


class RepairInvoice(Repayment):
    """What was repaired, by whom, on which vehicle; how it is repaid is the `Repayment` it extends.

    `starts_on` is the invoice's date. The facts of an invoice never change.
    """

    vendor = models.CharField(max_length=120)
    invoice_number = models.CharField("vendor's invoice", max_length=60)
    vehicle = models.ForeignKey("leases.Vehicle", on_delete=models.PROTECT, related_name="repairs")
    description = models.CharField(max_length=500)

    class Meta:
        db_table = "repair_invoice"
        ordering = ["-number"]
        permissions = [
            ("export_repairinvoice", "Can export repair invoices"),
            ("cancel_repairinvoice", "Can cancel a repair invoice"),
        ]
        triggers = APPEND_ONLY

    @property
    def charged_to_driver(self) -> bool:
        return self.billed > 0
