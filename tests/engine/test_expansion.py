"""Events become balanced lines or a reject that says why: routing, signs, rounding, funds, and both ways in.

A few events go another way through the engine than many; the last test holds the two against each other.
"""

from datetime import date
from decimal import Decimal
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.engine import engine
from ledger.engine.engine import PreviewRefused, TemplateError, WrongColumns, preview
from ledger.engine.exact import NumberOverflow
from ledger.engine.templates import AccountOverride, JournalTemplate, TemplateControl

from .makers import ON, SCHEMA, adjust, compiled, event, events, line, match, refused, template, written


def test_an_event_becomes_a_debit_and_a_credit() -> None:
    expansion = compiled(template()).expand(events(event(7, "150.00")))
    assert written(expansion) == ["7: DR 1200 OP 150", "7: CR 4000 OP 150"]
    assert expansion.lines.schema == {
        "row": pl.Int64,
        "template": pl.UInt32,
        "line_number": pl.Int32,
        "side": pl.String,
        "account": pl.String,
        "fund": pl.String,
        "currency": pl.String,
        "amount": pl.Decimal(20, 6),
    }
    assert expansion.rejects.schema == {"row": pl.Int64, "code": pl.String, "message": pl.String}
    assert expansion.lines["currency"].to_list() == ["USD", "USD"]


def test_a_negative_amount_swaps_the_sides() -> None:
    assert written(compiled(template()).expand(events(event(1, "-150.00")))) == [
        "1: CR 1200 OP 150",
        "1: DR 4000 OP 150",
    ]


def test_no_events_give_no_lines() -> None:
    expansion = compiled(template()).expand(events())
    assert expansion.lines.is_empty() and expansion.rejects.is_empty() and expansion.skipped == 0


def test_rows_keep_their_type_and_number() -> None:
    frame = events(event(4_000_000_000)).cast({"row": pl.UInt32})
    assert compiled(template()).expand(frame).lines["row"].to_list() == [4_000_000_000] * 2


def test_lines_carry_the_ids_of_accounts_when_asked() -> None:
    expansion = compiled(template(), account_ids={"1200": 12, "4000": 2**40}).expand(events(event()))
    assert expansion.lines.schema["account_id"] == pl.Int64 and "account" not in expansion.lines.columns
    assert expansion.lines["account_id"].to_list() == [12, 2**40]


# --- which template ---------------------------------------------------------------------------------------------


def routed(templates: list[JournalTemplate], **values: object) -> str:
    """The template of one event, or why there is none; by the way of few events and by that of many."""
    compiled_templates = compiled(*templates)
    frame = events(event(**values))  # type: ignore[arg-type]
    answers = set()
    for expansion in (
        compiled_templates.expand(frame),
        compiled_templates._expand_many(frame, *compiled_templates._accept(frame)),
    ):
        numbers = expansion.lines["template"].unique().to_list()
        answers.add(
            compiled_templates.templates[numbers[0]].name if numbers else expansion.rejects["message"].item()
        )
    assert len(answers) == 1, answers
    return answers.pop()


VERSIONS = [
    template(version=1, effective=(date(2018, 1, 1), None)),
    template(version=2, effective=(date(2019, 1, 1), date(2019, 12, 31))),
    template(version=3, effective=(date(2019, 6, 1), date(2019, 6, 30))),
]


@pytest.mark.parametrize(
    ("on", "name"),
    [
        (date(2018, 1, 1), "LEASE/1"),
        (date(2018, 12, 31), "LEASE/1"),
        (date(2019, 1, 1), "LEASE/2"),
        (date(2019, 5, 31), "LEASE/2"),
        (date(2019, 6, 1), "LEASE/3"),
        (date(2019, 6, 30), "LEASE/3"),
        (date(2019, 7, 1), "LEASE/2"),
        (date(2019, 12, 31), "LEASE/2"),
        (date(2020, 1, 1), "LEASE/1"),
    ],
)
def test_the_latest_version_in_force_on_the_day_is_used(on: date, name: str) -> None:
    assert routed(VERSIONS, on=on) == name


