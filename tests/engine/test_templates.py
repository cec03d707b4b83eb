"""What is wrong with a template is said all at once, with its place; and what is right passes."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from ledger.engine.engine import TemplateError
from ledger.engine.templates import AccountOverride, TemplateControl, check_template

from .makers import SCHEMA, adjust, compiled, line, match, template

ACCOUNTS = ["1010", "1200", "4000", "5900"]
CONTROL = ["1200"]
DR, CR = line(1, "DR", "1200"), line(2, "CR", "4000")


def problems(**fields: Any) -> list[str]:
    return [str(each) for each in check_template(template(**fields), SCHEMA, ACCOUNTS, CONTROL)]


def test_a_template_that_can_be_used_has_no_problem() -> None:
    assert problems(control=adjust("0.05")) == []
    assert problems(lines=()) == [], "no entry is a policy too"


@pytest.mark.parametrize(
    ("fields", "place", "words"),
    [
        (
            {"lines": (DR, line(2, "CR", "4000", ":amuont"))},
            "line 2, amount",
            "unknown column :amuont at position 1",
        ),
        ({"lines": (DR, line(2, "CR", "4000", "1 +"))}, "line 2, amount", "position 4"),
        ({"lines": (DR, line(2, "CR", "4000", "sum(1)"))}, "line 2, amount", "unknown function sum"),
        ({"lines": (DR, line(2, "CR", "4000", ":amount > 0"))}, "line 2, amount", "a number is needed"),
        ({"lines": (DR, replace(CR, condition=":amount"))}, "line 2, condition", "a condition, like"),
        ({"lines": (DR, replace(CR, condition=":note > 1"))}, "line 2, condition", "text and a number"),
        ({"lines": (DR, line(2, "CR", "4711"))}, "line 2, account", "4711 is not in the chart"),
        ({"lines": (DR, line(2, "CR", "4000", fund=""))}, "line 2, fund", "belongs to one"),
        ({"lines": (DR, replace(CR, places=7))}, "line 2, places", "0 to 6"),
        ({"lines": (DR, replace(CR, number=1))}, "line 1, number", "two lines 1"),
        ({"lines": (DR, replace(CR, number=0))}, "line 0, number", "from 1"),
        ({"lines": (DR, CR, line(3, "XX", "4000"))}, "line 3, side", "neither DR nor CR"),
        ({"lines": (DR,)}, "template, lines", "no credit line"),
        ({"lines": (CR,)}, "template, lines", "no debit line"),
        ({"lines": (DR, line(2, "CR", "4000", "*".join([":amount"] * 7)))}, "line 2, amount", "38 decimals"),
        ({"matches": ()}, "template, matches", "add a match"),
        ({"matches": (match(""),)}, "match 1, txn_type", "empty"),
        ({"matches": (match(), match(condition=":days +"))}, "match 2, condition", "position 8"),
        ({"matches": (match(condition=":days"),)}, "match 1, condition", "a condition, like"),
        (
            {"matches": (match(min_amount=Decimal("2"), max_amount=Decimal("1.99")),)},
            "match 1, min_amount",
            "2 is above the maximum 1.99",
        ),
        ({"matches": (match(min_amount=Decimal(-1)),)}, "match 1, min_amount", "without their sign"),
        ({"matches": (match(max_amount=0.5),)}, "match 1, max_amount", "never a float"),
        ({"effective": (date(2019, 3, 2), date(2019, 3, 1))}, "template, effective_to", "before it begins"),
        ({"version": 0}, "template, version", "1 or more"),
        ({"control": adjust("0.01", "1200")}, "control, adjust_account", "1200 is a control account"),
        ({"control": adjust("0.01", "5901")}, "control, adjust_account", "not in the chart"),
        ({"control": adjust("0.01", fund="")}, "control, adjust_account", "needs an account and a fund"),
        (
            {"control": TemplateControl(Decimal(0), "AUTO_ADJUST", None, "OP")},
            "control, adjust_account",
            "needs an",
        ),
        ({"control": adjust("-0.01")}, "control, tolerance", "negative"),
        ({"control": adjust("0.0000001")}, "control, tolerance", "more than 6 decimals"),
        ({"control": TemplateControl(Decimal(0), "GUESS", None, "")}, "control, action", "neither ERROR nor"),  # type: ignore[arg-type]
    ],
)
def test_each_thing_that_can_be_wrong_is_told_with_its_place(
    fields: dict[str, Any], place: str, words: str
) -> None:
    version = fields.get("version", 1)
    found = problems(**fields)
    assert len(found) == 1 and found[0].startswith(f"LEASE/{version}, {place}: ") and words in found[0], found


def test_bounds_that_are_allowed() -> None:
    day = date(2019, 3, 2)
    assert problems(effective=(day, day), control=adjust("0")) == []
    assert problems(matches=(match(min_amount=Decimal(2), max_amount=Decimal(2)),)) == []
    assert problems(lines=(replace(DR, places=6), replace(CR, number=9999, places=0))) == []


def test_a_problem_says_where_in_parts_too() -> None:
    [problem] = check_template(
        template(lines=(DR, line(2, "CR", "4000", "1 + :x"))), SCHEMA, ACCOUNTS, CONTROL
    )
    assert (problem.code, problem.version, problem.where, problem.field, problem.position) == (
        "LEASE",
        1,
        "line 2",
        "amount",
        5,
    )


def test_compiling_lists_every_problem_of_every_template() -> None:
    bad = template("MISC", lines=(line(1, "DR", "1200", ":nix"), CR))
    worse = template("LOAN", lines=(DR, line(2, "CR", "4000", ":amount > 1")))
    with pytest.raises(TemplateError) as caught:
        compiled(bad, template(), worse)
    assert [each.code for each in caught.value.problems] == ["MISC", "LOAN"]
    assert "MISC/1, line 1, amount: unknown column :nix" in str(caught.value)
    assert "LOAN/1, line 2, amount" in str(caught.value)


def test_a_version_is_there_once() -> None:
    with pytest.raises(TemplateError, match="LEASE/1 is there twice"):
        compiled(template(), template())


def test_an_account_without_an_id_is_refused() -> None:
    override = AccountOverride(None, "X", "4000", None, "4001", None)
    with pytest.raises(TemplateError) as caught:
        compiled(template(control=adjust("1")), overrides=(override,), account_ids={"1200": 1})
    assert [f"{each.where} {each.sentence}" for each in caught.value.problems] == [
        "line 2 account 4000 has no id",
        "control account 5900 has no id",
        "override 1 account 4001 has no id",
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {}),
        ({"product": "A"}, {"product": "A"}),
        ({"min_amount": Decimal(5)}, {"max_amount": Decimal(5)}),
    ],
)
def test_two_templates_that_are_equally_good_are_refused(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    with pytest.raises(
        TemplateError, match="A/1, match 1, priority: B/1, match 1, fits the same events as well"
    ):
        compiled(template("A", matches=(match(**first),)), template("B", matches=(match(**second),)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"product": "A"}, {"product": "B"}),
        ({"product": "A"}, {"channel": "A"}),
        ({"min_amount": Decimal("5.01")}, {"max_amount": Decimal(5)}),
        ({"priority": 1}, {"priority": 2}),
        ({"condition": ":days > 1"}, {}),
    ],
)
def test_templates_of_which_one_is_better_are_not(first: dict[str, Any], second: dict[str, Any]) -> None:
    compiled(template("A", matches=(match(**first),)), template("B", matches=(match(**second),)))


def test_templates_that_never_meet_in_time_are_not() -> None:
    compiled(
        template("A", effective=(date(2000, 1, 1), date(2019, 3, 1))),
        template("B", effective=(date(2019, 3, 2), None)),
    )
