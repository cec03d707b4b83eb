"""What is wrong with a journal template, and what it makes of an event: nothing here is stored.

A template is judged together with all that are in force beside it, so that two that fit the same events are found
when one of them is approved, and not when a clerk posts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import polars as pl

from batconnect.common.errors import BatConnectError
from ledger.engine.engine import TemplateError, compile_templates
from ledger.engine.engine import preview as engine_preview
from ledger.engine.packs import pack_names, read_pack
from ledger.engine.routing import AMBIGUOUS, NO_TEMPLATE
from ledger.engine.templates import JournalTemplate, TemplateMatch, TemplateProblem, check_template

from ..models import Account, Category
from ..models import JournalTemplate as StoredTemplate
from .accounting_policy import EVENT_SCHEMA, FLEET_PACK, as_template, overrides

RECEIVABLE = "1200"
# The events that are postings of a driver: the database wants each of them on 1200, with its own amount.
POSTINGS = frozenset([*Category.values, "OPENING_BALANCE"])
ROUTED = ("txn_type", "product", "channel")
BASE = ("row", *ROUTED, "on", "currency", "amount")
_SAMPLE = Decimal("123.45")


@dataclass(frozen=True)
class PreviewLine:
    number: int
    side: str
    account: str
    fund: str
    currency: str
    amount: Decimal
    memo: str


@dataclass(frozen=True)
class Preview:
    """What a template makes of an event: its lines, or else the sentence why there are none.

    `goes_to` says where events like this go once the template is in force; empty where that cannot be told.
    """

    lines: Sequence[PreviewLine] = ()
    refusal: str = ""
    goes_to: str = ""

    def total(self, side: str, fund: str | None = None) -> Decimal:
        return sum(
            (line.amount for line in self.lines if line.side == side and fund in (None, line.fund)),
            Decimal(0),
        )

    @property
    def funds(self) -> list[str]:
        return list(dict.fromkeys(line.fund for line in self.lines))


def columns_of(pack: str) -> Mapping[str, pl.DataType]:
    """The columns that expressions of a pack's templates may name, with their kinds. Raises UnknownPack."""
    return EVENT_SCHEMA if pack == FLEET_PACK else {"row": pl.UInt32(), **read_pack(pack).schema()}


def amount_columns(pack: str) -> dict[str, int]:
    """The columns of a pack's events that are amounts, `amount` first, by their decimals."""
    return {
        name: dtype.scale
        for name, dtype in sorted(columns_of(pack).items(), key=lambda item: item[0] != "amount")
        if isinstance(dtype, pl.Decimal)
    }


def packs() -> list[str]:
    return pack_names()


def problems_of(template: JournalTemplate, pack: str) -> list[TemplateProblem]:
    """Everything that keeps a template from coming into force as it stands; empty if nothing does."""
    columns = columns_of(pack)
    chart = {account.code: account for account in Account.objects.filter(code__in=_named(template))}
    controls = {code for code, account in chart.items() if account.is_control}
    problems = check_template(template, columns, chart, controls)
    problems += _unfit_accounts(template, chart)
    if not problems and pack == FLEET_PACK:
        problems = _wrong_on_receivable(template, columns)
    if not problems:
        try:
            compile_templates([*standing(pack, without=template.key), template], overrides(), columns)
        except TemplateError as error:
            problems = error.problems
    return problems


def standing(pack: str, *, without: int | None = None) -> list[JournalTemplate]:
    """Every version of a pack that is, was or will be in force."""
    stored = (
        StoredTemplate.objects.filter(pack=pack)
        .exclude(status=StoredTemplate.Status.DRAFT)
        .exclude(pk__in=[] if without is None else [without])
        .select_related("control__adjust_account")
        .prefetch_related("matches", "lines__account")
        .order_by("code", "version")
    )
    return [as_template(template) for template in stored]


def preview(template: JournalTemplate, *, pack: str, event: Mapping[str, object]) -> Preview:
    """What a template, stored or not, makes of one event of its pack.

    event: values by column, Decimals for amounts; a column that is left out is empty. Raises nothing for what the
    template or the event is: the sentence is in the answer.
    """
    columns = columns_of(pack)
    values = {**dict.fromkeys(columns), **dict.fromkeys(ROUTED, ""), "currency": "USD", **event}
    del values["row"]
    try:
        found = engine_preview(template, values, overrides=overrides(), schema=columns)
    except TemplateError:
        return Preview(refusal="This template cannot be used as it stands; see what is to be put right.")
    except BatConnectError as error:
        return Preview(refusal=str(error), goes_to=_goes_to(template, pack, columns, values))
    lines = [PreviewLine(number=line.pop("line_number"), **line) for line in found]  # type: ignore[arg-type]
    return Preview(
        lines=lines,
        refusal="" if lines else "The template has no lines: such events are not journalised.",
        goes_to=_goes_to(template, pack, columns, values),
    )


