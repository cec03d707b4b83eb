"""Where outside rows come from, and by which rule they are matched."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from batconnect.common.protection import APPEND_ONLY, NEVER_DELETED
from ledger.models import Account, Currency

NAME = r"^[a-z0-9][a-z0-9_.-]{0,39}$"
LIMIT: Any = {"max_digits": 4, "decimal_places": 3, "null": True, "blank": True}


class ReconModel(models.Model):
    """A way to score pairs, frozen: what `recon.matching` calls a model, and what it was learned from. Append-only.

    `version` is made of the content, so equal models are one row.
    """

    class Kind(models.TextChoices):
        DEFAULT = "default", "Default: amount, time and text, weighted"
        LEARNED = "learned", "Learned from rows"

    version = models.CharField(max_length=40, unique=True)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    parameters = models.JSONField()
    facts = models.JSONField(default=dict)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        db_table = "recon_model"
        ordering = ["-id"]
        verbose_name = "matching model"
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return self.version


class ReconSource(models.Model):
    """One stream of outside rows: how it is read, which ledger accounts it stands beside, and how it is matched.

    mapping: what its adapter needs (see `recon.sources`): columns, formats, address of an API.
    reversed_sign: money that the outside writes as + is a credit of the accounts (a card settlement is + outside, and
    lowers what is still to come).
    reaches_back: days before a job's date from which ledger lines are looked at; older ones stay in view while they
    have no partner.
    model: null is the default model. The four windows and three limits replace the model's own where they are set:
    seconds from the ledger's row to the outside one, the difference of amounts as a share, scores from 0 to 1.
    write_off_limit: the most one write-off may come to, in the source's currency; 0 allows none.
    schedule_hour: New York hour at which the day before is reconciled; null is never.
    """

    name = models.CharField(max_length=40, unique=True, validators=[RegexValidator(NAME)])
    title = models.CharField(max_length=80, blank=True)
    adapter = models.CharField(max_length=20)
    mapping = models.JSONField(default=dict, blank=True)
    file_pattern = models.CharField(max_length=200, blank=True)
    currency = models.ForeignKey(Currency, on_delete=models.PROTECT, related_name="+", default="USD")
    accounts = models.ManyToManyField(Account, related_name="recon_sources")
    reversed_sign = models.BooleanField(default=False)
    reaches_back = models.PositiveSmallIntegerField(default=45)
    model = models.ForeignKey(
        ReconModel, on_delete=models.PROTECT, null=True, blank=True, related_name="sources"
    )
    earliest_seconds = models.IntegerField(null=True, blank=True)
    latest_seconds = models.IntegerField(null=True, blank=True)
    amount_share = models.DecimalField(max_digits=6, decimal_places=4, null=True, blank=True)
    match_from = models.DecimalField(**LIMIT)
    suggest_from = models.DecimalField(**LIMIT)
    margin = models.DecimalField(**LIMIT)
    difference_account = models.ForeignKey(
        Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    write_off_limit = models.DecimalField(max_digits=14, decimal_places=2, default=Decimal("0.00"))
    schedule_hour = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(23)]
    )
    alert_unmatched = models.PositiveIntegerField(null=True, blank=True)
    alert_variance = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    alert_days_old = models.PositiveSmallIntegerField(null=True, blank=True)
    alert_emails = models.CharField(max_length=500, blank=True)
    alert_webhook = models.URLField(blank=True)
    active = models.BooleanField(default=True)
    history = HistoricalRecords(m2m_fields=[accounts])

    class Meta:
        db_table = "recon_source"
        ordering = ["name"]
        verbose_name = "source"
        constraints = [
            models.CheckConstraint(condition=Q(name__regex=NAME), name="recon_source_name"),
            models.CheckConstraint(
                condition=Q(write_off_limit__gte=0), name="recon_source_write_off_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(schedule_hour__isnull=True) | Q(schedule_hour__lte=23), name="recon_source_hour"
            ),
            models.CheckConstraint(
                condition=Q(earliest_seconds__isnull=True)
                | Q(latest_seconds__isnull=True)
                | Q(earliest_seconds__lte=F("latest_seconds")),
                name="recon_source_window",
            ),
            models.CheckConstraint(
                condition=Q(suggest_from__isnull=True)
                | Q(match_from__isnull=True)
                | Q(suggest_from__gt=0, suggest_from__lte=F("match_from"), match_from__lte=1),
                name="recon_source_limits",
            ),
        ]
        permissions = [
            ("run_recon", "Can run reconciliations"),
            ("decide_exception", "Can accept, reject, match by hand, undo and comment"),
            ("write_off", "Can write off reconciliation differences"),
        ]
        triggers = NEVER_DELETED

    def __str__(self) -> str:
        return self.title or self.name
