"""Accounting policy as data: templates say which lines an event gives; finance edits them, versions keep them.

An ACTIVE version is never edited: a change is a new version, approved by somebody other than its author.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from batconnect.common.protection import NEVER_DELETED

from .accounts import JOURNAL_MONEY


class JournalTemplate(models.Model):
    """One version of a template. `effective_from` and `effective_to` count by an entry's accounting date."""

    class Status(models.TextChoices):
        DRAFT = "DRAFT", "Draft"
        ACTIVE = "ACTIVE", "Active"
        RETIRED = "RETIRED", "Retired"

    code = models.CharField(max_length=40)
    version = models.PositiveIntegerField()
    pack = models.CharField(max_length=20, db_default="taxi", default="taxi")
    description = models.CharField(max_length=160)
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.DRAFT)
    effective_from = models.DateField()
    effective_to = models.DateField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "journal_template"
        ordering = ["pack", "code", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["code", "version"], name="journal_template_version_once"),
            models.CheckConstraint(
                condition=Q(effective_to__isnull=True) | Q(effective_to__gte=F("effective_from")),
                name="journal_template_dates_in_order",
            ),
            models.CheckConstraint(
                # The packs that ship are installed by the system and are in force from the start.
                condition=Q(status="DRAFT") | Q(approved_by__isnull=False, approved_at__isnull=False),
                name="journal_template_in_force_is_approved",
            ),
        ]
        permissions = [("approve_journaltemplate", "Can approve and retire journal templates")]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return f"{self.code}/{self.version}"


class JournalTemplateMatch(models.Model):
    """Which events a template is for. Null fields match anything; the more specific rule wins, then priority."""

    template = models.ForeignKey(JournalTemplate, on_delete=models.CASCADE, related_name="matches")
    txn_type = models.CharField(max_length=20)
    product = models.CharField(max_length=40, null=True, blank=True)
    channel = models.CharField(max_length=20, null=True, blank=True)
    min_amount = models.DecimalField(**JOURNAL_MONEY, null=True, blank=True)
    max_amount = models.DecimalField(**JOURNAL_MONEY, null=True, blank=True)
    condition = models.CharField(max_length=500, null=True, blank=True)
    priority = models.IntegerField(default=100)

    class Meta:
        db_table = "journal_template_match"
        ordering = ["id"]
        verbose_name_plural = "journal template matches"

    def __str__(self) -> str:
        return " ".join(filter(None, (self.txn_type, self.product, self.channel)))


class JournalTemplateLine(models.Model):
    """One line an event gives: side, account, fund, and an expression over the event's columns for the amount."""

    class Side(models.TextChoices):
        DR = "DR", "Debit"
        CR = "CR", "Credit"

    template = models.ForeignKey(JournalTemplate, on_delete=models.CASCADE, related_name="lines")
    number = models.PositiveSmallIntegerField()
    side = models.CharField(max_length=2, choices=Side.choices)
    account = models.ForeignKey("ledger.Account", on_delete=models.PROTECT, related_name="+")
    fund = models.CharField(max_length=10, default="OP")
    amount = models.CharField(max_length=500, help_text="For example :amount, or round(:gross * 0.05, 2)")
    condition = models.CharField(max_length=500, null=True, blank=True)
    places = models.PositiveSmallIntegerField(default=2)
    memo = models.CharField(max_length=120, blank=True)

    class Meta:
        db_table = "journal_template_line"
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="journal_template_line_once")
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.side} {self.account_id} {self.amount}"


class JournalTemplateControl(models.Model):
    """What happens when an entry's debits and credits differ: an error, or a line on a balancing account."""

    class Action(models.TextChoices):
        ERROR = "ERROR", "Refuse the event"
        AUTO_ADJUST = "AUTO_ADJUST", "Post the difference to the balancing account"

    template = models.OneToOneField(JournalTemplate, on_delete=models.CASCADE, related_name="control")
    tolerance = models.DecimalField(**JOURNAL_MONEY, default=0)
    action = models.CharField(max_length=11, choices=Action.choices, default=Action.ERROR)
    adjust_account = models.ForeignKey(
        "ledger.Account", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    adjust_fund = models.CharField(max_length=10, default="OP")

    class Meta:
        db_table = "journal_template_control"
        constraints = [
            models.CheckConstraint(
                condition=Q(action="ERROR") | Q(adjust_account__isnull=False),
                name="journal_template_adjusts_somewhere",
            ),
            models.CheckConstraint(condition=Q(tolerance__gte=0), name="journal_template_tolerance"),
        ]

    def __str__(self) -> str:
        return f"{self.action} within {self.tolerance}"


class ProductAccountMap(models.Model):
    """For one product, another account (and fund) in place of the one a template's line names."""

    template_code = models.CharField(max_length=40, null=True, blank=True, help_text="Empty: every template")
    product = models.CharField(max_length=40)
    account = models.ForeignKey("ledger.Account", on_delete=models.PROTECT, related_name="+")
    fund = models.CharField(max_length=10, null=True, blank=True)
    to_account = models.ForeignKey("ledger.Account", on_delete=models.PROTECT, related_name="+")
    to_fund = models.CharField(max_length=10, null=True, blank=True)

    class Meta:
        db_table = "product_account_map"
        ordering = ["product", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["template_code", "product", "account", "fund"],
                nulls_distinct=False,
                name="product_account_map_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.product}: {self.account_id} → {self.to_account_id}"


class TemplatePolicy(models.Model):
    """One row whose number changes with templates, overrides and chart: whoever posts says which state he had read."""

    version = models.BigIntegerField()

    class Meta:
        db_table = "template_policy"

    def __str__(self) -> str:
        return f"policy {self.version}"
