"""Paying DTRs: batches of ACH transfers, checks, and what came back from the bank.

Every try to pay a DTR is a `PayoutItem`; a DTR has at most one that is pending or paid, whichever way it is paid, and
the database holds that. Their states follow the DTR's payments; nobody sets them.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from batconnect.common.protection import APPEND_ONLY, NEVER_DELETED

from .driver_ledger import MONEY
from .payout_methods import PayoutInstruction, PayoutMethod
from .statements import DTR

_USER = settings.AUTH_USER_MODEL


class PayoutBatch(models.Model):
    """Transfers that go to the bank in one file, `YYMM-NNN`. `payments` and `total` are the database's, at approval.

    What the file is made of is kept with its first making, so that it is byte for byte the same again; the file is not
    kept, because it has account numbers in it.
    """

    class State(models.TextChoices):
        DRAFT = "DRAFT", "Draft"
        APPROVED = "APPROVED", "Approved"
        FILED = "FILED", "File made"
        SENT = "SENT", "Sent"
        SETTLED = "SETTLED", "Settled"
        REVERSED = "REVERSED", "Reversed"

    number = models.CharField(max_length=10, unique=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.DRAFT)
    created_by = models.ForeignKey(_USER, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=models.functions.Now())
    approved_by = models.ForeignKey(_USER, on_delete=models.PROTECT, null=True, related_name="+")
    approved_at = models.DateTimeField(null=True)
    payments = models.PositiveIntegerField(null=True)
    total = models.DecimalField(**MONEY, null=True)
    file_made_at = models.DateTimeField(null=True)
    file_modifier = models.CharField(max_length=1, blank=True)
    file_on = models.DateField(null=True)
    file_sha256 = models.CharField(max_length=64, blank=True)
    effective_on = models.DateField(null=True)
    originator = models.JSONField(null=True)
    sent_on = models.DateField(null=True)
    settled_on = models.DateField(null=True)
    reversed_by = models.ForeignKey(_USER, on_delete=models.PROTECT, null=True, related_name="+")
    reversed_at = models.DateTimeField(null=True)
    reverse_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        db_table = "payout_batch"
        verbose_name_plural = "payout batches"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(number__regex=r"^[0-9]{4}-[0-9]{3,}$"), name="payout_batch_number"
            ),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("created_by")),
                name="payout_batch_approved_by_another",
            ),
            models.UniqueConstraint(
                fields=["file_on", "file_modifier"],
                condition=Q(file_on__isnull=False),
                name="payout_batch_file_once_a_day",
            ),
        ]
        permissions = [
            ("prepare_payoutbatch", "Can prepare and reverse ACH batches"),
            ("approve_payoutbatch", "Can approve ACH batches"),
            ("download_payoutbatch", "Can make and download ACH files, which show account numbers"),
            ("send_payoutbatch", "Can record ACH batches as sent and settled"),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return self.number


class PayoutItem(models.Model):
    """One try to pay a DTR's net pay by ACH or check, to the details it names."""

    class State(models.TextChoices):
        PENDING = "PENDING", "Pending"
        PAID = "PAID", "Paid"
        RETURNED = "RETURNED", "Came back"
        WITHDRAWN = "WITHDRAWN", "Withdrawn"

    dtr = models.ForeignKey(DTR, on_delete=models.PROTECT, related_name="payout_items")
    method = models.CharField(max_length=5, choices=PayoutMethod.choices)
    amount = models.DecimalField(**MONEY)
    state = models.CharField(max_length=9, choices=State.choices, default=State.PENDING)
    batch = models.ForeignKey(PayoutBatch, on_delete=models.PROTECT, null=True, related_name="items")
    instruction = models.ForeignKey(
        PayoutInstruction, on_delete=models.PROTECT, null=True, related_name="items"
    )
    payee = models.CharField(max_length=120)
    trace_number = models.CharField(
        max_length=15, null=True, unique=True
    )  # the bank's name for it, once filed
    trace_sequence = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(db_default=models.functions.Now())
    withdrawn_by = models.ForeignKey(_USER, on_delete=models.PROTECT, null=True, related_name="+")
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        db_table = "payout_item"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["dtr"], condition=Q(state__in=["PENDING", "PAID"]), name="payout_item_one_alive"
            ),
            models.CheckConstraint(
                condition=Q(
                    method="ACH", batch__isnull=False, instruction__isnull=False, trace_sequence__isnull=False
                )
                | Q(method="CHECK", batch__isnull=True, trace_sequence__isnull=True),
                name="payout_item_of_a_batch_or_a_check",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payout_item_positive"),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"{self.dtr_id} {self.method} {self.amount}"


class Checkbook(models.Model):
    """A run of check numbers. The database gives the next one out, so that none is left out and none used twice."""

    first_number = models.PositiveIntegerField()
    last_number = models.PositiveIntegerField(
        help_text="The last one issued; one below the first before any is."
    )
    is_current = models.BooleanField(default=True)
    opened_by = models.ForeignKey(_USER, on_delete=models.PROTECT, null=True, related_name="+")
    opened_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        db_table = "payout_checkbook"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_current"], condition=Q(is_current=True), name="payout_checkbook_one_current"
            ),
            models.CheckConstraint(
                condition=Q(last_number__gte=F("first_number") - 1), name="payout_checkbook_in_order"
            ),
        ]
        permissions = [("open_checkbook", "Can start a new run of check numbers")]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"checks from {self.first_number}"


