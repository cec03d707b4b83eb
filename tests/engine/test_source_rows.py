"""Source rows of a pack judged by themselves: what passes, what does not and why, and nothing in between."""

import csv
import hashlib
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.takaful_rows import takaful_rows
from ledger.engine.data_loader import ROW_NUMBER, FileRefused, _fields, read_frames
from ledger.engine.source_faults import FAULTS, Measure
from ledger.engine.source_files import FORMATS, WrongColumns, WrongSchema, read_csv, read_frame
from ledger.engine.source_rows import Judged, RowIds, judge, rows_schema

TAKAFUL = FORMATS["takaful"]
MEASURE = Measure(
    format=TAKAFUL,
    first=date(2007, 1, 1),
    last=date(2026, 11, 21),
    exponents={"USD": 2, "JPY": 0, "KWD": 3},
)
PREMIUM = {
    "source_rowid": "P-1",
    "txn_type": "PREMIUM_RECEIPT",
    "product_code": "LIFE01",
    "channel": "AGENCY",
    "currency": "USD",
    "policy_no": "LP-1",
    "bank_value_date": "2019-03-15",
    "txn_month": "2019-03-01",
    "gross_amount": "1000.00",
    "tabarru_amount": "300.00",
    "tanahud_amount": "0.00",
    "invest_amount": "600.00",
    "ujroh_amount": "100.00",
    "admin_amount": "0.00",
}


def judged(*rows: dict[str, str | None]) -> Judged:
    frame = pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.String))
    return judge(next(read_frame(frame, TAKAFUL)), measure=MEASURE, ids=RowIds())


def faults(**columns: str) -> list[tuple[str, str]]:
    """The column and code of every fault of a premium that differs in these columns."""
    found = judged({**PREMIUM, **columns})
    assert found.rows.height == (0 if found.faults.height else 1)
    return list(found.faults.select("column", "code").iter_rows())


def message(**columns: str) -> str:
    (found,) = judged({**PREMIUM, **columns}).faults["message"]
    return str(found)


def test_a_premium_is_read_to_the_last_decimal() -> None:
    rows = judged({**PREMIUM, "tabarru_amount": "299.996001", "invest_amount": "600.003999"}).rows
    assert rows.schema == rows_schema(TAKAFUL)
    assert rows.row(0, named=True) | {"row_hash": b""} == {
        **PREMIUM,
        "row_number": 1,
        "bank_value_date": date(2019, 3, 15),
        "txn_month": date(2019, 3, 1),
        "gross_amount": Decimal("1000.000000"),
        "tabarru_amount": Decimal("299.996001"),
        "tanahud_amount": Decimal(0),
        "invest_amount": Decimal("600.003999"),
        "ujroh_amount": Decimal(100),
        "admin_amount": Decimal(0),
        "row_hash": b"",
    }


def test_blanks_around_values_do_not_matter() -> None:
    assert faults(**{name: f"  {value} " for name, value in PREMIUM.items()}) == []


@pytest.mark.parametrize(
    ("largest", "code"),
    [("99999999999999.99", None), ("100000000000000.00", "amount.too_large")],
)
def test_the_largest_amount_is_what_the_table_holds(largest: str, code: str | None) -> None:
    parts = {"tabarru_amount": largest, "invest_amount": "0", "ujroh_amount": "0", "gross_amount": largest}
    assert {found for _, found in faults(**parts)} == ({code} if code else set())


@pytest.mark.parametrize(
    ("day", "code"),
    [
        ("2026-11-21", None),
        ("2026-11-22", "date.future"),
        ("2007-01-01", None),
        ("2006-12-31", "date.too_early"),
        ("2024-02-29", None),
        ("2023-02-29", "date.impossible"),
    ],
)
def test_days_at_the_edges(day: str, code: str | None) -> None:
    found = faults(bank_value_date=day, txn_month=f"{day[:7]}-01")
    assert found == ([("bank_value_date", code)] if code else [])


@pytest.mark.parametrize(
    ("currency", "gross", "fits"),
    [("USD", "0.01", True), ("USD", "0.010000", True), ("USD", "0.001", False), ("KWD", "0.001", True),
     ("KWD", "0.0001", False), ("JPY", "1.0", True), ("JPY", "0.5", False)],
)  # fmt: skip
def test_the_gross_has_no_finer_decimals_than_its_currency(currency: str, gross: str, fits: bool) -> None:
    parts = {"tabarru_amount": gross, "invest_amount": "0", "ujroh_amount": "0"}
    expected = [] if fits else [("gross_amount", "amount.too_many_decimals")]
    assert faults(currency=currency, gross_amount=gross, **parts) == expected


def test_a_gross_that_does_not_add_up_is_told_with_the_difference() -> None:
    assert message(gross_amount="999.99") == (
        "'999.99' is not what the parts add up to, 1000.00: a difference of -0.01"
    )


