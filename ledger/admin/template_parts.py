"""How a journal template reads: its figures, its lines, what a version changes, what an event gives."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from batconnect.common.screens import Cell, Table, admin_url, day, moment, money_cell
from ledger.engine.templates import JournalTemplate, TemplateLine, TemplateMatch
from ledger.models import Account
from ledger.models import JournalTemplate as StoredTemplate
from ledger.services.template_checks import Preview

TONES = {"DRAFT": "warning", "ACTIVE": "success", "RETIRED": "danger"}
CHANGED, ADDED, REMOVED = "changed", "added", "removed"


def period(template: StoredTemplate | JournalTemplate) -> str:
    first, last = template.effective_from, template.effective_to
    return f"{day(first)} to {day(last)}" if last else f"from {day(first)} on"


def state(template: StoredTemplate, *, on: date) -> list[tuple[str, str]]:
    """The status as badges; an active version that has ended, or is yet to begin, says so."""
    badges = [(template.get_status_display(), TONES[template.status])]
    if template.status == StoredTemplate.Status.ACTIVE:
        if template.effective_from > on:
            badges.append((f"begins {day(template.effective_from)}", "info"))
        elif template.effective_to is not None and template.effective_to < on:
            badges.append((f"ended {day(template.effective_to)}", "info"))
    return badges


def match_words(match: TemplateMatch) -> str:
    """A match as one phrase: `MISC, Late Return, from 50, if :amount > 0`."""
    parts = [match.txn_type, match.product, match.channel]
    parts += [f"from {_plain(match.min_amount)}" if match.min_amount is not None else None]
    parts += [f"up to {_plain(match.max_amount)}" if match.max_amount is not None else None]
    parts += [f"if {match.condition}" if match.condition else None]
    return ", ".join(filter(None, parts)) or "nothing yet"


def summary_of_matches(template: StoredTemplate) -> str:
    """What a version is for, for the list; every match when they are few."""
    words = [
        " ".join(filter(None, (match.txn_type, match.product, match.channel)))
        for match in template.matches.all()
    ]
    return ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")


def names_of(codes: Iterable[str]) -> dict[str, Account]:
    return {account.code: account for account in Account.objects.filter(code__in=set(codes))}


def account_cell(code: str, chart: dict[str, Account]) -> Cell:
    account = chart.get(code)
    return Cell(f"{code} {account.name}", admin_url(account)) if account else Cell(code, look="warn")


def content_tables(content: JournalTemplate) -> list[Table]:
    """Everything a version says, to read."""
    codes = [line.account for line in content.lines] + [content.control.adjust_account or ""]
    chart = names_of(codes)
    matches = [
        [
            Cell(match.txn_type),
            Cell(match.product or "any"),
            Cell(match.channel or "any"),
            Cell(_range(match)),
            Cell(match.condition or "–"),
            Cell(str(match.priority), look="money"),
        ]
        for match in content.matches
    ]
    return [
        Table(
            "Events it is for",
            ["Event", "Product", "Channel", "Amount", "Condition", "#Priority"],
            matches,
            note="The more specific match wins; of equals, the lower priority.",
            empty="No event yet.",
        ),
        Table(
            "Lines it gives",
            ["#Line", "Side", "Account", "Fund", "Amount", "Condition", "#Decimals", "Memo"],
            [_line_row(line, chart) for line in content.lines],
            note=_control_words(content),
            empty="None: these events are not journalised.",
        ),
    ]


def _line_row(line: TemplateLine, chart: dict[str, Account]) -> Sequence[Cell]:
    return [
        Cell(str(line.number), look="money"),
        Cell(line.side),
        account_cell(line.account, chart),
        Cell(line.fund),
        Cell(line.amount),
        Cell(line.condition or "always"),
        Cell(str(line.places), look="money"),
        Cell(line.memo or "–"),
    ]


def _control_words(content: JournalTemplate) -> str:
    control = content.control
    if control.action == "ERROR":
        return "Where debits and credits of a fund differ, the event is refused."
    return (
        f"A difference in fund {control.adjust_fund} of at most {_plain(control.tolerance)} is booked on "
        f"{control.adjust_account}; any other is refused."
    )


def preview_tables(shown: Preview) -> list[Table]:
    """The lines an event gives, with their totals; of several funds, each fund's."""
    chart = names_of(line.account for line in shown.lines)
    rows = [
        [
            Cell(str(line.number), look="money"),
            Cell(line.side),
            account_cell(line.account, chart),
            Cell(line.fund),
            money_cell(line.amount) if line.side == "DR" else Cell("", look="money"),
            money_cell(line.amount) if line.side == "CR" else Cell("", look="money"),
            Cell(line.memo),
        ]
        for line in shown.lines
    ]
    funds = shown.funds if len(shown.funds) > 1 else []
    note = "; ".join(f"{fund} {shown.total('DR', fund):,.2f}" for fund in funds)
    return [
        Table(
            "This event gives",
            ["#Line", "Side", "Account", "Fund", "#Debit", "#Credit", "Memo"],
            rows,
            note=f"Every fund balances by itself: {note}." if note else "",
            footer=[
                Cell("", look="money"),
                Cell("Total"),
                Cell(""),
                Cell(""),
                money_cell(shown.total("DR")),
                money_cell(shown.total("CR")),
                Cell(""),
            ],
        )
    ]


