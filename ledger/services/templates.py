"""Journal templates, from draft to force: finance writes a version, somebody else approves it from a day on.

A day has one version of a template: one that replaces another begins tomorrow at the earliest, and nothing is ever
dated ahead, so an entry's template was in force on the entry's date. Where the new version has no end, it ends the
one before; where it has one, it lies over the one before, which goes on afterwards.
"""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from batconnect.common import audit, locks
from batconnect.common.models import SYSTEM_USERNAME, AuditEntry, User
from batconnect.common.transactions import money_transaction
from ledger.engine.engine import TemplateError
from ledger.engine.templates import JournalTemplate, TemplateControl, TemplateProblem

from ..models import JournalTemplate as StoredTemplate
from .accounting_policy import as_template
from .errors import LedgerError, translated
from .template_checks import columns_of, problems_of
from .template_drafts import LATEST, next_version, store, summary

DRAFT, ACTIVE, RETIRED = (
    StoredTemplate.Status.DRAFT,
    StoredTemplate.Status.ACTIVE,
    StoredTemplate.Status.RETIRED,
)
CREATED, SAVED = "template.created", "template.saved"
NO_CONTROL = TemplateControl(Decimal(0), "ERROR", adjust_account=None, adjust_fund="OP")
ONE_DAY = timedelta(days=1)


class UnknownTemplate(LedgerError):
    code, status = "template.unknown", 404
    message = "There is no such journal template."


class TemplateExists(LedgerError):
    code, status = "template.exists", 409
    message = "There is a template {code} already; make a new version of that."


class DraftExists(LedgerError):
    code, status = "template.draft_exists", 409
    message = "{template} is a draft already; change that one."


class NotADraft(LedgerError):
    code, status = "template.not_a_draft", 409
    message = "{template} is {status}, and what was in force stands. Make a new version of it."


class OwnTemplate(LedgerError):
    code, status = "template.own", 403
    message = "You wrote {template}, or part of it; somebody else has to decide on it."


class BeginsTooEarly(LedgerError):
    code, status = "template.begins_too_early", 400
    message = "{template} cannot begin on {date}: {reason}. Choose {earliest} or later."


class TooFarAhead(LedgerError):
    code, status = "template.too_far_ahead", 400
    message = "{date} is too far ahead; choose {latest} or earlier."


class NewerInForce(LedgerError):
    code, status = "template.newer_in_force", 409
    message = "{newer} was approved meanwhile, and it would win over {template}. Make a new version of that."


class NotInForce(LedgerError):
    code, status = "template.not_in_force", 409
    message = "{template} is {status}; only a version that is in force is retired."


class NotBegun(LedgerError):
    code, status = "template.not_begun", 409
    message = "{template} begins on {date} and was never in force. Approve a new version that begins no later instead."


class RetiredTooEarly(LedgerError):
    code, status = "template.retired_too_early", 400
    message = "{template} may have been used today; its last day is {earliest} or later."


class EndsBefore(LedgerError):
    code, status = "template.ends_before", 400
    message = "{template} ends on {ends} anyhow; its last day cannot be later."


@money_transaction
def create_template(
    *, code: str, pack: str, description: str, effective_from: date, actor: User
) -> StoredTemplate:
    """Begin a template of that code: an empty draft. Raises TemplateExists, UnknownPack, TemplateError."""
    columns_of(pack)
    code = code.strip()
    _lock_templates()
    if StoredTemplate.objects.filter(code=code).exists():
        raise TemplateExists(code=code)
    empty = JournalTemplate(code, 1, description.strip(), effective_from, None, (), (), NO_CONTROL)
    return _begin(empty, pack, actor)


@money_transaction
def new_version(*, template_id: int, actor: User, on: date) -> StoredTemplate:
    """A draft with the content of this version and the next number. Raises UnknownTemplate, DraftExists."""
    _lock_templates()
    old = _template(template_id)
    draft = StoredTemplate.objects.filter(code=old.code, status=DRAFT).first()
    if draft is not None:
        raise DraftExists(template=draft)
    content = replace(
        as_template(old),
        version=next_version(old.code),
        effective_from=earliest_day(old.code, on=on),
        effective_to=None,
    )
    return _begin(content, old.pack, actor)


@money_transaction
def save_draft(*, template_id: int, content: JournalTemplate, actor: User) -> StoredTemplate:
    """Replace a draft's description, dates, matches, lines and control by those of `content`.

    A draft may be wrong, for it is not in use; what the tables cannot hold is refused: an account that does not
    exist, two lines of one number. Raises UnknownTemplate, NotADraft, TemplateError.
    """
    stored = _draft(template_id)
    before = summary(as_template(stored))
    content = replace(content, code=stored.code, version=stored.version)
    store(stored, content)
    after = summary(content)
    changed = [name for name in after if after[name] != before[name]]
    if changed:
        audit.record(
            actor=actor,
            action=SAVED,
            subject=subject(stored),
            before={name: before[name] for name in changed},
            after={name: after[name] for name in changed},
        )
    return _template(template_id)


def check(template: StoredTemplate, *, effective_from: date | None = None) -> list[TemplateProblem]:
    """Everything that keeps a version from coming into force, beside all the others; empty if nothing does."""
    content = as_template(template)
    return problems_of(
        replace(content, effective_from=effective_from or content.effective_from), template.pack
    )


