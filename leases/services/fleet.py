"""Drivers, medallions and vehicles, one at a time: entered and changed, never deleted.

A whole fleet comes from files (`leases.fleet_import`).
"""

from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from batconnect.common import audit
from batconnect.common.errors import BatConnectError, ConflictingState
from batconnect.common.models import User
from batconnect.common.transactions import sqlstate

from ..models import Driver, Medallion, Vehicle
from .saving import facts, save_as

Record = TypeVar("Record", Driver, Medallion, Vehicle)
# What each is known by, once.
KEYS = {Driver: "tlc_license", Medallion: "number", Vehicle: "vin"}


class BadRecord(BatConnectError):
    code, status = "fleet.invalid", 400
    message = "{field}: {problem}"


class KnownAlready(ConflictingState):
    code = "fleet.known_already"
    message = "There is a {kind} {value} already; change that one."


@transaction.atomic
def enter_record(model: type[Record], *, actor: User, **fields: Any) -> Record:
    """Enter a driver, medallion or vehicle. Raises BadRecord, KnownAlready."""
    record = model(**fields)
    _save(record, fields, actor)
    audit.record(
        actor=actor,
        action=f"{record._meta.model_name}.entered",
        subject=_subject(record),
        after=facts(record, *fields),
    )
    return record


@transaction.atomic
def change_record(record: Record, *, actor: User, **fields: Any) -> Record:
    """Change some fields of one; its history keeps what was. Raises BadRecord, KnownAlready."""
    locked = type(record)._default_manager.select_for_update().get(pk=record.pk)
    before = facts(locked, *fields)
    changed = {name: value for name, value in fields.items() if getattr(locked, name) != value}
    if not changed:
        return locked
    for name, value in changed.items():
        setattr(locked, name, value)
    _save(locked, changed, actor)
    audit.record(
        actor=actor,
        action=f"{locked._meta.model_name}.changed",
        subject=_subject(locked),
        before={name: before[name] for name in changed},
        after=facts(locked, *changed),
    )
    return locked


def _save(record: Record, fields: dict[str, Any], actor: User) -> None:
    for name, value in fields.items():
        if isinstance(value, str) and not value.isprintable():
            raise BadRecord(field=name, problem="contains characters that cannot be printed.")
    try:
        record.clean_fields(exclude=set(_names(record)) - set(fields))
    except ValidationError as error:
        field, problems = next(iter(error.message_dict.items()))
        raise BadRecord(field=field, problem=problems[0]) from error
    try:
        with transaction.atomic():
            save_as(record, actor)
    except IntegrityError as error:
        if sqlstate(error) != "23505":
            raise
        value = getattr(record, KEYS[type(record)])
        raise KnownAlready(kind=record._meta.verbose_name, value=value) from error


def _names(record: Record) -> list[str]:
    return [field.name for field in record._meta.concrete_fields]


def _subject(record: Record) -> str:
    return f"{record._meta.model_name}:{record.pk}"
