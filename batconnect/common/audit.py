"""Write the audit trail: one entry per effect, in the effect's own transaction."""

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


def system_user() -> User:
    """The user every scheduled task acts as; created by migration."""
    return User.objects.get(username=SYSTEM_USERNAME)