def test_a_claim_is_what_its_parts_leave_after_administration() -> None:
    claim = {
        "txn_type": "CLAIM_PAID", "gross_amount": "780", "tabarru_amount": "800", "invest_amount": "0",
        "ujroh_amount": "0", "admin_amount": "20",
    }  # fmt: skip
    assert faults(**claim) == []
    assert faults(**{**claim, "gross_amount": "820"}) == [("gross_amount", "row.does_not_add_up")]


def test_every_wrong_value_of_a_row_is_told() -> None:
    assert faults(policy_no="", bank_value_date="soon", ujroh_amount="1e2", currency="EUR") == [
        ("currency", "currency.unknown"),
        ("policy_no", "value.empty"),
        ("bank_value_date", "date.unreadable"),
        ("ujroh_amount", "amount.exponent"),
    ]


def test_a_long_wrong_value_is_shown_in_part_and_without_what_cannot_be_shown() -> None:
    assert (
        message(channel="A\0" + "B" * 99)
        == f"'A\N{REPLACEMENT CHARACTER}{'B' * 38}…' has a control character in it"
    )


def test_figures_written_otherwise_are_the_same_figures() -> None:
    plain, other = (
        judged({**PREMIUM, "gross_amount": gross, "txn_month": month}).rows["row_hash"][0]
        for gross, month in (("1000.00", "2019-03-01"), ("1000", "2019-03"))
    )
    assert plain == other
    assert other != judged({**PREMIUM, "policy_no": "LP-2"}).rows["row_hash"][0]


def test_the_hash_of_a_row_is_what_it_always_was() -> None:
    """Hashes are kept for ever: were they made in another way, every row loaded again would seem changed."""
    line = (
        b"P-1,PREMIUM_RECEIPT,LIFE01,AGENCY,USD,LP-1,2019-03-15,"
        b"1000.000000,300.000000,0.000000,600.000000,100.000000,0.000000"
    )
    assert judged(PREMIUM).rows["row_hash"][0] == hashlib.sha256(line).digest()


def test_a_row_id_that_comes_again_is_found_across_frames_whatever_their_order() -> None:
    ids = RowIds()
    assert ids.repeated(pl.Series(["b", "a", "b", "", ""])).to_list() == [False, False, True, False, False]
    assert ids.repeated(pl.Series(["d", "c"])).to_list() == [False, False]
    assert ids.repeated(pl.Series(["e", "a", "c", "e"])).to_list() == [False, True, True, True]


# --- kinds of columns ---------------------------------------------------------------------------------------


def test_text_and_typed_columns_give_the_same_rows() -> None:
    typed = takaful_rows(3_000)
    text = typed.select(pl.col(column).cast(pl.String) for column in typed.columns)
    wide = typed.with_columns(
        pl.col("^.*_amount$").cast(pl.Decimal(38, 9)), pl.col("channel").cast(pl.Categorical)
    )
    first, *others = (
        judge(next(read_frame(frame, TAKAFUL)), measure=MEASURE, ids=RowIds())
        for frame in (typed, text, wide)
    )
    assert first.rows.height == 3_000
    for other in others:
        assert first.rows.equals(other.rows)


def test_integers_are_amounts_and_ids_too() -> None:
    frame = pl.DataFrame([PREMIUM]).with_columns(
        pl.lit(7).alias("source_rowid"), pl.col("^.*_amount$").cast(pl.Float64).cast(pl.Int32)
    )
    rows = judge(next(read_frame(frame, TAKAFUL)), measure=MEASURE, ids=RowIds()).rows
    assert rows.select("source_rowid", "gross_amount").row(0) == ("7", Decimal(1000))


def test_without_a_month_it_follows_from_the_day() -> None:
    row = {name: value for name, value in PREMIUM.items() if name != "txn_month"}
    assert judged(row).rows["txn_month"][0] == date(2019, 3, 1)


def test_nulls_are_missing_values() -> None:
    found = judged(dict.fromkeys(PREMIUM)).faults
    assert set(found["column"]) == set(TAKAFUL.columns)
    assert set(found["code"]) == {"value.empty"}


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("gross_amount", pl.Float64),
        ("ujroh_amount", pl.Boolean),
        ("bank_value_date", pl.Datetime("us")),
        ("txn_month", pl.Int64),
        ("policy_no", pl.Float32),
    ],
)
def test_a_column_of_another_kind_is_named(column: str, kind: pl.DataType) -> None:
    frame = pl.DataFrame([PREMIUM]).with_columns(pl.lit(None, dtype=kind).alias(column))
    with pytest.raises(
        WrongSchema, match=f"Column {column} is {kind}".replace("(", r"\(").replace(")", r"\)")
    ):
        next(read_frame(frame, TAKAFUL))


def test_other_columns_than_those_expected_are_named() -> None:
    frame = pl.DataFrame([PREMIUM]).rename({"policy_no": "policy"})
    with pytest.raises(WrongColumns, match="missing 'policy_no'; not known 'policy'"):
        next(read_frame(frame, TAKAFUL))


# --- whatever comes -----------------------------------------------------------------------------------------

