"""Screens for people and the audit trail, and the look of other libraries' screens made one with ours."""

from collections.abc import Sequence
from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as BaseGroupAdmin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import BooleanRadioFilter, RangeDateTimeFilter
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from .models import SYSTEM_USERNAME, AuditEntry, User
from .screens import NONE, Cell, Detail, ReadOnlyAdmin, Table, moment, moment_column, text_column

admin.site.empty_value_display = NONE
RIGHTS = ("is_superuser", "groups", "user_permissions")

for technical in (AccessAttempt, AccessFailureLog, AccessLog, BlacklistedToken, OutstandingToken, Group):
    if admin.site.is_registered(technical):
        admin.site.unregister(technical)


@admin.register(User)
class UserAdmin(BaseUserAdmin, ModelAdmin):
    """Staff. Nobody is deleted, for postings name their maker: clear `active` instead."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "full_name", "roles", "email", "is_active", "is_superuser", "last_seen")
    list_filter = (("is_active", BooleanRadioFilter), "groups", ("is_superuser", BooleanRadioFilter))
    list_filter_submit = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        found: QuerySet[User] = super().get_queryset(request).prefetch_related("groups")
        return found

    @admin.display(description="Name", ordering="last_name")
    def full_name(self, person: User) -> str:
        return person.get_full_name() or NONE

    @admin.display(description="Role")
    def roles(self, person: User) -> str:
        return ", ".join(group.name for group in person.groups.all()) or NONE

    @admin.display(description="Last log-in", ordering="last_login")
    def last_seen(self, person: User) -> str:
        return moment(person.last_login)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj and (obj.username == SYSTEM_USERNAME or (obj.is_superuser and not request.user.is_superuser)):
            return False
        return bool(super().has_change_permission(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Who is no superuser may look after people, but hands out no rights."""
        fixed = tuple(super().get_readonly_fields(request, obj))
        return fixed if request.user.is_superuser else (*fixed, *RIGHTS)


@admin.register(Group)
class GroupAdmin(BaseGroupAdmin, ModelAdmin):
    """Roles: named sets of permissions."""


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ReadOnlyAdmin):
    """Failed log-ins that count towards a lock. Deleting one unlocks the person before the lock runs out."""

    empty_note = "Nobody failed to log in lately."
    list_display = (
        text_column("username", "User name", ordering="username"),
        text_column("ip_address", "Address"),
        text_column("failures_since_start", "Failures"),
        moment_column("attempt_time", "Last try", ordering="attempt_time"),
    )
    search_fields = ("username", "ip_address")
    actions = ["delete_selected"]  # type: ignore[assignment]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return admin.ModelAdmin.has_delete_permission(self, request, obj)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who did what, when, to what. Searched by the exact subject, or by the person."""

    list_display = (
        moment_column("at", "When"),
        text_column("actor__username", "Who"),
        text_column("action", "What"),
        text_column("subject", "On"),
        text_column("case_no", "Case"),
    )
    list_filter = ("automatic", ("at", RangeDateTimeFilter))
    list_select_related = ("actor",)
    search_fields = ("=subject", "=action", "=case_no", "=actor__username")
    search_help_text = "Subject (posting:0190…), action, case number or user name, as written"
    ordering = ("-id",)

    def detail(self, request: HttpRequest, record: AuditEntry) -> Detail:
        return Detail(
            title=record.action,
            subtitle=record.subject,
            badges=[("automatic", "info")] if record.automatic else [],
            facts=[
                ("When", Cell(moment(record.at))),
                ("Who", Cell(str(record.actor))),
                ("Case", Cell(record.case_no or "–")),
            ],
            tables=[
                Table(
                    "What changed",
                    ["Field", "Before", "After"],
                    _changes(record.before or {}, record.after or {}),
                    empty="Nothing but the event itself was kept.",
                )
            ],
        )


def _changes(before: dict[str, Any], after: dict[str, Any]) -> Sequence[Sequence[Cell]]:
    names = [*before, *(name for name in after if name not in before)]
    return [
        [
            Cell(name.replace("_", " ").capitalize()),
            Cell(_shown(before.get(name)), look="muted"),
            Cell(_shown(after.get(name))),
        ]
        for name in names
    ]


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(_shown(part) for part in value) or "–"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value.items())
    return "–" if value in (None, "") else str(value)
