"""How a draft's content is stored: as it was written, wrong expressions included, as far as the tables can hold it."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Max

from ledger.engine.engine import TemplateError
from ledger.engine.templates import JournalTemplate, TemplateProblem, check_template

from ..models import Account, JournalTemplateControl, JournalTemplateLine, JournalTemplateMatch
from ..models import JournalTemplate as StoredTemplate
from .template_checks import columns_of

SMALLEST, LARGEST = -(2**31), 2**31 - 1
MOST = 10**14
LATEST = date(2199, 12, 31)  # the day after a template's last has to be a day, too
_TOO_MUCH = "that is more than the journal holds"


def store(stored: StoredTemplate, content: JournalTemplate) -> None:
    """Replace a draft's content by this; code and version stand. Raises TemplateError for what cannot be stored.

    What may wait until approval is stored as it is: an expression that is not right yet, missing matches or lines.
    """
    accounts = {account.code: account for account in Account.objects.filter(code__in=accounts_of(content))}
    problems = [each for each in _checked(content, stored.pack, accounts) if not _may_wait(each)]
    problems += [*_too_long(content), *_too_large(content)]
    if problems:
        raise TemplateError(problems)
    stored.description = content.description
    stored.effective_from = content.effective_from
    stored.effective_to = content.effective_to
    stored.save(update_fields=["description", "effective_from", "effective_to"])
    stored.matches.all().delete()
    stored.lines.all().delete()
    JournalTemplateMatch.objects.bulk_create(
        JournalTemplateMatch(template=stored, **vars(match)) for match in content.matches
    )
    JournalTemplateLine.objects.bulk_create(
        JournalTemplateLine(template=stored, **{**vars(line), "account": accounts[line.account]})
        for line in content.lines
    )
    control = content.control
    JournalTemplateControl.objects.update_or_create(
        template=stored,
        defaults={
            "tolerance": control.tolerance,
            "action": control.action,
            "adjust_account": accounts[control.adjust_account] if control.adjust_account else None,
            "adjust_fund": control.adjust_fund,
        },
    )


def accounts_of(content: JournalTemplate) -> set[str]:
    named = {line.account for line in content.lines}
    return named | ({content.control.adjust_account} if content.control.adjust_account else set())


def next_version(code: str) -> int:
    last = StoredTemplate.objects.filter(code=code).aggregate(last=Max("version"))["last"]
    return (last or 0) + 1


def summary(content: JournalTemplate) -> dict[str, Any]:
    """A template's content for the audit trail, in words that can be compared."""
    return {
        "description": content.description,
        "effective_from": str(content.effective_from),
        "effective_to": str(content.effective_to or ""),
        "matches": [_told(vars(match)) for match in content.matches],
        "lines": [
            f"{line.number} {line.side} {line.account} {line.fund} {line.amount}"
            + (f" if {line.condition}" if line.condition else "")
            for line in content.lines
        ],
        "control": _told(vars(content.control)),
    }


def _told(fields: Mapping[str, Any]) -> str:
    """Fields that say something; a Decimal by its value, however many zeros it was stored with."""
    return ", ".join(
        f"{name} {value.normalize():f}" if isinstance(value, Decimal) else f"{name} {value}"
        for name, value in fields.items()
        if value not in (None, "")
    )


def _checked(content: JournalTemplate, pack: str, accounts: Mapping[str, Account]) -> list[TemplateProblem]:
    return check_template(content, columns_of(pack), accounts, ())


def _may_wait(problem: TemplateProblem) -> bool:
    return problem.field in ("amount", "condition", "matches", "lines")


def _too_long(content: JournalTemplate) -> Iterable[TemplateProblem]:
    """What the columns have no room for."""
    parts: list[tuple[str, Any, Any]] = [("template", StoredTemplate, content)]
    parts += [(f"match {n}", JournalTemplateMatch, match) for n, match in enumerate(content.matches, 1)]
    parts += [(f"line {line.number}", JournalTemplateLine, line) for line in content.lines]
    parts.append(("control", JournalTemplateControl, content.control))
    for where, model, part in parts:
        for field in model._meta.concrete_fields:
            room = getattr(field, "max_length", None)
            value = getattr(part, field.name, None)
            if room and isinstance(value, str) and len(value) > room:
                yield TemplateProblem(
                    content.code, content.version, where, field.name, None, f"at most {room} characters fit"
                )


def _too_large(content: JournalTemplate) -> Iterable[TemplateProblem]:
    """Dates and numbers that the columns, or the calendar, have no room for."""
    for name in ("effective_from", "effective_to"):
        if (getattr(content, name) or LATEST) > LATEST:
            yield TemplateProblem(
                content.code, content.version, "template", name, None, f"{LATEST} is the last day there is"
            )
    if content.control.tolerance >= MOST:
        yield TemplateProblem(content.code, content.version, "control", "tolerance", None, _TOO_MUCH)
    for number, match in enumerate(content.matches, 1):
        if not SMALLEST <= match.priority <= LARGEST:
            yield TemplateProblem(
                content.code, content.version, f"match {number}", "priority", None, "that number is too large"
            )
        for name in ("min_amount", "max_amount"):
            if (getattr(match, name) or 0) >= MOST:
                yield TemplateProblem(content.code, content.version, f"match {number}", name, None, _TOO_MUCH)