def test_rows_of_one_batch_go_to_the_version_of_their_own_day() -> None:
    days = [date(2018, 5, 1), date(2019, 6, 15), date(2019, 7, 1), date(2021, 1, 1)] * 30
    expansion = compiled(*VERSIONS).expand(events(*(event(n, on=day) for n, day in enumerate(days))))
    found = dict(expansion.lines.select("row", "template").rows())
    assert [found[n] + 1 for n in range(len(days))] == [1, 3, 2, 1] * 30


def test_the_specific_goes_before_the_wildcard_and_priority_decides_between_equals() -> None:
    templates = [
        template("ANY", matches=(match(priority=0),)),
        template("CONDITION", matches=(match(condition=":days > 5", priority=1),)),
        template("AMOUNT", matches=(match(min_amount=Decimal(100)),)),
        template("LATE_AMOUNT", matches=(match(min_amount=Decimal(50), priority=200),)),
        template("CHANNEL", matches=(match(channel="WEB"),)),
        template("PRODUCT", matches=(match(product="DOV"),)),
        template("BOTH", matches=(match(product="DOV", channel="WEB"),)),
    ]
    assert routed(templates, product="DOV", channel="WEB", amount=500, days=9) == "BOTH/1"
    assert routed(templates, product="DOV", channel="DESK", amount=500, days=9) == "PRODUCT/1"
    assert routed(templates, channel="WEB", amount=500, days=9) == "CHANNEL/1"
    assert routed(templates, amount=500, days=9) == "AMOUNT/1"
    assert routed(templates, amount=99, days=9) == "LATE_AMOUNT/1"
    assert routed(templates, amount=49, days=9) == "CONDITION/1"
    assert routed(templates, amount=49, days=5) == "ANY/1"
    assert routed(templates, amount=49, days=None) == "ANY/1", "an empty column decides no condition"


@pytest.mark.parametrize(
    ("amount", "name"),
    [
        ("99.99", "SMALL/1"),
        ("100", "LARGE/1"),
        ("-100", "LARGE/1"),
        ("-99.99", "SMALL/1"),
        ("200", "LARGE/1"),
    ],
)
def test_amounts_are_matched_to_the_cent_and_a_reversal_goes_its_originals_way(
    amount: str, name: str
) -> None:
    small = template("SMALL", matches=(match(max_amount=Decimal("99.99")),))
    large = template("LARGE", matches=(match(min_amount=Decimal(100), max_amount=Decimal(200)),))
    assert routed([small, large, template("ANY")], amount=amount) == name


def test_the_kind_of_event_is_matched_exactly() -> None:
    assert "no template is for lease at all" in routed([template()], txn_type="lease")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"channel": "WEB"},
            "no template for LEASE on 2019-03-02 with channel WEB: LEASE/1 wants channel DESK",
        ),
        (
            {"channel": "WEB", "product": "DOV"},
            "no template for LEASE of product DOV on 2019-03-02 with channel WEB: LEASE/1 wants channel DESK",
        ),
        (
            {"channel": "DESK", "on": date(1999, 12, 31)},
            "no template for LEASE on 1999-12-31 with channel DESK: LEASE/1 wants a date from 2000-01-01 on",
        ),
        (
            {"channel": "DESK", "amount": 501},
            "no template for LEASE on 2019-03-02 with channel DESK: LEASE/1 wants an amount from 1 to 500",
        ),
        (
            {"channel": "DESK", "days": -1},
            "no template for LEASE on 2019-03-02 with channel DESK: LEASE/1 wants :days > 0",
        ),
        (
            {"channel": "WEB", "amount": 501},
            "no template for LEASE on 2019-03-02 with channel WEB: LEASE/1 wants channel DESK and an amount from 1 "
            "to 500",
        ),
    ],
)
def test_a_row_nothing_fits_is_told_the_nearest_rule_and_what_failed(
    values: dict[str, object], sentence: str
) -> None:
    desk = match(channel="DESK", min_amount=Decimal(1), max_amount=Decimal(500), condition=":days > 0")
    far = template(
        "FAR", matches=(match(product="X", channel="Y", max_amount=Decimal(0), condition=":days > 9"),)
    )
    assert routed([far, template(matches=(desk,))], **{"days": 3, **values}) == sentence


