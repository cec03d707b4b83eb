"""Tolls and tickets: what agencies want for the fleet's vehicles, and what was decided about each.

    AgencyFile ──▶ AgencyItem (one toll or ticket, as it came) ──▶ AgencyDecision, AgencyDecision, …

An item never changes. What stands about it is its last decision; every earlier one stays, with score and reasons, and
who decided. `state` and `decision` of an item follow its decisions by trigger. What became of the money is asked of
the ledger (`objects.with_money()`).
"""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Case, F, Func, OuterRef, Q, Subquery, Value, When

from batconnect.common.protection import APPEND_ONLY, NEVER_DELETED
from ledger.models import DriverAccount, LedgerBalance, LedgerPosting

MONEY: Any = {"max_digits": 14, "decimal_places": 2}


class AgencyKind(models.TextChoices):
    """Whose number it is; also the category a driver is charged under, and the product of a fleet cost."""

    EZPASS = "EZPASS", "E-ZPass"
    PVB = "PVB", "Parking violation"
    TLC = "TLC", "TLC summons"


TICKETS = (AgencyKind.PVB, AgencyKind.TLC)


class State(models.TextChoices):
    """What stands about an item."""

    POSTED = "POSTED", "Posted"
    REVIEW = "REVIEW", "To review"
    UNASSIGNED = "UNASSIGNED", "Unassigned"
    CREDIT = "CREDIT", "Credit to review"
    DISPUTED = "DISPUTED", "Disputed"
    FLEET_COST = "FLEET_COST", "Fleet cost"
    CREDITED = "CREDITED", "Credited"
    DISMISSED = "DISMISSED", "Dismissed"
    IGNORED = "IGNORED", "Ignored"
    REVISED = "REVISED", "Revised"


# What may be asked for of an item, over HTTP and on the screens.
ASKED = [
    ("accept", "Accept"),
    ("assign", "Assign"),
    ("reassign", "Reassign"),
    ("reduce", "Reduce"),
    ("dispute", "Dispute"),
    ("dismiss", "Dismiss"),
    ("fleet-cost", "Fleet cost"),
    ("credit", "Credit to a toll"),
    ("undo", "Take back"),
    ("revision", "Accept a revision"),
]
WAITING = (State.REVIEW, State.UNASSIGNED, State.CREDIT)


class AgencyFile(models.Model):
    """One file that was loaded. Rows are new, came before with the same figures, or could not be read."""

    kind = models.CharField(max_length=6, choices=AgencyKind.choices)
    file_name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    rows = models.PositiveIntegerField()
    new = models.PositiveIntegerField()
    repeated = models.PositiveIntegerField()
    rejected = models.PositiveIntegerField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        db_table = "agency_file"
        ordering = ["-id"]
        verbose_name = "toll or ticket file"
        constraints = [
            models.CheckConstraint(
                condition=Q(rows=F("new") + F("repeated") + F("rejected")), name="agency_file_adds_up"
            )
        ]
        permissions = [("import_agencyfile", "Can import tolls and tickets")]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.file_name} ({self.rows} rows)"


class AgencyReject(models.Model):
    """A row of a file that could not be read: where, why, and as it came."""

    file = models.ForeignKey(AgencyFile, on_delete=models.PROTECT, related_name="rejects")
    row_number = models.PositiveIntegerField()
    column = models.CharField(max_length=40, db_column="column_name")
    message = models.CharField(max_length=300)
    raw = models.JSONField()

    class Meta:
        db_table = "agency_reject"
        ordering = ["id"]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"row {self.row_number}, {self.column}: {self.message}"


class MoneyState(models.TextChoices):
    """Follows the ledger; nobody sets it."""

    NONE = "NONE", "Nothing posted"
    OPEN = "OPEN", "Open"
    PAID = "PAID", "Paid"
    VOIDED = "VOIDED", "Voided"


