"""How each driver is paid, and DTRs that somebody holds back.

Bank details are kept encrypted (`sealed`, see `services.payouts.bank_details`) and shown by their last digits.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from batconnect.common.protection import NEVER_DELETED

from .statements import DTR


class PayoutMethod(models.TextChoices):
    ACH = "ACH", "ACH"
    CHECK = "CHECK", "Check"
    CASH = "CASH", "Cash at the desk"


class PayoutInstruction(models.Model):
    """How a driver wants to be paid, as somebody entered it and somebody else approved it; never edited.

    A driver has at most one in force (ACTIVE, or BLOCKED after the bank refused it) and one waiting. A change is a new
    one, whose approval replaces the former. The account number is in `sealed` alone, bound to this row's id.
    """

    class State(models.TextChoices):
        REQUESTED = "REQUESTED", "Waiting for approval"
        ACTIVE = "ACTIVE", "In force"
        BLOCKED = "BLOCKED", "Blocked"
        REPLACED = "REPLACED", "Replaced"
        REJECTED = "REJECTED", "Rejected"

    class AccountType(models.TextChoices):
        CHECKING = "CHECKING", "Checking"
        SAVINGS = "SAVINGS", "Savings"

    id = models.UUIDField(primary_key=True, editable=False)
    driver = models.ForeignKey(
        "leases.Driver", on_delete=models.PROTECT, related_name="payout_instructions", verbose_name="driver"
    )
    method = models.CharField(max_length=5, choices=PayoutMethod.choices)
    account_type = models.CharField(max_length=8, choices=AccountType.choices, blank=True)
    routing_last4 = models.CharField(max_length=4, blank=True)
    account_last4 = models.CharField(max_length=4, blank=True)
    sealed = models.TextField(blank=True)
    state = models.CharField(max_length=9, choices=State.choices, default=State.REQUESTED)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(db_default=models.functions.Now())
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    decision_note = models.CharField(max_length=500, blank=True)
    blocked_at = models.DateTimeField(null=True)
    blocked_why = models.CharField(max_length=200, blank=True)

    class Meta:
        db_table = "payout_instruction"
        verbose_name = "payment method"
        ordering = ["-requested_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["driver"],
                condition=Q(state__in=["ACTIVE", "BLOCKED"]),
                name="payout_instruction_one_in_force",
            ),
            models.UniqueConstraint(
                fields=["driver"], condition=Q(state="REQUESTED"), name="payout_instruction_one_waiting"
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")),
                name="payout_instruction_decided_by_another",
            ),
            models.CheckConstraint(
                condition=Q(state="REQUESTED", decided_by__isnull=True)
                | (~Q(state="REQUESTED") & Q(decided_by__isnull=False)),
                name="payout_instruction_decided",
            ),
            models.CheckConstraint(
                condition=(Q(method="ACH") & ~Q(sealed="") & ~Q(account_type=""))
                | (~Q(method="ACH") & Q(sealed="", account_type="", routing_last4="", account_last4="")),
                name="payout_instruction_bank_details_of_ach",
            ),
        ]
        permissions = [
            ("request_payoutinstruction", "Can enter how a driver is paid"),
            ("approve_payoutinstruction", "Can approve how a driver is paid"),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"{self.get_method_display()} {self.masked}".rstrip()

    @property
    def masked(self) -> str:
        """`Checking ••••6789`; empty for what is no bank account."""
        if not self.account_last4:
            return ""
        return f"{self.get_account_type_display()} ••••{self.account_last4}"


class PayoutHold(models.Model):
    """A DTR that is not to be paid, since when, by whom and why; until somebody releases it, and says why."""

    class Kind(models.TextChoices):
        HOLD = "HOLD", "On hold"
        DISPUTED = "DISPUTED", "Disputed"

    dtr = models.ForeignKey(DTR, on_delete=models.PROTECT, related_name="holds")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    reason = models.CharField(max_length=500)
    placed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    placed_at = models.DateTimeField(db_default=models.functions.Now())
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    released_at = models.DateTimeField(null=True)
    release_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        db_table = "payout_hold"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["dtr"], condition=Q(released_at__isnull=True), name="payout_hold_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(released_at__isnull=True, released_by__isnull=True, release_reason="")
                | (Q(released_at__isnull=False, released_by__isnull=False) & ~Q(release_reason="")),
                name="payout_hold_released_whole",
            ),
        ]
        permissions = [("hold_payout", "Can hold a DTR's payment back, and release it")]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.reason}"
