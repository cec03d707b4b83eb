"""What becomes of a scheduled part of a lease, a loan, a repair or a deposit: as the ledger has it, set by nobody."""

from django.db import models


class InstallmentStatus(models.TextChoices):
    SCHEDULED = "SCHEDULED", "Scheduled"
    POSTED = "POSTED", "Posted"
    PAID = "PAID", "Paid"
    VOIDED = "VOIDED", "Voided"
    CANCELLED = "CANCELLED", "Cancelled"