def _goes_to(
    template: JournalTemplate, pack: str, columns: Mapping[str, pl.DataType], values: Mapping[str, object]
) -> str:
    """Where an event would go if this template were in force; empty if the set cannot be compiled."""
    beside = standing(pack, without=template.key)
    event = {**values, "row": 1}
    try:
        compiled = compile_templates([*beside, template], overrides(), columns)
        expansion = compiled.expand(
            pl.DataFrame({name: [event[name]] for name in columns}, schema=dict(columns))
        )
    except BatConnectError:
        return ""
    if expansion.rejects.height:
        _, code, message = expansion.rejects.row(0)
        return f"In use: {message}." if code in (NO_TEMPLATE, AMBIGUOUS) else ""
    if expansion.lines.is_empty():
        return "In use, events like this are not journalised."
    chosen = compiled.templates[expansion.lines["template"][0]]
    if chosen.name == template.name:
        return "In use, an event like this goes to this template."
    return f"In use, an event like this goes to {chosen.name} ({chosen.description}), not to this template."


def _named(template: JournalTemplate) -> set[str]:
    return {line.account for line in template.lines} | {template.control.adjust_account or ""}


def _unfit_accounts(template: JournalTemplate, chart: Mapping[str, Account]) -> Iterable[TemplateProblem]:
    """Accounts that no entry may name now."""
    named = [(f"line {line.number}", "account", line.account) for line in template.lines]
    named.append(("control", "adjust_account", template.control.adjust_account or ""))
    return [
        TemplateProblem(
            template.code,
            template.version,
            where,
            field,
            None,
            f"account {code} is not active; choose another, or have it made active first",
        )
        for where, field, code in named
        if code in chart and not chart[code].active
    ]


def _wrong_on_receivable(
    template: JournalTemplate, columns: Mapping[str, pl.DataType]
) -> list[TemplateProblem]:
    """Whether a driver's posting would move 1200 by anything but its amount: it would be refused each time."""
    for number, match in enumerate(template.matches, 1):
        if match.txn_type not in POSTINGS:
            continue
        for event in _samples(match, columns):
            if sentence := _moved_wrongly(template, event, columns):
                return [
                    TemplateProblem(
                        template.code, template.version, f"match {number}", "txn_type", None, sentence
                    )
                ]
    return []


def _moved_wrongly(
    template: JournalTemplate, event: Mapping[str, object], columns: Mapping[str, pl.DataType]
) -> str:
    if not template.lines:
        return "a driver's posting always has an entry; add lines"
    try:
        found = engine_preview(template, event, overrides=overrides(), schema=columns)
    except BatConnectError:
        return ""  # conditions and amounts may well refuse what is only a sample
    amounts = [
        Decimal(str(line["amount"])) * (1 if line["side"] == "DR" else -1)
        for line in found
        if line["account"] == RECEIVABLE
    ]
    moved = sum(amounts, Decimal(0))
    if moved == event["amount"]:
        return ""
    return (
        f"a posting of {event['amount']} would move {RECEIVABLE} by {moved:.2f}; a driver's posting moves "
        f"{RECEIVABLE} by its own amount, like DR {RECEIVABLE} :amount"
    )


def _samples(match: TemplateMatch, columns: Mapping[str, pl.DataType]) -> list[dict[str, object]]:
    """An event that a match takes, and its reversal."""
    size = max(_SAMPLE, match.min_amount or _SAMPLE)
    size = min(size, match.max_amount or size)
    interest = round(size / 5, 2)
    events: list[dict[str, object]] = []
    for sign in (1, -1):
        values = {"amount": size * sign, "interest": interest * sign, "principal": (size - interest) * sign}
        event = {
            **dict.fromkeys(columns),
            "txn_type": match.txn_type,
            "product": match.product or "",
            "channel": match.channel or "",
            "on": date(2019, 3, 4),
            "currency": "USD",
            "fees": Decimal(0),
            **values,
        }
        del event["row"]
        events.append(event)
    return events