class PayoutCheck(models.Model):
    """A check for one DTR's net pay. Its number is given by the database; VOIDED follows the returned payment."""

    class State(models.TextChoices):
        ISSUED = "ISSUED", "Issued"
        CLEARED = "CLEARED", "Cleared"
        VOIDED = "VOIDED", "Void"

    checkbook = models.ForeignKey(Checkbook, on_delete=models.PROTECT, related_name="checks")
    number = models.PositiveIntegerField(unique=True)
    item = models.OneToOneField(PayoutItem, on_delete=models.PROTECT, related_name="check_paper")
    payee = models.CharField(max_length=120)
    amount = models.DecimalField(**MONEY)
    issued_on = models.DateField()
    state = models.CharField(max_length=7, choices=State.choices, default=State.ISSUED)
    reissue_of = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="reissued_as")
    created_by = models.ForeignKey(_USER, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=models.functions.Now())
    cleared_on = models.DateField(null=True)
    voided_on = models.DateField(null=True)
    void_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        db_table = "payout_check"
        verbose_name = "check"
        ordering = ["-number"]
        indexes = [models.Index(fields=["state", "issued_on"], name="payout_check_state_idx")]
        permissions = [
            ("issue_payoutcheck", "Can issue, print and clear checks"),
            ("void_payoutcheck", "Can void and reissue checks"),
            ("pay_cash", "Can pay a driver in cash from the drawer"),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return str(self.number)


class ReturnFile(models.Model):
    """A file of returns the bank sent, by its hash: the same file is taken in once."""

    file_name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64, unique=True)
    entries = models.PositiveIntegerField()
    created_by = models.ForeignKey(_USER, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        db_table = "payout_return_file"
        ordering = ["-id"]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return self.file_name


class PayoutReturn(models.Model):
    """One line the bank sent back: a transfer that was returned, or a notification of change.

    Whatever could not be applied by itself is OPEN, with the `problem`, until a person applies it or says what he did
    about it. `sealed` has a notification's corrected details, encrypted.
    """

    class Kind(models.TextChoices):
        RETURN = "RETURN", "Return"
        CHANGE = "CHANGE", "Notification of change"

    class State(models.TextChoices):
        OPEN = "OPEN", "For a person"
        APPLIED = "APPLIED", "Applied"
        HANDLED = "HANDLED", "Handled"

    key = models.UUIDField(unique=True, editable=False)  # what `sealed` is bound to
    file = models.ForeignKey(ReturnFile, on_delete=models.PROTECT, null=True, related_name="returns")
    line_number = models.PositiveIntegerField(null=True)
    kind = models.CharField(max_length=6, choices=Kind.choices)
    code = models.CharField(max_length=3)
    trace_number = models.CharField(max_length=15, blank=True)
    amount = models.DecimalField(**MONEY)
    item = models.ForeignKey(PayoutItem, on_delete=models.PROTECT, null=True, related_name="returns")
    state = models.CharField(max_length=7, choices=State.choices)
    problem = models.CharField(max_length=300, blank=True)
    sealed = models.TextField(blank=True)
    blocked = models.BooleanField(
        default=False, help_text="Whether the driver's bank details were blocked by it."
    )
    created_by = models.ForeignKey(_USER, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=models.functions.Now())
    handled_by = models.ForeignKey(_USER, on_delete=models.PROTECT, null=True, related_name="+")
    handled_at = models.DateTimeField(null=True)
    handled_note = models.CharField(max_length=500, blank=True)

    class Meta:
        db_table = "payout_return"
        verbose_name = "bank return"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["file", "line_number"], name="payout_return_line_once"),
            models.UniqueConstraint(
                fields=["item"],
                condition=Q(kind="RETURN", state="APPLIED"),
                name="payout_return_applied_once",
            ),
            models.CheckConstraint(condition=Q(code__regex=r"^[RC][0-9]{2}$"), name="payout_return_code"),
            models.CheckConstraint(
                condition=~Q(state="APPLIED") | Q(item__isnull=False), name="payout_return_applied_to_item"
            ),
        ]
        permissions = [("record_payoutreturn", "Can record and handle what the bank returned")]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"{self.code} {self.trace_number}"
