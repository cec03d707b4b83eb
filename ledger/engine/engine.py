"""Journal expansion: events in, balanced journal lines and rejects out, by templates that are data.

`compile_templates` once, `expand` for every batch, whether it has one event or a million. What it costs to keep
the lines of a batch is some 100 bytes a line: a caller with more than a few million events hands them over in
chunks. Templates are described in `templates.py`, chosen in `routing.py`, and applied in `entries.py`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from batconnect.common.errors import BatConnectError

from .entries import AMOUNT, EMPTY_COLUMN, Recipe
from .exact import OVERFLOWS
from .expressions import parse
from .routing import REJECT_COLUMNS, Plan, Router
from .templates import AccountOverride, JournalTemplate, TemplateProblem, check_alone

FEW = 64  # events that are routed in Python, one by one
MOST_PLANS = 20_000  # keys remembered; products and channels come from outside
KEY = ["txn_type", "product", "channel"]
ROUTED = [*KEY, "on", "amount"]
BASE = ["row", *KEY, "on", "currency", "amount"]


class TemplateError(BatConnectError):
    """Templates that cannot be used; `problems` are all of them."""

    code = "template.invalid"
    message = "The journal templates cannot be used: {sentences}"

    def __init__(self, problems: Sequence[TemplateProblem]) -> None:
        self.problems = list(problems)
        super().__init__(sentences="; ".join(map(str, problems)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problems,)


class WrongColumns(BatConnectError):
    """Events are not of the shape that the templates were compiled for."""

    code = "template.wrong_columns"
    message = "The events cannot be expanded: {problem}."


class PreviewRefused(BatConnectError):
    """An event that a template gives no entry for; the sentence is that of the reject."""

    code = "template.preview"
    message = "{reason}"


@dataclass(frozen=True)
class Expansion:
    """What became of a batch of events.

    lines: row (as in the events), template (UInt32, index into CompiledTemplates.templates), line_number (Int32),
    side (DR or CR), account (String; or account_id, Int64), fund, currency, amount (Decimal(20,6), > 0). Of a few
    events they come entry by entry, of many template by template and line by line; sort where it matters.
    rejects: row, code, message; a rejected event has no line.
    skipped: the number of events that are not journalised, by a template without lines.
    """

    lines: pl.DataFrame
    rejects: pl.DataFrame
    skipped: int = 0


def compile_templates(
    templates: Sequence[JournalTemplate],
    overrides: Sequence[AccountOverride],
    schema: Mapping[str, pl.DataType],
    account_ids: Mapping[str, int] | None = None,
) -> "CompiledTemplates":
    """Templates ready to be applied to events with the columns of `schema`; keep it, it costs milliseconds.

    With `account_ids` (account code to id) lines carry `account_id` in place of `account`.
    Raises TemplateError, which lists everything that is wrong.
    """
    problems = [problem for template in templates for problem in check_alone(template, schema)]
    names = Counter(template.name for template in templates)
    problems += [
        TemplateProblem(each.code, each.version, "template", "version", None, f"{each.name} is there twice")
        for each in templates
        if names[each.name] > 1
    ]
    if account_ids is not None:
        problems += _unknown_accounts(templates, overrides, account_ids)
    if not problems:
        problems = Router(templates, schema).ambiguities(templates)
    if problems:
        raise TemplateError(problems)
    return CompiledTemplates(templates, overrides, schema, account_ids)


class CompiledTemplates:
    """Made by `compile_templates`. `templates` is the order that `lines.template` counts in."""

    def __init__(
        self,
        templates: Sequence[JournalTemplate],
        overrides: Sequence[AccountOverride],
        schema: Mapping[str, pl.DataType],
        account_ids: Mapping[str, int] | None,
    ) -> None:
        self.templates = tuple(templates)
        self._overrides = tuple(overrides)
        self._schema = dict(schema)
        self._account_ids = None if account_ids is None else dict(account_ids)
        self._router = Router(self.templates, schema)
        self._plans: dict[tuple[str, str, str], Plan] = {}
        self._recipes: dict[tuple[int, tuple[AccountOverride, ...]], Recipe] = {}
        self._products = {override.product for override in overrides}
        self._used = {name: dtype for name, dtype in schema.items() if name in _columns_read(templates)}
        # The schema of the last events that were looked at, and what comes out of such.
        self._accepted: tuple[pl.Schema, pl.Schema, pl.DataFrame] | None = None

    def expand(self, events: pl.DataFrame) -> Expansion:
        """The journal lines of a batch of events, and a reject for every event that has none.

        events: row (an integer, unique), txn_type, product, channel (text), on (date), currency (text), amount
        (decimal, may be negative), and the columns that expressions read, as in the schema compiled for.
        Raises WrongColumns, and NumberOverflow where a calculation passes 38 digits.
        """
        schema, no_rejects = self._accept(events)
        if events.height <= FEW and (few := self._expand_few(events)) is not None:
            return Expansion(pl.DataFrame(few[0], schema=schema, orient="row"), no_rejects, few[1])
        return self._expand_many(events, schema, no_rejects)

    def recipe(self, template: int, product: str) -> Recipe:
        """The compiled lines of a template for a product."""
        code = self.templates[template].code
        overrides = (
            tuple(
                each
                for each in self._overrides
                if each.product == product and each.template_code in (None, code)
            )
            if product in self._products
            else ()
        )
        recipe = self._recipes.get((template, overrides))
        if recipe is None:
            recipe = Recipe(template, self.templates[template], overrides, self._schema, self._account_ids)
            self._recipes[template, overrides] = recipe
        return recipe

    def plan(self, key: tuple[str, str, str]) -> Plan:
        """How events of one (txn_type, product, channel) find their template."""
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            plan = self._plans[key] = self._router.plan(*key)
        return plan

    def _accept(self, events: pl.DataFrame) -> tuple[pl.Schema, pl.DataFrame]:
        """The schema of lines and the empty frame of rejects. Raises WrongColumns."""
        schema, accepted = events.schema, self._accepted
        if accepted is not None and schema == accepted[0]:
            return accepted[1:]
        missing = [name for name in [*BASE, *self._used] if name not in schema]
        if missing:
            raise WrongColumns(problem=f"column {', '.join(missing)} is missing")
        wrong = [
            f"column {name} is {schema[name]}, the templates were compiled for {dtype}"
            for name, dtype in self._used.items()
            if not _same_kind(schema[name], dtype)
        ]
        wrong += [f"column {name} is no text" for name in [*KEY, "currency"] if schema[name] != pl.String]
        wrong += [] if schema["on"] == pl.Date else ["column on is no date"]
        wrong += [] if schema["row"].is_integer() else ["column row is no integer"]
        wrong += [] if isinstance(schema["amount"], pl.Decimal) else ["column amount is no decimal"]
        if wrong:
            raise WrongColumns(problem="; ".join(wrong))
        account: dict[str, Any] = (
            {"account": pl.String} if self._account_ids is None else {"account_id": pl.Int64}
        )
        row = schema["row"]
        lines = pl.Schema(
            {
                "row": row,
                "template": pl.UInt32,
                "line_number": pl.Int32,
                "side": pl.String,
                **account,
                "fund": pl.String,
                "currency": pl.String,
                "amount": AMOUNT,
            }
        )
        no_rejects = pl.DataFrame(schema={"row": row, "code": pl.String, "message": pl.String})
        self._accepted = schema, lines, no_rejects
        return lines, no_rejects

    # --- a few events: grouped in Python, one select for each template ----------------------------------------

    def _expand_few(self, events: pl.DataFrame) -> tuple[list[tuple[Any, ...]], int] | None:
        """Rows of lines and the number skipped; None where an event needs a closer look than the plain case."""
        chosen: dict[tuple[int, str], list[int]] = {}
        routed = zip(*(events.get_column(name).to_list() for name in ROUTED), strict=True)
        for at, (txn_type, product, channel, on, amount) in enumerate(routed):
            if txn_type is None or product is None or channel is None or on is None or amount is None:
                return None
            template = self.plan((txn_type, product, channel)).choose(on, amount)
            if template is None:
                return None
            chosen.setdefault((template, product if product in self._products else ""), []).append(at)
        found: list[tuple[Any, ...]] = []
        skipped = 0
        for (template, product), places in chosen.items():
            recipe = self.recipe(template, product)
            if not recipe.lines:
                skipped += len(places)
                continue
            lines = recipe.expand_few(events if len(places) == events.height else events[places])
            if lines is None:
                return None
            found += lines
        return found, skipped

    # --- many events: grouped, routed and expanded as frames --------------------------------------------------

    def _expand_many(self, events: pl.DataFrame, schema: pl.Schema, no_rejects: pl.DataFrame) -> Expansion:
        rejects = [no_rejects]
        events = events.select(list(dict.fromkeys([*BASE, *self._used])))
        if events.select(BASE).null_count().sum_horizontal().item():
            whole = pl.all_horizontal(pl.col(BASE).is_not_null())
            rejects.append(_without_base(events.filter(~whole).rechunk()))
            events = events.filter(whole)
        routed: dict[Recipe, list[pl.DataFrame]] = {}
        for key, group in _by_key(events):
            try:
                for template, part in self.plan(key).route(group):
                    if template is None:
                        rejects.append(self._router.refuse(key, part))
                    else:
                        routed.setdefault(self.recipe(template, key[1]), []).append(part)
            except OVERFLOWS as error:
                raise self._router.overflow(key[0], group) or error from error
        lines: list[pl.LazyFrame] = []
        skipped = 0
        for recipe, parts in routed.items():
            # In one piece: Polars 2.1 panics in texts of frames of which a piece is empty.
            together = pl.concat(parts, rechunk=True)
            if not recipe.lines:
                skipped += together.height
                continue
            expanded = recipe.expand(together)
            lines += expanded.lines
            rejects += expanded.rejects
        collected = pl.concat([pl.DataFrame(schema=schema), *pl.collect_all(lines)], rechunk=False)
        assert collected.schema == schema, collected.schema
        return Expansion(collected, pl.concat(rejects).select(REJECT_COLUMNS), skipped)


def preview(
    template: JournalTemplate,
    event: Mapping[str, object],
    *,
    overrides: Sequence[AccountOverride] = (),
    schema: Mapping[str, pl.DataType] | None = None,
) -> list[dict[str, object]]:
    """The lines a template gives for one event, whatever it matches and whenever it is in force.

    event: values by column, Decimals for money; `product` and `currency` may be left out. schema: the kinds of the
    columns where the values do not show them (an empty one). Returns line_number, side, account, fund, currency,
    amount (Decimal) and memo, in the order of the lines; none from a template without lines.
    Raises TemplateError, PreviewRefused, NumberOverflow.
    """
    values: dict[str, object] = {"product": "", "currency": "USD", **event, "row": 1}
    kinds = {name: (schema or {}).get(name) or _kind_of(value) for name, value in values.items()}
    if problems := check_alone(template, kinds):
        raise TemplateError(problems)
    product = str(values["product"])
    fitting = [
        each for each in overrides if each.product == product and each.template_code in (None, template.code)
    ]
    recipe = Recipe(0, template, fitting, kinds)
    if not recipe.lines:
        return []
    expanded = recipe.expand(pl.DataFrame({name: [value] for name, value in values.items()}, schema=kinds))
    for reject in expanded.rejects:
        raise PreviewRefused(reason=reject["message"][0])
    memos = {line.number: line.memo for line in recipe.lines}
    lines = pl.concat(pl.collect_all(expanded.lines)).sort("line_number").drop("row", "template")
    return [{**line, "memo": memos.get(line["line_number"], "")} for line in lines.to_dicts()]


def _kind_of(value: object) -> pl.DataType:
    if isinstance(value, bool):
        return pl.Boolean()
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return pl.Decimal(38, max(6, -exponent) if isinstance(exponent, int) else 6)
    if isinstance(value, int):
        return pl.Int64()
    return pl.Date() if isinstance(value, date) else pl.String()


def _columns_read(templates: Sequence[JournalTemplate]) -> set[str]:
    sources = [line.amount for template in templates for line in template.lines]
    sources += [line.condition for template in templates for line in template.lines if line.condition]
    sources += [match.condition for template in templates for match in template.matches if match.condition]
    return {name for source in sources for name in parse(source).columns}


def _unknown_accounts(
    templates: Sequence[JournalTemplate], overrides: Sequence[AccountOverride], known: Mapping[str, int]
) -> list[TemplateProblem]:
    named = [
        (each, f"line {line.number}", "account", line.account) for each in templates for line in each.lines
    ]
    named += [
        (each, "control", "adjust_account", each.control.adjust_account)
        for each in templates
        if each.control.adjust_account is not None
    ]
    problems = [
        TemplateProblem(each.code, each.version, where, field, None, f"account {account} has no id")
        for each, where, field, account in named
        if account not in known
    ]
    problems += [
        TemplateProblem(
            each.template_code or "*",
            0,
            f"override {at}",
            "to_account",
            None,
            f"account {each.to_account} has no id",
        )
        for at, each in enumerate(overrides, 1)
        if each.to_account not in known
    ]
    return problems


def _same_kind(found: pl.DataType, compiled: pl.DataType) -> bool:
    if isinstance(found, pl.Decimal) and isinstance(compiled, pl.Decimal):
        return found.scale == compiled.scale
    return found == compiled or (found.is_integer() and compiled.is_integer())


def _by_key(events: pl.DataFrame) -> list[tuple[tuple[str, str, str], pl.DataFrame]]:
    """The events of each (txn_type, product, channel)."""
    parts = events.partition_by(KEY, maintain_order=True, as_dict=True)
    return [((str(key[0]), str(key[1]), str(key[2])), part) for key, part in parts.items()]


def _without_base(events: pl.DataFrame) -> pl.DataFrame:
    empty = pl.concat_str(
        (pl.when(pl.col(name).is_null()).then(pl.lit(name)) for name in BASE),
        separator=", ",
        ignore_nulls=True,
    )
    return events.select(
        "row",
        pl.lit(EMPTY_COLUMN).alias("code"),
        pl.format("the event has no {}; every event needs one", empty).alias("message"),
    )