@money_transaction
def approve_template(*, template_id: int, effective_from: date, actor: User, on: date) -> StoredTemplate:
    """Bring a draft into force from a day on, by somebody who had no part in writing it.

    An earlier version that would go on for ever ends the day before; one that was to begin later never does.
    Raises UnknownTemplate, NotADraft, OwnTemplate, NewerInForce, BeginsTooEarly, TooFarAhead, and TemplateError with
    everything that is wrong with the template itself or beside those in force. Source: architecture.md, Journal.
    """
    _lock_templates()
    stored = _draft(template_id)
    _check_decider(stored, actor)
    _check_newest(stored)
    earliest = earliest_day(stored.code, on=on)
    if effective_from < earliest:
        reason = (
            "another version may have been used today" if earliest > on else "nothing is changed backwards"
        )
        raise BeginsTooEarly(template=stored, date=effective_from, reason=reason, earliest=earliest)
    if effective_from > LATEST:
        raise TooFarAhead(date=effective_from, latest=LATEST)
    problems = check(stored, effective_from=effective_from)
    if problems:
        raise TemplateError(problems)
    stored.effective_from = effective_from
    stored.status, stored.approved_by, stored.approved_at = ACTIVE, actor, timezone.now()
    with translated():
        stored.save(update_fields=["effective_from", "status", "approved_by", "approved_at"])
        ended = _end_others(stored) if stored.effective_to is None else {}
    audit.record(
        actor=actor,
        action="template.approved",
        subject=subject(stored),
        before={"status": DRAFT},
        after={"status": ACTIVE, **summary(as_template(stored)), **ended},
    )
    return stored


@money_transaction
def retire_template(*, template_id: int, last_day: date, actor: User, on: date) -> StoredTemplate:
    """End a version without another in its place; its events are refused afterwards unless others take them.

    Raises UnknownTemplate, NotInForce, OwnTemplate, NotBegun, RetiredTooEarly, TooFarAhead, EndsBefore.
    """
    _lock_templates()
    stored = _template(template_id)
    if stored.status != ACTIVE:
        raise NotInForce(template=stored, status=stored.get_status_display().lower())
    _check_decider(stored, actor)
    if stored.effective_from > on:
        raise NotBegun(template=stored, date=stored.effective_from)
    if last_day < on:
        raise RetiredTooEarly(template=stored, earliest=on)
    if last_day > LATEST:
        raise TooFarAhead(date=last_day, latest=LATEST)
    ends = stored.effective_to
    if ends is not None and last_day > ends:
        raise EndsBefore(template=stored, ends=ends)
    stored.status, stored.effective_to = RETIRED, last_day
    with translated():
        stored.save(update_fields=["status", "effective_to"])
    audit.record(
        actor=actor,
        action="template.retired",
        subject=subject(stored),
        before={"status": ACTIVE, "effective_to": str(ends or "")},
        after={"status": RETIRED, "effective_to": str(last_day)},
    )
    return stored


def earliest_day(code: str, *, on: date) -> date:
    """The first day from which a new version of a template may be in force."""
    in_use = (
        StoredTemplate.objects.filter(code=code, effective_from__lte=on)
        .exclude(status=DRAFT)
        .exclude(effective_to__lt=on)
    )
    return on + ONE_DAY if in_use.exists() else on


def wrote(template: StoredTemplate, user_id: int | None) -> bool:
    """Whether a person had a part in writing a version, and so cannot decide on it."""
    if template.created_by_id == user_id:
        return template.created_by.username != SYSTEM_USERNAME
    return AuditEntry.objects.filter(
        subject=subject(template), action__in=(CREATED, SAVED), actor_id=user_id
    ).exists()


def subject(template: StoredTemplate) -> str:
    """What a version is called in the audit trail."""
    return f"template:{template.code}/{template.version}"


def _begin(content: JournalTemplate, pack: str, actor: User) -> StoredTemplate:
    stored = StoredTemplate.objects.create(
        code=content.code[:40],
        version=content.version,
        pack=pack,
        description="",
        effective_from=content.effective_from,
        created_by=actor,
    )
    store(stored, content)
    audit.record(actor=actor, action=CREATED, subject=subject(stored), after=summary(content))
    return _template(stored.pk)


def _lock_templates() -> None:
    """One at a time: two that are sound alone may not be so together."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.JOURNAL_TEMPLATES])


def _template(template_id: int, *, locked: bool = False) -> StoredTemplate:
    found = StoredTemplate.objects.select_related("created_by").filter(pk=template_id)
    stored = found.select_for_update(of=("self",)).first() if locked else found.first()
    if stored is None:
        raise UnknownTemplate
    return stored


def _draft(template_id: int) -> StoredTemplate:
    """The draft, held until the transaction ends."""
    stored = _template(template_id, locked=True)
    if stored.status != DRAFT:
        raise NotADraft(template=stored, status=stored.get_status_display().lower())
    return stored


def _check_decider(stored: StoredTemplate, actor: User) -> None:
    if wrote(stored, actor.pk):
        raise OwnTemplate(template=stored)


def _check_newest(stored: StoredTemplate) -> None:
    newer = (
        StoredTemplate.objects.filter(code=stored.code, version__gt=stored.version)
        .exclude(status=DRAFT)
        .first()
    )
    if newer is not None:
        raise NewerInForce(newer=newer, template=stored)


def _end_others(stored: StoredTemplate) -> dict[str, Any]:
    """End the versions that go on past the day on which this one begins; what was done, for the audit trail."""
    ended: dict[str, Any] = {}
    others = StoredTemplate.objects.filter(code=stored.code, status=ACTIVE).exclude(pk=stored.pk)
    for other in others.order_by("version"):
        if other.effective_to is not None and other.effective_to < stored.effective_from:
            continue
        if other.effective_from < stored.effective_from:
            other.effective_to = stored.effective_from - ONE_DAY
            ended[f"last day of {other}"] = str(other.effective_to)
        else:
            # It had not begun. Its dates cannot be empty, but this version is the later one and wins on all of them.
            other.status = RETIRED
            ended[f"{other}"] = "never begins"
        other.save(update_fields=["status", "effective_to"])
    return ended