def test_two_templates_that_fit_equally_well_are_both_named() -> None:
    one = template("ONE", matches=(match(condition=":days > 1"),))
    two = template("TWO", matches=(match(condition=":amount > 1"),))
    expansion = compiled(one, two).expand(
        events(event(1, 5, days=5), event(2, 0, days=5), event(3, 5, days=0))
    )
    assert (
        refused(expansion)[1]
        == "ONE/1 and TWO/1 fit this event equally well; give one of them another priority"
    )
    assert expansion.rejects["code"].to_list()[0] == "template.ambiguous"
    assert set(expansion.lines["row"]) == {3}, "and 2 has no amount"


def test_two_matches_of_one_template_may_both_fit() -> None:
    both = template(matches=(match(condition=":days > 1"), match(condition=":amount > 1")))
    assert routed([both], days=5, amount=5) == "LEASE/1"


@pytest.mark.parametrize("name", ["txn_type", "product", "channel", "on", "currency", "amount"])
def test_an_event_without_one_of_the_common_columns_is_rejected(name: str) -> None:
    expansion = compiled(template()).expand(events(event(1, **{name: None}), event(2)))  # type: ignore[arg-type]
    assert refused(expansion) == {1: f"the event has no {name}; every event needs one"}
    assert set(expansion.lines["row"]) == {2}


# --- what the lines say -------------------------------------------------------------------------------------------


def test_each_line_is_rounded_to_its_places_half_away_from_zero() -> None:
    lines = (line(1, "DR", "1200", ":amount / 3"), line(2, "CR", "4000", ":amount / 3", places=2))
    assert written(compiled(template(lines=lines)).expand(events(event(1, "0.015"), event(2, "-0.015")))) == [
        "1: DR 1200 OP 0.01",
        "1: CR 4000 OP 0.01",
        "2: CR 1200 OP 0.01",
        "2: DR 4000 OP 0.01",
    ]
    fine = (line(1, "DR", "1200", ":amount", places=6), line(2, "CR", "4000", ":amount", places=6))
    assert (
        written(compiled(template(lines=fine)).expand(events(event(1, "0.000001"))))[0]
        == "1: DR 1200 OP 0.000001"
    )


@pytest.mark.parametrize(("amount", "cents"), [("1.005", "1.01"), ("-1.005", "1.01"), ("1.004999", "1")])
def test_a_column_with_more_decimals_than_its_line_is_rounded_too(amount: str, cents: str) -> None:
    assert written(compiled(template()).expand(events(event(1, amount))))[0].endswith(f" {cents}")


def test_zero_lines_and_lines_whose_condition_fails_are_dropped() -> None:
    lines = (
        line(1, "DR", "1200", ":amount"),
        line(2, "CR", "4000", ":amount - :fee"),
        line(3, "CR", "4300", ":fee", condition=":note = 'late'"),
        line(4, "CR", "4400", ":fee", condition="not :note = 'late'"),
    )
    expansion = compiled(template(lines=lines)).expand(
        events(
            event(1, 100, fee=0, note=""),
            event(2, 100, fee=20, note="late"),
            event(3, 100, fee=20, note=""),
            event(4, 20, fee=20, note=""),
        )
    )
    assert written(expansion) == [
        "1: DR 1200 OP 100",
        "1: CR 4000 OP 100",
        "2: DR 1200 OP 100",
        "2: CR 4000 OP 80",
        "2: CR 4300 OP 20",
        "3: DR 1200 OP 100",
        "3: CR 4000 OP 80",
        "3: CR 4400 OP 20",
        "4: DR 1200 OP 20",
        "4: CR 4400 OP 20",
    ]


def test_a_row_without_any_line_left_is_rejected() -> None:
    expansion = compiled(template()).expand(events(event(1, 0), event(2, "0.004")))
    assert set(refused(expansion)) == {1, 2} and expansion.lines.is_empty()
    assert "no line is left: every amount is zero" in refused(expansion)[1]


def test_a_template_without_lines_writes_nothing_and_counts_the_rows() -> None:
    cash = template("CASH", lines=(), matches=(match(product="$"),))
    expansion = compiled(template(), cash).expand(
        events(event(1), event(2, product="$"), event(3, product="$"))
    )
    assert set(expansion.lines["row"]) == {1} and expansion.rejects.is_empty() and expansion.skipped == 2


