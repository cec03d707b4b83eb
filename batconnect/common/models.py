"""People, the audit trail, idempotency keys and the counters behind printed numbers.

`User` is staff. Everything automatic acts as the user named by `SYSTEM_USERNAME`.
"""

from django.contrib.auth.models import AbstractUser
from django.db import models

from .protection import APPEND_ONLY

SYSTEM_USERNAME = "system"


class User(AbstractUser):
    """A member of staff; never deleted, only deactivated, because postings name their maker."""

    class Meta(AbstractUser.Meta):
        db_table = "common_user"


class AuditEntry(models.Model):
    """Who did what to what, written in the transaction of its effect; append-only.

    `subject` is `"<kind>:<id>"`, e.g. `"posting:0190…"`; `before` and `after` hold what changed.
    """

    at = models.DateTimeField(db_default=models.functions.Now())
    actor = models.ForeignKey(User, on_delete=models.PROTECT, db_constraint=False, related_name="+")
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=120)
    case_no = models.CharField(max_length=20, blank=True, db_default="")
    automatic = models.BooleanField(db_default=False)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        db_table = "audit_entry"
        verbose_name_plural = "audit entries"
        ordering = ["-id"]
        indexes = [models.Index(fields=["subject"], name="audit_subject_idx")]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"


class IdempotencyKey(models.Model):
    """One accepted request and the answer it was given, so that a repeat gets the same answer.

    The row is inserted in the transaction of the effect: two copies of a request that arrive at once
    queue on the unique key, and the second finds the first one's answer.
    """

    scope = models.CharField(max_length=160)
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    response_status = models.PositiveSmallIntegerField(null=True)
    response = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "idempotency_key"
        constraints = [
            models.UniqueConstraint(fields=["scope", "key"], name="idempotency_key_once_per_scope"),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.key}"


class NumberCounter(models.Model):
    """The last number given out for one prefix and year, e.g. `DTR` 2019."""

    prefix = models.CharField(max_length=12)
    year = models.PositiveSmallIntegerField()
    last_value = models.PositiveBigIntegerField(default=0)

    class Meta:
        db_table = "number_counter"
        constraints = [models.UniqueConstraint(fields=["prefix", "year"], name="number_counter_per_year")]

    def __str__(self) -> str:
        return f"{self.prefix}-{self.year}-{self.last_value:05}"
