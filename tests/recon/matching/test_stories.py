"""What happens in the cases that people ask about."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from recon.matching.match import match
from recon.matching.models import DefaultModel, Limits, Windows
from recon.matching.rows import WrongRows

from .makers import DAY, MINUTE, SECOND, ends, one, partners, row, rows

WEEK = DefaultModel(near_seconds=86_400, far_seconds=7 * 86_400, windows=Windows(-86_400, 7 * 86_400, 0.05))


def test_an_identifier_that_the_bank_used_twice_pairs_once_for_each_row_of_ours() -> None:
    ledger = rows(row("L", reference="T1"))
    external = rows(row("E1", reference="T1"), row("E2", reference="T1"))
    found = match(ledger, external)
    assert partners(found.ledger) == {"L": "E1"}
    assert ends(found.external) == {"E1": "matched", "E2": "unmatched"}
    assert one(found.external, "E2")["nearest"] == "L"
    assert one(found.external, "E2")["failed"] == "text,taken"
    both = match(rows(row("L1", reference="T1"), row("L2", reference="T1")), external)
    assert partners(both.ledger) == {"L1": "E1", "L2": "E2"}


def test_the_same_identifier_with_another_amount_is_no_exact_match() -> None:
    found = match(rows(row("L", "10.00", reference="T1")), rows(row("E", "12.00", reference="T1")))
    assert ends(found.ledger) == {"L": "unmatched"}
    assert (one(found.ledger, "L")["nearest"], one(found.ledger, "L")["failed"]) == ("E", "amount")
    assert one(found.ledger, "L")["difference"] == Decimal("2.00")


def test_equal_amounts_on_one_day_are_ambiguous_and_nobody_claims_them() -> None:
    ledger = rows(row("L1", description="CARD"), row("L2", description="CARD"))
    external = rows(row("E1", description="CARD"), row("E2", description="CARD"))
    found = match(ledger, external)
    assert found.pairs.is_empty()
    assert set(ends(found.ledger).values()) == set(ends(found.external).values()) == {"ambiguous"}
    assert sorted(found.options.select("ledger_key", "external_key").rows()) == [
        ("L1", "E1"),
        ("L1", "E2"),
        ("L2", "E1"),
        ("L2", "E2"),
    ]


def test_equal_amounts_on_one_day_are_told_apart_by_their_texts() -> None:
    ledger = rows(row("L1", description="ANNA BERG"), row("L2", description="TOM REED"))
    external = rows(
        row("E1", at=SECOND, description="TOM REED"), row("E2", at=SECOND, description="ANNA BERG")
    )
    assert partners(match(ledger, external).ledger) == {"L1": "E2", "L2": "E1"}


def test_a_rival_that_has_a_better_partner_of_its_own_makes_nothing_ambiguous() -> None:
    ledger = rows(row("L1"), row("L2", at=MINUTE))
    external = rows(row("E1"), row("E2", at=MINUTE))
    found = match(ledger, external)
    assert partners(found.ledger) == {"L1": "E1", "L2": "E2"}
    late = match(ledger, rows(row("E1", at=29 * SECOND), row("E2", at=5 * MINUTE)))
    assert set(ends(late.ledger).values()) == {"ambiguous"}


def test_a_third_row_that_could_be_either_is_ambiguous_with_them() -> None:
    found = match(rows(row("L1"), row("L2")), rows(row("E1")))
    assert ends(found.ledger) == {"L1": "ambiguous", "L2": "ambiguous"}
    assert ends(found.external) == {"E1": "ambiguous"}


def test_money_in_is_never_money_out() -> None:
    found = match(rows(row("L", "10.00", reference="T1")), rows(row("E", "-10.00", reference="T1")))
    assert ends(found.ledger) == {"L": "unmatched"}
    assert one(found.ledger, "L")["failed"] == "sign"
    assert one(found.external, "E")["failed"] == "sign"
    assert one(found.external, "E")["difference"] == Decimal("-20.00")
    any_amount = DefaultModel(windows=Windows(-60, 60, 2.0), limits=Limits(match=0.1, suggest=0.1, margin=0))
    assert match(rows(row("L", "10.00")), rows(row("E", "-10.00")), model=any_amount).pairs.is_empty()
    assert match(rows(row("L", "10.00")), rows(row("E", "19.00")), model=any_amount).pairs.height == 1


def test_a_refund_meets_a_refund() -> None:
    assert partners(match(rows(row("L", "-10.00")), rows(row("E", "-10.00"))).ledger) == {"L": "E"}


def test_currencies_and_accounts_are_gates() -> None:
    ledger = rows(row("L", account="1100", reference="T1"))
    other = match(ledger, rows(row("E", account="1100", reference="T1", currency="EUR")))
    assert one(other.ledger, "L")["failed"] == "currency"
    elsewhere = match(ledger, rows(row("E", account="1010", reference="T1")))
    assert one(elsewhere.ledger, "L")["failed"] == "account"
    without = match(ledger, rows(row("E", reference="T1")))
    assert partners(without.ledger) == {"L": "E"}


def test_the_same_moment_on_two_clocks_is_the_same_moment() -> None:
    evening = datetime(2019, 3, 9, 23, 30, tzinfo=ZoneInfo("America/New_York"))
    ledger = rows(row("L", at=evening, reference="T1"))
    external = rows(row("E", at=datetime.fromisoformat("2019-03-10T04:30:00+00:00"), reference="T1"))
    theirs = external.with_columns(pl.col("occurred_at").dt.convert_time_zone("Asia/Tokyo"))
    assert match(ledger, theirs).pairs["rule"].to_list() == ["exact"]


def test_times_without_a_zone_are_refused() -> None:
    naive = rows(row("L")).with_columns(pl.col("occurred_at").dt.replace_time_zone(None))
    with pytest.raises(WrongRows, match="without a time zone"):
        match(naive, rows(row("E")))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"amount": pl.col("amount").cast(pl.Float64)}, "neither Decimal nor whole minor units"),
        ({"key": pl.lit("L")}, "key L comes more than once"),
        ({"currency": pl.lit(None, pl.String)}, "column currency has empty values"),
        ({"reference": pl.lit(7)}, "column reference is Int32, not text"),
        ({"amount": pl.lit(Decimal("9" * 22), pl.Decimal(38, 2))}, "more digits than fit"),
        ({"amount": pl.lit(2**62, pl.Int64)}, "decimals"),
    ],
)
def test_rows_of_another_shape_are_refused_by_side_and_column(
    change: dict[str, pl.Expr], problem: str
) -> None:
    wrong = rows(row("A"), row("B")).with_columns(**change)
    with pytest.raises(WrongRows, match=f"ledger.*{problem}|external.*{problem}"):
        match(wrong, rows(row("E")))


def test_minor_units_and_decimals_of_any_scale_give_the_same_answers() -> None:
    ledger, external = rows(row("L", "10.01", description="A")), rows(row("E", "10.02", description="A"))
    cents = [side.with_columns(amount=(pl.col("amount") * 100).cast(pl.Int64)) for side in (ledger, external)]
    fine = external.with_columns(pl.col("amount").cast(pl.Decimal(20, 6)))
    answers = [match(ledger, external), match(*cents), match(ledger, fine)]
    assert {answer.pairs["score"][0] for answer in answers} == {answers[0].pairs["score"][0]}
    assert answers[0].pairs["difference"].to_list() == [Decimal("0.01")]
    assert answers[1].pairs["difference"].to_list() == [1]


def test_half_a_file_leaves_the_rest_waiting_and_tells_it_from_what_is_wrong() -> None:
    ledger = rows(row("EARLY", "11.00"), row("LATE", "50.00", at=9 * DAY))
    external = rows(row("E", "70.00", at=8 * DAY))
    found = match(ledger, external, model=WEEK).ledger
    assert one(found, "EARLY")["waiting"] is False
    assert one(found, "LATE")["waiting"] is True


def test_a_side_without_rows_leaves_the_other_alone() -> None:
    found = match(rows(row("L")), rows())
    assert ends(found.ledger) == {"L": "unmatched"}
    assert (one(found.ledger, "L")["nearest"], one(found.ledger, "L")["failed"]) == (None, "nothing")
    assert found.external.is_empty()
    assert match(rows(), rows()).pairs.is_empty()


def test_what_stays_alone_says_what_came_nearest_and_what_failed() -> None:
    ledger = rows(row("L", "10.00", description="ANNA"))
    too_late = match(ledger, rows(row("E", "10.00", at=DAY, description="ANNA"))).ledger
    assert (one(too_late, "L")["failed"], one(too_late, "L")["delay"]) == ("time", DAY)
    unlike = match(ledger, rows(row("E", "10.30", at=40 * MINUTE, description="QQQ"))).ledger
    assert one(unlike, "L")["failed"] == "score,amount,time,text"
    assert 0 < one(unlike, "L")["score"] < 0.8  # type: ignore[operator]
    taken = match(rows(row("L1", "20.00"), row("L2", "20.00", at=MINUTE)), rows(row("E", "20.00", at=SECOND)))
    assert ends(taken.ledger) == {"L1": "matched", "L2": "unmatched"}
    assert (one(taken.ledger, "L2")["nearest"], one(taken.ledger, "L2")["failed"]) == ("E", "taken")


def test_a_deposit_is_the_payments_of_its_batch_refunds_included() -> None:
    ledger = rows(
        row("L1", "60.00", group_key="PO-1"),
        row("L2", "45.00", at=DAY, group_key="PO-1"),
        row("L3", "-5.00", at=DAY, group_key="PO-1"),
        row("L4", "100.00", group_key="PO-2"),
    )
    external = rows(row("E1", "100.00", at=2 * DAY, reference="PO-1"))
    found = match(ledger, external, model=WEEK)
    assert sorted(found.groups.rows()) == [(1, "group_key", key, "E1") for key in ("L1", "L2", "L3")]
    assert ends(found.ledger) == {"L1": "suggested", "L2": "suggested", "L3": "suggested", "L4": "unmatched"}
    assert one(found.external, "E1")["end"] == "suggested"
    short = external.with_columns(amount=pl.lit(Decimal("99.99"), pl.Decimal(14, 2)))
    assert match(ledger, short, model=WEEK).groups.is_empty()


def test_one_of_ours_is_several_of_theirs() -> None:
    ledger = rows(row("L", "30.00", group_key="B"))
    external = rows(row("E1", "10.00", group_key="B"), row("E2", "20.00", group_key="B"))
    assert match(ledger, external, model=WEEK).groups["rule"].to_list() == ["group_key", "group_key"]


def test_without_a_name_a_few_rows_of_the_same_party_add_up_exactly_or_not_at_all() -> None:
    ledger = rows(row("L", "91.00", description="CURB PAYOUT"))
    parts = [("E1", "30.00"), ("E2", "61.00"), ("E3", "17.00")]
    external = rows(*(row(key, amount, at=DAY, description="CURB CARD") for key, amount in parts))
    found = match(ledger, external, model=WEEK)
    assert sorted(found.groups.rows()) == [(1, "sum", "L", "E1"), (1, "sum", "L", "E2")]
    assert ends(found.external)["E3"] == "unmatched"
    # Two ways to add up say nothing.
    two_ways = rows(
        *(row(key, amount, at=DAY, description="CURB CARD") for key, amount in [*parts, ("E4", "74.00")])
    )
    assert match(ledger, two_ways, model=WEEK).groups.is_empty()
    others = external.with_columns(description=pl.lit("OTHER PARTY"))
    assert match(ledger, others, model=WEEK).groups.is_empty()


def test_where_almost_anything_adds_up_nothing_is_suggested() -> None:
    ledger = rows(row("L", "91.00", description="CURB PAYOUT"))
    parts = [row("E1", "30.00", description="CURB CARD"), row("E2", "61.00", description="CURB CARD")]
    few = [row(f"O{n}", f"0.{n:02}", description="CURB CARD") for n in range(1, 11)]
    assert match(ledger, rows(*parts, *few), model=WEEK).groups.height == 2
    one_more = row("O11", "0.11", description="CURB CARD")
    found = match(ledger, rows(*parts, *few, one_more), model=WEEK)
    assert (found.groups.height, found.crowded) == (0, 1)
    crowd = [row(f"C{n}", "0.01", description="CURB CARD") for n in range(60)]
    found = match(ledger, rows(*parts, *crowd), model=WEEK)
    assert (found.groups.height, found.crowded) == (0, 1)


def test_the_margin_decides_between_matched_and_ambiguous() -> None:
    ledger = rows(row("L"))
    external = rows(row("E1"), row("E2", at=20 * SECOND))  # 0.85 and 0.84
    close = DefaultModel(limits=Limits(match=0.8, suggest=0.8, margin=0.02))
    narrow = DefaultModel(limits=Limits(match=0.8, suggest=0.8, margin=0.005))
    assert ends(match(ledger, external, model=close).ledger) == {"L": "ambiguous"}
    assert ends(match(ledger, external, model=narrow).ledger) == {"L": "matched"}
    assert match(ledger, external, model=narrow).pairs["rival"].to_list() == [None]


def test_below_a_match_there_are_suggestions() -> None:
    careful = DefaultModel(limits=Limits(match=0.9, suggest=0.8, margin=0.01))
    found = match(rows(row("L")), rows(row("E", at=timedelta(seconds=30))), model=careful)
    assert ends(found.ledger) == {"L": "suggested"}
    assert partners(found.external) == {"E": "L"}