def test_an_override_moves_the_lines_of_its_product_alone() -> None:
    overrides = (
        AccountOverride(None, "X", "4000", None, "4900", None),
        AccountOverride("LEASE", "X", "4000", None, "1100", None),
        AccountOverride("MISC", "X", "4000", None, "9999", None),
        AccountOverride(None, "Y", "1200", None, "1210", "TBR"),
        AccountOverride(None, "Y", "4000", "OP", "4010", "TBR"),
        AccountOverride(None, "Y", "4000", "TNH", "9999", None),
    )
    many = compiled(template(), template("REPAIR", matches=(match("REPAIR"),)), overrides=overrides)
    frame = events(
        event(1, 5),
        event(2, 5, product="X"),
        event(3, 5, product="Y"),
        event(4, 5, product="X", txn_type="REPAIR"),
    )
    assert written(many.expand(frame)) == [
        "1: DR 1200 OP 5",
        "1: CR 4000 OP 5",
        "2: DR 1200 OP 5",
        "2: CR 1100 OP 5",
        "3: DR 1210 TBR 5",
        "3: CR 4010 TBR 5",
        "4: DR 1200 OP 5",
        "4: CR 4900 OP 5",
    ]


# --- balance --------------------------------------------------------------------------------------------------------

SPLIT = (line(1, "DR", "1200", ":amount"), line(2, "CR", "4000", ":net"), line(3, "CR", "4300", ":fee"))


def test_an_entry_that_does_not_balance_is_rejected_with_both_sums() -> None:
    expansion = compiled(template(lines=SPLIT)).expand(events(event(1, "1.00", net="0.79", fee="0.20")))
    assert refused(expansion) == {
        1: "TEMPLATE LEASE/1, entry off by 0.01 in fund OP: debits 1.00, credits 0.99"
    }
    assert expansion.lines.is_empty() and expansion.rejects["code"].item() == "template.unbalanced"


def test_every_fund_balances_by_itself() -> None:
    lines = (
        line(1, "DR", "1010", ":amount"),
        line(2, "CR", "2610", ":net"),
        line(3, "DR", "1610", ":fee", "TBR"),
        line(4, "CR", "4610", ":amount", "TBR"),
        line(5, "CR", "4510", ":fee"),
        line(6, "DR", "1620", ":net", "TBR"),
    )
    good = event(1, 10, net=6, fee=4)
    crossed = event(2, 10, net=6, fee="4.000001")
    assert refused(compiled(template(lines=lines)).expand(events(good, crossed))) == {}, "rounded to cents"
    off = events(good, event(2, 10, net=6, fee=3))
    assert refused(compiled(template(lines=lines)).expand(off)) == {
        2: "TEMPLATE LEASE/1, entry off by 1.00 in fund OP: debits 10.00, credits 9.00; "
        "entry off by 1.00 in fund TBR: debits 9.00, credits 10.00"
    }
    # The whole entry balances, its funds do not.
    swapped = (line(1, "DR", "1010", ":amount"), line(2, "CR", "4610", ":amount", "TBR"))
    assert (
        "in fund OP: debits 10.00, credits 0.00"
        in refused(compiled(template(lines=swapped)).expand(events(good)))[1]
    )


@pytest.mark.parametrize(
    ("net", "adjustment"),
    [
        ("0.80", []),
        ("0.79", ["CR 5900 OP 0.01"]),
        ("0.82", ["DR 5900 OP 0.02"]),
        ("0.78", ["CR 5900 OP 0.02"]),
    ],
)
def test_a_difference_within_the_tolerance_is_adjusted(net: str, adjustment: list[str]) -> None:
    one = compiled(template(lines=SPLIT, control=adjust("0.02"))).expand(
        events(event(1, "1.00", net=net, fee="0.20"))
    )
    assert written(one)[3:] == [f"1: {each}" for each in adjustment]
    assert one.lines.sort("line_number")["line_number"].to_list() == [1, 2, 3, 4][: 3 + len(adjustment)]
    side = pl.when(pl.col("side") == "DR").then(pl.col("amount")).otherwise(-pl.col("amount"))
    assert one.lines.select(side.sum()).item() == 0