def changes(before: JournalTemplate | None, after: JournalTemplate) -> Table:
    """What a version changes against the one before: every line, and each match that is not the same."""
    rows: list[list[Cell]] = []
    old_lines = {line.number: line for line in before.lines} if before else {}
    new_lines = {line.number: line for line in after.lines}
    for number in sorted({*old_lines, *new_lines}):
        old, new = old_lines.get(number), new_lines.get(number)
        before_words = _line_words(old) if old else None
        rows.append(_compared(f"Line {number}", before_words, _line_words(new) if new else None))
    old_matches = [match_words(match) for match in before.matches] if before else []
    new_matches = [match_words(match) for match in after.matches]
    for words in dict.fromkeys([*old_matches, *new_matches]):
        rows.append(
            _compared(
                "Events", words if words in old_matches else None, words if words in new_matches else None
            )
        )
    rows += [
        _compared("Differences", _control_words(before) if before else None, _control_words(after)),
        _compared("Description", before.description if before else None, after.description),
    ]
    return Table(
        f"What changes against {before.name}" if before else "What it says",
        ["Part", "Before", "After", ""],
        rows,
        note="" if before else "No version of this template was in force before.",
    )


def _compared(part: str, before: str | None, after: str | None) -> list[Cell]:
    if before == after:
        return [
            Cell(part),
            Cell(before or "–", look="muted"),
            Cell(after or "–", look="muted"),
            Cell("same", look="muted"),
        ]
    what = ADDED if before is None else REMOVED if after is None else CHANGED
    return [
        Cell(part, look="strong"),
        Cell(before or "–"),
        Cell(after or "–", look="strong"),
        Cell(what, look="warn"),
    ]


def _line_words(line: TemplateLine) -> str:
    words = f"{line.side} {line.account} {line.fund} {line.amount}"
    words += f" if {line.condition}" if line.condition else ""
    words += f", {line.places} decimals" if line.places != 2 else ""
    return words + (f", “{line.memo}”" if line.memo else "")


def facts(template: StoredTemplate) -> list[tuple[str, Cell]]:
    told = [
        ("Pack", Cell(template.pack)),
        (
            "Proposed" if template.status == StoredTemplate.Status.DRAFT else "In force",
            Cell(period(template)),
        ),
        ("Written", Cell(f"{moment(template.created_at)} by {template.created_by}")),
    ]
    if template.approved_by:
        told.append(("Approved", Cell(f"{moment(template.approved_at)} by {template.approved_by}")))
    return told


def _range(match: TemplateMatch) -> str:
    words = [f"from {_plain(match.min_amount)}" if match.min_amount is not None else ""]
    words.append(f"up to {_plain(match.max_amount)}" if match.max_amount is not None else "")
    return " ".join(filter(None, words)) or "any"


def _plain(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount.normalize():f}"