class AgencyItemQuerySet(models.QuerySet["AgencyItem"]):
    def with_money(self) -> "AgencyItemQuerySet":
        """Adds, as the ledger has it now: `posting_now`, `charged`, `open_amount` and `money` (a MoneyState)."""
        items = LedgerBalance.objects.filter(posting_id=OuterRef("posting_now"))
        postings = LedgerPosting.objects.filter(pk=OuterRef("posting_now"))
        return self.annotate(
            posting_now=Func(
                F("decision__posting_id"),
                function="misc_expense_current_posting",
                output_field=models.UUIDField(null=True),
            ),
            open_amount=Subquery(items.values("balance")[:1]),
            charged=Subquery(postings.values("amount")[:1]),
            posting_status=Subquery(postings.values("status")[:1]),
        ).annotate(
            money=Case(
                When(posting_status=LedgerPosting.Status.VOIDED, then=Value(MoneyState.VOIDED)),
                When(open_amount=0, then=Value(MoneyState.PAID)),
                When(open_amount__gt=0, then=Value(MoneyState.OPEN)),
                default=Value(MoneyState.NONE),
                output_field=models.CharField(choices=MoneyState.choices),
            )
        )


class AgencyItem(models.Model):
    """One toll or ticket as it came, under its agency's number.

    amount: what it comes to before anybody paid (a credit is negative); paid: what somebody has paid already; due:
    what the agency still wants. `version` counts the figures under one number: a later one is a revision. An item
    that a clerk entered has no file, and the case it was entered in.
    """

    class Nature(models.TextChoices):
        TOLL = "TOLL", "Toll"
        CREDIT = "CREDIT", "Credit"
        TAG_FEE = "TAG_FEE", "Tag fee"
        PAYMENT = "PAYMENT", "Payment to the agency"
        TICKET = "TICKET", "Ticket"

    file = models.ForeignKey(AgencyFile, on_delete=models.PROTECT, null=True, related_name="items")
    row_number = models.PositiveIntegerField(null=True)
    kind = models.CharField(max_length=6, choices=AgencyKind.choices)
    nature = models.CharField(max_length=8, choices=Nature.choices)
    number = models.CharField(max_length=40)
    version = models.PositiveSmallIntegerField(default=1)
    figures_hash = models.CharField(max_length=64)
    plate = models.CharField(max_length=12, blank=True)
    plate_state = models.CharField(max_length=2, blank=True)
    tag = models.CharField(max_length=30, blank=True)
    occurred_at = models.DateTimeField(null=True)
    event_on = models.DateField()
    place = models.CharField(max_length=80, blank=True)
    description = models.CharField(max_length=80, blank=True)
    amount = models.DecimalField(**MONEY)
    paid = models.DecimalField(**MONEY)
    due = models.DecimalField(**MONEY)
    raw = models.JSONField()
    case_no = models.CharField("case", max_length=20, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=models.functions.Now())
    # What follows the decisions, by trigger.
    state = models.CharField(max_length=10, choices=State.choices, null=True, editable=False)
    score = models.PositiveSmallIntegerField(null=True, editable=False)
    decision = models.OneToOneField(
        "AgencyDecision", on_delete=models.PROTECT, null=True, editable=False, related_name="stands_for"
    )
    objects = AgencyItemQuerySet.as_manager()

    class Meta:
        db_table = "agency_item"
        ordering = ["-event_on", "-id"]
        verbose_name = "toll or ticket"
        verbose_name_plural = "tolls and tickets"
        constraints = [
            models.UniqueConstraint(fields=["kind", "number", "version"], name="agency_item_once"),
            models.UniqueConstraint(
                fields=["kind", "number"],
                condition=Q(state__in=["POSTED", "FLEET_COST"]),
                name="agency_item_charged_once",
            ),
            models.CheckConstraint(condition=Q(due=F("amount") - F("paid")), name="agency_item_adds_up"),
            models.CheckConstraint(
                condition=Q(file__isnull=False, row_number__isnull=False, case_no="")
                | Q(file__isnull=True, row_number__isnull=True) & ~Q(case_no=""),
                name="agency_item_from_file_or_case",
            ),
            models.CheckConstraint(condition=~Q(number=""), name="agency_item_has_number"),
        ]
        indexes = [
            models.Index(fields=["state", "-event_on"], name="agency_item_state_idx"),
            models.Index(fields=["plate"], name="agency_item_plate_idx"),
        ]
        permissions = [("decide_agencyitem", "Can decide on tolls and tickets")]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.number}"