def test_a_difference_of_a_reversal_is_adjusted_to_the_other_side() -> None:
    two = compiled(template(lines=SPLIT, control=adjust("0.02"))).expand(
        events(event(1, "1.00", net="0.79", fee="0.20"), event(2, "-1.00", net="-0.79", fee="-0.20"))
    )
    assert [each for each in written(two) if "5900" in each] == ["1: CR 5900 OP 0.01", "2: DR 5900 OP 0.01"]


@pytest.mark.parametrize(
    "control", [adjust("0.01"), TemplateControl(Decimal(9), "ERROR", None, ""), adjust("9", fund="TBR")]
)
def test_a_difference_is_rejected_above_the_tolerance_or_unless_adjusting_its_fund(
    control: TemplateControl,
) -> None:
    found = compiled(template(lines=SPLIT, control=control)).expand(
        events(event(1, "1.00", net="0.78", fee="0.20"))
    )
    assert found.lines.is_empty() and "off by 0.02 in fund OP" in refused(found)[1]


def test_an_adjustment_is_left_out_of_no_message() -> None:
    """Where another fund is off too, nothing is adjusted, and both are told."""
    lines = (*SPLIT, line(4, "DR", "1610", ":amount", "TBR"), line(5, "CR", "4610", ":net", "TBR"))
    found = compiled(template(lines=lines, control=adjust("0.02"))).expand(
        events(event(1, "1", net="0.79", fee="0.2"))
    )
    assert "0.01 in fund OP" in refused(found)[1] and "0.21 in fund TBR" in refused(found)[1]


# --- what cannot be computed ----------------------------------------------------------------------------------------


def test_an_empty_column_is_named_with_template_and_line() -> None:
    expansion = compiled(template(lines=SPLIT)).expand(
        events(event(1, 1, net=1), event(2, 1, fee=0), event(3, 1, net=1, fee=0))
    )
    assert refused(expansion) == {
        1: "TEMPLATE LEASE/1, line 3: column fee is empty, and its amount :fee needs it",
        2: "TEMPLATE LEASE/1, line 2: column net is empty, and its amount :net needs it",
    }
    assert set(expansion.lines["row"]) == {3}
    assert set(expansion.rejects["code"]) == {"template.empty_column"}


def test_an_empty_column_of_a_dropped_line_does_not_matter_but_one_of_a_condition_does() -> None:
    lines = (
        line(1, "DR", "1200"),
        line(2, "CR", "4000", ":amount - :fee", condition=":days > 3"),
        line(3, "CR", "4000", condition=":days <= 3"),
    )
    expansion = compiled(template(lines=lines)).expand(events(event(1, 1, days=3), event(2, 1, fee=0)))
    assert written(expansion) == ["1: DR 1200 OP 1", "1: CR 4000 OP 1"]
    assert refused(expansion) == {
        2: "TEMPLATE LEASE/1, line 2: column days is empty, and its condition :days > 3 needs it"
    }


def test_a_condition_that_would_be_true_anyhow_still_needs_its_columns() -> None:
    lines = (line(1, "DR", "1200"), line(2, "CR", "4000", condition=":amount > 0 or :days > 3"))
    expansion = compiled(template(lines=lines)).expand(events(event(1, 1)))
    assert "column days is empty" in refused(expansion)[1]


def test_division_by_zero_is_named_with_template_line_and_row() -> None:
    lines = (line(1, "DR", "1200", ":amount / :days"), line(2, "CR", "4000", ":amount / :days"))
    expansion = compiled(template(lines=lines)).expand(events(event(1, 9, days=3), event(2, 9, days=0)))
    assert refused(expansion) == {
        2: "TEMPLATE LEASE/1, line 1: division by zero in its amount :amount / :days"
    }
    assert written(expansion) == ["1: DR 1200 OP 3", "1: CR 4000 OP 3"]
    assert expansion.rejects["code"].item() == "template.division_by_zero"


