"""Write the audit trail: one entry per effect, in the effect's own transaction."""

from collections.abc import Sequence
from typing import Any

from .models import SYSTEM_USERNAME, AuditEntry, User


def record(
    *,
    actor: User,
    action: str,
    subject: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    case_no: str = "",
) -> AuditEntry:
    """Append one entry. Entries by the system user are marked automatic."""
    return AuditEntry.objects.create(
        actor=actor,
        action=action,
        subject=subject,
        before=before,
        after=after,
        case_no=case_no,
        automatic=actor.username == SYSTEM_USERNAME,
    )


def record_all(
    *,
    actor: User,
    action: str,
    entries: Sequence[tuple[str, dict[str, Any] | None, dict[str, Any] | None]],
) -> None:
    """Append one entry for each (subject, before, after): one statement for thousands of effects of one action."""
    automatic = actor.username == SYSTEM_USERNAME
    AuditEntry.objects.bulk_create(
        AuditEntry(
            actor=actor, action=action, subject=subject, before=before, after=after, automatic=automatic
        )
        for subject, before, after in entries
    )


def system_user() -> User:
    """The user every scheduled task acts as; created by migration."""
    return User.objects.get(username=SYSTEM_USERNAME)