class Payer(models.TextChoices):
    """Who paid what was paid of a ticket already."""

    UNKNOWN = "UNKNOWN", "Not known"
    FLEET = "FLEET", "The fleet"
    DRIVER = "DRIVER", "The driver, or somebody else"


class AgencyDecision(models.Model):
    """What was decided about an item, when and by whom; append-only, and the last one stands.

    score: hundredths, of the attribution it rests on. candidates: the trips that were looked at, the best first, each
    with the parts of its score. `suggested` is the account of the best one. POSTED names its posting (and that of the
    service fee, where one is charged), FLEET_COST its journal entry. Where a credit was given, its decision and that of
    the toll it went to name each other's item as `counterpart`; where none is named, the reasons alone say it.
    """

    class Action(models.TextChoices):
        ATTRIBUTED = "ATTRIBUTED", "Attributed"
        LOOKED = "LOOKED", "Looked at"
        ACCEPTED = "ACCEPTED", "Suggestion accepted"
        ASSIGNED = "ASSIGNED", "Assigned by hand"
        REASSIGNED = "REASSIGNED", "Reassigned"
        REDUCED = "REDUCED", "Reduced"
        REVISED = "REVISED", "Revision accepted"
        REPLACED = "REPLACED", "Replaced by a revision"
        DISPUTED = "DISPUTED", "Disputed"
        DISMISSED = "DISMISSED", "Dismissed"
        FLEET_COST = "FLEET_COST", "Taken as fleet cost"
        CREDITED = "CREDITED", "Credit given"
        UNDONE = "UNDONE", "Taken back"

    item = models.ForeignKey(AgencyItem, on_delete=models.PROTECT, related_name="decisions")
    place = models.PositiveIntegerField()
    action = models.CharField(max_length=10, choices=Action.choices)
    state = models.CharField(max_length=10, choices=State.choices)
    vehicle = models.ForeignKey("leases.Vehicle", on_delete=models.PROTECT, null=True, related_name="+")
    lease_then = models.ForeignKey("leases.Lease", on_delete=models.PROTECT, null=True, related_name="+")
    trip_id = models.BigIntegerField(null=True)
    suggested = models.ForeignKey(DriverAccount, on_delete=models.PROTECT, null=True, related_name="+")
    score = models.PositiveSmallIntegerField(null=True)
    candidates = models.JSONField(default=list)
    reasons = models.CharField(max_length=500)
    payer = models.CharField(max_length=7, choices=Payer.choices, default=Payer.UNKNOWN)
    account = models.ForeignKey(DriverAccount, on_delete=models.PROTECT, null=True, related_name="+")
    amount = models.DecimalField(**MONEY, null=True)
    posting = models.OneToOneField(
        LedgerPosting, on_delete=models.PROTECT, null=True, related_name="agency_decision"
    )
    fee_posting = models.ForeignKey(LedgerPosting, on_delete=models.PROTECT, null=True, related_name="+")
    entry_id = models.BigIntegerField(null=True)
    entry_date = models.DateField(null=True)
    counterpart = models.ForeignKey(
        AgencyItem, on_delete=models.PROTECT, null=True, editable=False, related_name="counterparts"
    )
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        db_table = "agency_decision"
        ordering = ["item_id", "place"]
        verbose_name = "decision"
        constraints = [
            models.UniqueConstraint(fields=["item", "place"], name="agency_decision_in_turn"),
            models.CheckConstraint(
                condition=Q(
                    state="POSTED",
                    posting__isnull=False,
                    account__isnull=False,
                    amount__gt=0,
                    entry_id__isnull=True,
                )
                | Q(
                    state="FLEET_COST",
                    posting__isnull=True,
                    fee_posting__isnull=True,
                    entry_id__isnull=False,
                    entry_date__isnull=False,
                    amount__isnull=False,
                )
                | ~Q(state__in=["POSTED", "FLEET_COST"])
                & Q(posting__isnull=True, fee_posting__isnull=True, entry_id__isnull=True),
                name="agency_decision_names_its_money",
            ),
            models.CheckConstraint(condition=~Q(reasons=""), name="agency_decision_says_why"),
            models.CheckConstraint(
                condition=Q(score__isnull=True) | Q(score__lte=100), name="agency_decision_score"
            ),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.item_id}/{self.place}"