def test_a_condition_guards_its_own_line_against_division_by_zero() -> None:
    lines = (
        line(1, "DR", "1200"),
        line(2, "CR", "4000", ":amount / :days", condition=":days != 0"),
        line(3, "CR", "4000", condition=":days = 0"),
    )
    assert (
        written(compiled(template(lines=lines)).expand(events(event(1, 9, days=0))))[1] == "1: CR 4000 OP 9"
    )
    dividing = (line(1, "DR", "1200"), line(2, "CR", "4000", condition=":amount / :days > 1"))
    told = refused(compiled(template(lines=dividing)).expand(events(event(1, 9, days=0))))[1]
    assert told == "TEMPLATE LEASE/1, line 2: division by zero in its condition :amount / :days > 1"


def test_an_amount_the_journal_cannot_hold_is_rejected() -> None:
    lines = (line(1, "DR", "1200", ":amount * 10"), line(2, "CR", "4000", ":amount * 10"))
    limit = Decimal("9999999999999.999")
    expansion = compiled(template(lines=lines)).expand(
        events(event(1, str(limit)), event(2, "10000000000000"))
    )
    assert refused(expansion) == {
        2: "TEMPLATE LEASE/1, line 1: its amount :amount * 10 has more than 14 digits before the point"
    }
    assert written(expansion)[0] == "1: DR 1200 OP 99999999999999.99"


def test_a_calculation_past_38_digits_stops_the_batch_and_names_template_line_and_row() -> None:
    lines = (line(1, "DR", "1200"), line(2, "CR", "4000", ":amount * :net * :fee"))
    fine = [event(n, 1, net=1, fee=1) for n in range(200)]
    wrong = event(777, "99999999999999", net="99999999999999", fee="99999999999999")
    for frame in (events(wrong), events(*fine, wrong, *fine)):
        with pytest.raises(NumberOverflow, match=r"TEMPLATE LEASE/1, line 2, row 777: .* in :amount .* :net"):
            compiled(template(lines=lines)).expand(frame)


def test_a_condition_past_38_digits_names_its_match() -> None:
    wide = template(matches=(match(condition=":amount * :net * :fee > 1"),))
    with pytest.raises(NumberOverflow, match="LEASE/1, match 1, row 5"):
        compiled(wide).expand(events(event(5, "99999999999999", net="99999999999999", fee="99999999999999")))


def test_events_of_another_shape_are_refused() -> None:
    ready = compiled(template(lines=SPLIT))
    frame = events(event(1, 1, net=1, fee=0))
    with pytest.raises(WrongColumns, match=r"column net, fee is missing|column fee, net is missing"):
        ready.expand(frame.drop("net", "fee"))
    with pytest.raises(WrongColumns, match=r"column net is Decimal\(precision=20, scale=2\)"):
        ready.expand(frame.cast({"net": pl.Decimal(20, 2)}))
    with pytest.raises(WrongColumns, match="column amount is Float64"):
        ready.expand(frame.cast({"amount": pl.Float64}))
    with pytest.raises(WrongColumns, match="on is no date"):
        ready.expand(frame.cast({"on": pl.String}))
    ready.expand(frame.drop("note", "days"))


# --- preview --------------------------------------------------------------------------------------------------------


def test_preview_shows_the_lines_of_a_draft_for_one_event() -> None:
    draft = template(
        lines=(line(1, "DR", "1200", memo="lease"), line(2, "CR", "4000")), effective=(date(2099, 1, 1), None)
    )
    assert preview(draft, {"amount": Decimal("-1.5")}) == [
        {
            "line_number": 1,
            "side": "CR",
            "account": "1200",
            "fund": "OP",
            "currency": "USD",
            "amount": Decimal("1.5"),
            "memo": "lease",
        },
        {
            "line_number": 2,
            "side": "DR",
            "account": "4000",
            "fund": "OP",
            "currency": "USD",
            "amount": Decimal("1.5"),
            "memo": "",
        },
    ]
    assert preview(template(lines=()), {"amount": Decimal(1)}) == []


def test_preview_follows_overrides_and_adjusts() -> None:
    override = AccountOverride(None, "X", "4000", None, "1100", None)
    lines = preview(
        template(lines=SPLIT, control=adjust("0.01")),
        {"amount": Decimal(1), "net": Decimal("0.99"), "fee": Decimal(0), "product": "X"},
        overrides=[override],
    )
    assert [(each["account"], each["amount"]) for each in lines] == [
        ("1200", 1),
        ("1100", Decimal("0.99")),
        ("5900", Decimal("0.01")),
    ]