amounts = st.one_of(
    st.decimals(-10, 10**15, places=2).map(str),
    st.decimals(0, 10, places=7).map(str),
    st.sampled_from(["", "0", "-0", "NaN", "1e5", "1,000", "0x10", "１", "1_000", "00001", " 5", ".5"]),
    st.text(max_size=5),
)
texts = st.one_of(st.sampled_from(["P-1", "USD", "CLAIM_PAID", "PREMIUM_RECEIPT", ""]), st.text(max_size=70))
dates = st.one_of(
    st.dates().map(str),
    st.sampled_from(["2019-03-15", "2019-03-01", "2019-3-1", "2019-02-29", "", "0000-00-00", "9999-99-99"]),
    st.text(max_size=12),
)
rows = st.fixed_dictionaries(
    {
        **dict.fromkeys(TAKAFUL.texts, texts),
        "bank_value_date": dates,
        "txn_month": dates,
        **dict.fromkeys(TAKAFUL.amounts, amounts),
    }
)


@settings(max_examples=100)
@given(changes=st.lists(st.tuples(st.sampled_from(sorted(PREMIUM)), st.data()), max_size=3), whole=rows)
def test_whatever_a_row_says_it_is_loaded_or_something_is_wrong_with_it(changes: list, whole: dict) -> None:
    """`judge` itself stops where a row that does not pass has no fault; here the others are read again, plainly."""
    some = {**PREMIUM, **{column: whole[column] for column, _ in changes}}
    found = judged(some, {**whole, "source_rowid": "other"})
    assert found.faults.schema == FAULTS
    assert set(found.rows[ROW_NUMBER]) | set(found.faults[ROW_NUMBER]) == {1, 2}
    assert not set(found.rows[ROW_NUMBER]) & set(found.faults[ROW_NUMBER])
    for row in found.rows.iter_rows(named=True):
        came = some if row[ROW_NUMBER] == 1 else whole
        gross = Decimal(came["gross_amount"].strip())
        parts = {name: Decimal(came[name].strip()) for name in TAKAFUL.components}
        signs = TAKAFUL.identities[came["txn_type"].strip()]
        assert gross == sum(sign * parts[name] for name, sign in signs.items())
        assert all(parts[name] == 0 for name in parts.keys() - signs)
        assert min(gross, *parts.values()) >= 0
        assert {name: row[name] for name in parts} == parts
        day = date.fromisoformat(came["bank_value_date"].strip())
        assert MEASURE.first <= day <= MEASURE.last and row["txn_month"] == day.replace(day=1)


# --- the reader of files ------------------------------------------------------------------------------------


def blocks(content: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@settings(max_examples=100)
@given(
    lines=st.lists(st.lists(st.text(alphabet='ab ,"é\t', max_size=4), min_size=3, max_size=3), max_size=8),
    odd=st.sampled_from(["", "\n", "a,b\n", "a,b,c,d\n", ",,\n", "  \n", '"a,b",c,d\n', 'a"b,c,d\n']),
    place=st.integers(0, 8),
    size=st.integers(1, 60),
)
def test_the_fast_way_of_reading_is_the_careful_one(lines: list, odd: str, place: int, size: int) -> None:
    """Fields without quotation marks and commas of their own, and one odd line somewhere."""
    plain = [",".join(field.replace('"', "").replace(",", "") for field in line) + "\n" for line in lines]
    text = "".join([*plain[:place], odd, *plain[place:]])
    expected = list(_careful(text))
    try:
        frames = list(read_frames(blocks(b"x,y,z\n" + text.encode(), size), ["x", "y", "z"]))
    except FileRefused:
        assert expected[-1:] == ["refused"]
    else:
        assert [row for frame in frames for row in frame.iter_rows()] == expected


def _careful(text: str) -> Iterator[tuple | str]:
    for row, line in enumerate(text.split("\n"), 2):
        if not line.strip():
            continue
        try:
            fields = next(csv.reader([line], strict=True)) if '"' in line else line.split(",")
        except csv.Error:
            fields = []
        if len(fields) != 3:
            yield "refused"
            return
        yield (row, *fields)


def test_too_few_fields_in_one_line_do_not_hide_too_many_in_another() -> None:
    with pytest.raises(FileRefused, match="Row 2 has 2 fields instead of 3"):
        _fields("a,b\nc,d,e,f\n", 2, ["x", "y", "z"])


def test_a_csv_file_may_leave_the_month_out_but_nothing_else() -> None:
    header = [name for name in reversed(TAKAFUL.columns) if name != "txn_month"]
    line = ",".join(PREMIUM[name] for name in header)
    (frame,) = read_csv([f"{','.join(header)}\n{line}\n".encode()], TAKAFUL)
    assert judge(frame, measure=MEASURE, ids=RowIds()).rows["row_number"].to_list() == [2]
    with pytest.raises(FileRefused, match="missing 'policy_no'"):
        list(read_csv([f"{','.join(header).replace('policy_no', 'txn_month')}\n{line}\n".encode()], TAKAFUL))
