"""Cases: a piece of work that people do in steps, and everything that happened to it.

A case is one row that changes while it is open; what happened is told by its events, which never change. What a
step does (a charge, a void, a payment) is the business of the app whose flow it is.
"""

from typing import Any

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now

from batconnect.common.protection import APPEND_ONLY, NEVER_DELETED


def _person(**more: Any) -> models.ForeignKey:
    return models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", **more)


class Case(models.Model):
    """One piece of work: which flow, which step it is at, who does it, until when, and what came of it.

    `data` is what was entered for the step it is at, kept when the step fails; `result` is what the steps made.
    `subject` names that for people and `subject_ref` is its `"<kind>:<id>"`. `requested_by` is who asked for what
    `approved_by` then approved; they are never the same person.
    """

    class Status(models.TextChoices):
        OPEN = "OPEN", "Open"
        CLOSED = "CLOSED", "Closed"
        CANCELLED = "CANCELLED", "Cancelled"

    case_no = models.CharField("case", max_length=20, unique=True)
    flow = models.CharField(max_length=12)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.OPEN)
    step = models.CharField(max_length=20)
    subject = models.CharField(max_length=200, blank=True)
    subject_ref = models.CharField(max_length=120, blank=True)
    data = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    error_code = models.CharField(max_length=80, blank=True)
    error = models.CharField(max_length=1000, blank=True)
    opened_by = _person()
    opened_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField()
    assigned_to = _person(null=True)
    requested_by = _person(null=True)
    approved_by = _person(null=True)
    closed_by = _person(null=True)
    closed_at = models.DateTimeField(null=True)
    reason = models.CharField("why it was cancelled", max_length=500, blank=True)

    class Meta:
        db_table = "bpm_case"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(case_no__regex=r"^[A-Z]{2,12}[0-9]{6,10}$"), name="bpm_case_number"
            ),
            models.CheckConstraint(
                condition=Q(status="OPEN", closed_at__isnull=True, closed_by__isnull=True)
                | Q(status__in=["CLOSED", "CANCELLED"], closed_at__isnull=False, closed_by__isnull=False),
                name="bpm_case_closed_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(status="CANCELLED") | ~Q(reason=""), name="bpm_case_cancelled_for_a_reason"
            ),
            models.CheckConstraint(condition=Q(due_at__gt=F("opened_at")), name="bpm_case_due_after_opened"),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True)
                | (
                    Q(requested_by__isnull=False)
                    & ~Q(approved_by=F("requested_by"))
                    & ~Q(approved_by=F("opened_by"))
                ),
                name="bpm_case_approved_by_another",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(status="OPEN"), name="bpm_case_open_idx"),
            models.Index(fields=["flow", "-id"], name="bpm_case_flow_idx"),
            models.Index(fields=["subject_ref"], condition=~Q(subject_ref=""), name="bpm_case_subject_idx"),
        ]
        triggers = [
            *NEVER_DELETED,
            pgtrigger.Protect(
                name="closed_stands", operation=pgtrigger.Update, condition=~pgtrigger.Q(old__status="OPEN")
            ),
            pgtrigger.Protect(
                name="origin_stands",
                operation=pgtrigger.Update,
                condition=(
                    pgtrigger.Q(old__case_no__df=pgtrigger.F("new__case_no"))
                    | pgtrigger.Q(old__flow__df=pgtrigger.F("new__flow"))
                    | pgtrigger.Q(old__opened_by__df=pgtrigger.F("new__opened_by"))
                    | pgtrigger.Q(old__opened_at__df=pgtrigger.F("new__opened_at"))
                ),
            ),
        ]
        permissions = [
            ("process_case", "Can open cases and carry out their steps"),
            ("approve_case", "Can approve what somebody else asked for in a case"),
            ("assign_case", "Can assign, reassign and cancel anybody's cases"),
            ("view_all_cases", "Can see every case, of whichever flow"),
        ]

    def __str__(self) -> str:
        return self.case_no


class CaseEvent(models.Model):
    """What happened to a case: by whom, in which role, at which step; written in its effect's transaction."""

    class Action(models.TextChoices):
        OPENED = "opened", "Opened"
        PROCESSED = "processed", "Step carried out"
        FAILED = "failed", "Step failed"
        ASSIGNED = "assigned", "Assigned"
        COMMENTED = "commented", "Comment"
        ATTACHED = "attached", "Document attached"
        CANCELLED = "cancelled", "Cancelled"

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="events")
    at = models.DateTimeField(db_default=Func(function="clock_timestamp"))
    actor = _person()
    role = models.CharField(max_length=160)
    step = models.CharField(max_length=20)
    action = models.CharField(max_length=12, choices=Action.choices)
    automatic = models.BooleanField(default=False)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        db_table = "bpm_case_event"
        ordering = ["id"]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.case_id} {self.action}"


class CaseComment(models.Model):
    """What somebody wrote beside a case."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="comments")
    author = _person()
    text = models.CharField(max_length=2000)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "bpm_case_comment"
        ordering = ["id"]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.author}: {self.text[:40]}"


def _file_path(document: "CaseDocument", name: str) -> str:
    return f"cases/{document.case.case_no}/{name}"


class CaseDocument(models.Model):
    """A paper put to a case. The file is kept below MEDIA_ROOT, which is not served; only our views hand it out."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="documents")
    name = models.CharField(max_length=120)
    file = models.FileField(upload_to=_file_path, max_length=200)
    content_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    uploaded_by = _person()
    uploaded_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "bpm_case_document"
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(size__gt=0), name="bpm_case_document_not_empty"),
            models.UniqueConstraint(fields=["case", "sha256"], name="bpm_case_document_once"),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return self.name