def test_preview_tells_why_there_is_no_entry() -> None:
    with pytest.raises(PreviewRefused, match=r"entry off by 1\.00 in fund OP"):
        preview(template(lines=SPLIT), {"amount": Decimal(2), "net": Decimal(1), "fee": Decimal(0)})
    with pytest.raises(PreviewRefused, match="column net is empty"):
        preview(template(lines=SPLIT), {"amount": Decimal(2), "net": None, "fee": Decimal(0)}, schema=SCHEMA)
    with pytest.raises(TemplateError, match="unknown column :net"):
        preview(template(lines=SPLIT), {"amount": Decimal(2)})


# --- few and many -----------------------------------------------------------------------------------------------------

MANY = [
    *VERSIONS,
    template("LEASE_DOV", lines=SPLIT, matches=(match(product="DOV"),), control=adjust("0.02")),
    template("REPAIR", lines=SPLIT, matches=(match("REPAIR", max_amount=Decimal(5)),)),
    template(
        "BIG_REPAIR",
        lines=(
            line(1, "DR", "1200", ":amount"),
            line(2, "CR", "4000", ":amount - :amount / :days", condition=":days <> 1"),
            line(3, "CR", "4100", ":amount / :days"),
        ),
        matches=(match("REPAIR", min_amount=Decimal("5.000001"), condition=":days >= 0"),),
        control=adjust("0.01"),
    ),
    template("CASH", lines=(), matches=(match("LEASE", channel="CASH"),)),
]


def any_event(chance: Random, row: int) -> dict[str, object]:
    net, fee = chance.randrange(-500, 500), chance.choice([0, 1, chance.randrange(-99, 99)])
    off = chance.choice([0, 0, 0, 1, 2, 3])
    return event(
        row,
        str(Decimal(net + fee + off) / 100),
        net=str(Decimal(net) / 100),
        fee=chance.choice([None, str(Decimal(fee) / 100), str(Decimal(fee) / 100), str(Decimal(fee) / 100)]),
        days=chance.choice([None, 0, 1, 2, 3, 7]),
        txn_type=chance.choice(["LEASE", "LEASE", "REPAIR", "REPAIR", "NIX"]),
        product=chance.choice(["", "DOV", "X"]),
        channel=chance.choice(["", "", "", "CASH"]),
        on=chance.choice([ON, date(2019, 6, 3), date(2017, 1, 1)]),
    )


@settings(max_examples=60)
@given(st.integers(0, 2**40), st.integers(1, 6))
def test_few_events_give_what_many_give(seed: int, size: int) -> None:
    chance = Random(seed)
    ready = compiled(*MANY, overrides=(AccountOverride(None, "X", "4000", None, "4900", None),))
    frame = events(*(any_event(chance, row) for row in range(size)))
    together = ready._expand_many(frame, *ready._accept(frame))
    singly = [ready.expand(frame.slice(row, 1)) for row in range(size)]
    assert together.lines.sort("row", "line_number").equals(pl.concat(each.lines for each in singly))
    assert together.rejects.sort("row").equals(pl.concat(each.rejects for each in singly))
    assert together.skipped == sum(each.skipped for each in singly)
    # Every event ends in one place, and every fund of every entry balances.
    assert together.lines["row"].n_unique() + together.rejects.height + together.skipped == size
    signed = pl.when(pl.col("side") == "DR").then(pl.col("amount")).otherwise(-pl.col("amount"))
    assert (together.lines.group_by("row", "fund").agg(signed.sum())["amount"] == 0).all()
    assert (together.lines["amount"] > 0).all()


def test_the_way_of_few_events_is_taken_by_ordinary_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = compiled(*MANY)
    monkeypatch.setattr(ready, "_expand_many", None)
    ordinary = events(event(1), event(2, 3, txn_type="REPAIR", net=3, fee=0), event(3, channel="CASH"))
    assert ready.expand(ordinary).lines.height == 4
    assert engine.FEW >= 10
