"""What each format is read as, and what is refused: always a row and a column, and nothing of the file is kept."""

import json
import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from recon.sources import (
    BadFile,
    BadMapping,
    BadRow,
    ControlTotals,
    Feed,
    SourceError,
    UnknownAdapter,
    UnsupportedCurrency,
    get_adapter,
)

from .bank_statements import CAMT, MT940, OFX

HEAD = "txn_id,date,amount,currency,reference,description\n"


def read(
    folder: Path, content: str | bytes, adapter: str = "bank_csv", decimals: int = 2, **mapping: Any
) -> pl.DataFrame:
    path = folder / "file"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    reader = get_adapter(adapter)
    reader.check(mapping)
    feed = Feed(mapping=mapping, currency="USD", decimals=2, on=date(2019, 3, 31), path=path)
    return reader.read(feed).rows


def amounts(rows: pl.DataFrame) -> dict[str, Decimal]:
    return dict(rows.select("external_id", "amount").iter_rows())


def test_signs_are_kept_and_amounts_are_exact(tmp_path: Path) -> None:
    rows = read(
        tmp_path, HEAD + "A,2019-03-04,10.10,USD,,x\nB,2019-03-04,-0.30,USD,,\nC,2019-03-05,+7,,R,y\n"
    )
    assert amounts(rows) == {"A": Decimal("10.1"), "B": Decimal("-0.3"), "C": Decimal(7)}
    assert rows.schema["amount"] == pl.Decimal(20, 6)
    assert rows["currency"].to_list() == ["USD"] * 3  # an empty one is the source's own
    assert json.loads(rows["raw"][0])["description"] == "x"


def test_columns_are_mapped_debits_and_credits_become_signs_and_commas_decimals(tmp_path: Path) -> None:
    mapping = {
        "columns": {"id": "Nr", "time": "Tag", "credit": "Haben", "debit": "Soll", "description": "Text"},
        "delimiter": ";", "decimal": ",", "date_format": "%d.%m.%Y", "encoding": "cp1252",
    }  # fmt: skip
    content = "Nr;Tag;Soll;Haben;Text\n1;04.03.2019;;1.234,50;Größe\n2;05.03.2019;20,00;;\n3;06.03.2019;0,00;5,00;\n"
    rows = read(tmp_path, content.encode("cp1252"), "csv", **mapping)
    assert amounts(rows) == {"1": Decimal("1234.50"), "2": Decimal(-20), "3": Decimal(5)}
    assert rows["description"][0] == "Größe"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("(12.00)", "-12"), ("12.00-", "-12"), ("1,234.50", "1234.5"), ("−3.00", "-3"), (" 3.10 ", "3.1")],
)
def test_amounts_as_banks_write_them(tmp_path: Path, written: str, meant: str) -> None:
    rows = read(tmp_path, HEAD + f'A,2019-03-04,"{written}",USD,,\n')
    assert rows["amount"][0] == Decimal(meant)


@pytest.mark.parametrize(
    ("written", "zone", "meant"),
    [
        ("2019-03-04", "America/New_York", "2019-03-04T05:00+00:00"),
        ("2019-03-04", "UTC", "2019-03-04T00:00+00:00"),
        ("2019-03-04 09:00:00", "America/New_York", "2019-03-04T14:00+00:00"),
        ("2019-03-12T09:00", "America/New_York", "2019-03-12T13:00+00:00"),  # summer time has begun
        ("2019-03-04T09:00:00+01:00", "America/New_York", "2019-03-04T08:00+00:00"),
        ("2019-03-04T09:00:00Z", "America/New_York", "2019-03-04T09:00+00:00"),
        ("2019-11-03T01:30:00", "America/New_York", "2019-11-03T05:30+00:00"),  # twice that night: the first
    ],
)
def test_times_are_instants_whatever_zone_they_are_written_in(
    tmp_path: Path, written: str, zone: str, meant: str
) -> None:
    rows = read(tmp_path, HEAD + f"A,{written},1.00,USD,,\n", time_zone=zone)
    assert rows["occurred_at"][0] == datetime.fromisoformat(meant)


@pytest.mark.parametrize(
    ("row", "error", "told"),
    [
        ("B,2019-03-04,ten,USD,,", BadRow, "Row 3, column amount: 'ten' is not an amount"),
        (
            "B,2019-03-04,1.005,USD,,",
            BadRow,
            "Row 3, column amount: '1.005' is not an amount with up to 2 decimals",
        ),
        ("B,2019-03-04,,USD,,", BadRow, "Row 3, column amount: there is no amount"),
        ("B,2019-03-04,0.00,USD,,", BadRow, "Row 3, column amount: the amount is zero"),
        ("B,2019-03-04,NaN,USD,,", BadRow, "Row 3, column amount"),
        ("B,2019-03-04,1e3,USD,,", BadRow, "Row 3, column amount"),
        ("B,2019-02-30,1.00,USD,,", BadRow, "Row 3, column date: '2019-02-30' is not a time"),
        ("B,,1.00,USD,,", BadRow, "Row 3, column date: there is no date"),
        (
            "B,2019-03-10 02:30:00,1.00,USD,,",
            BadRow,
            "Row 3, column date",
        ),  # an hour that night does not have
        ("B,0019-03-04,1.00,USD,,", BadRow, "Row 3, column date: '0019-03-04' is no likely date"),
        (
            "B,2019-03-04,1.00,EUR,,",
            UnsupportedCurrency,
            "Row 3, column currency: 'EUR' is not the source's currency",
        ),
        ("B,2019-03-04,1.00,USD,", BadRow, "the row has 5 fields and the header 6"),
        ("B,2019-03-04,1.00,USD,,,", BadRow, "the row has 7 fields and the header 6"),
        (
            "A,2019-03-04,2.00,USD,,",
            BadRow,
            "Row 3, column txn_id: 'A' stands in row 2 already, with other figures",
        ),
        (
            f"B,2019-03-04,1.00,USD,{'x' * 161},",
            BadRow,
            "Row 3, column reference: is longer than 160 characters",
        ),
        ("B,2019-03-04,1.00,USD,,a\0b", SourceError, "Nothing was loaded"),
    ],
)
def test_a_bad_row_is_told_by_row_and_column(
    tmp_path: Path, row: str, error: type[SourceError], told: str
) -> None:
    with pytest.raises(error, match=told.replace("(", "\\(")):
        read(tmp_path, HEAD + "A,2019-03-04,1.00,USD,,\n" + row + "\n")


def test_an_id_that_comes_twice_with_the_same_figures_is_one_row(tmp_path: Path) -> None:
    assert read(tmp_path, HEAD + "A,2019-03-04,1.00,USD,,\nA,2019-03-04,1.00,USD,,\n").height == 1


def test_rows_without_ids_are_told_apart_and_known_again(tmp_path: Path) -> None:
    content = "date,amount\n2019-03-04,5.00\n2019-03-04,5.00\n2019-03-05,5.00\n"
    rows, again = read(tmp_path, content), read(tmp_path, content)
    assert rows["external_id"].n_unique() == 3
    assert rows["external_id"].equals(again["external_id"])


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ("TOTAL,,15.00,2,,\n", None),
        ("TOTAL,,15.01,2,,\n", ControlTotals),
        ("TOTAL,,15.00,3,,\n", ControlTotals),
        ("", BadFile),
        ("TOTAL,,15.00,2,,\nC,2019-03-04,1.00,USD,,\n", BadRow),
    ],
)
def test_half_a_file_is_known_by_its_trailer(
    tmp_path: Path, end: str, error: type[SourceError] | None
) -> None:
    trailer = {"column": "txn_id", "value": "TOTAL", "count": "currency", "sum": "amount"}
    content = HEAD + "A,2019-03-04,10.00,USD,,\nB,2019-03-04,5.00,USD,,\n" + end
    if error is None:
        assert read(tmp_path, content, trailer=trailer).height == 2
    else:
        with pytest.raises(error):
            read(tmp_path, content, trailer=trailer)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"date,date\n", b"when,what\n1,2\n", b"date,amount\n\xff\xfe,1\n", b'date,amount\n"2019'],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SourceError):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("adapter", "mapping"),
    [
        ("csv", {}),
        ("csv", {"columns": {"time": "t"}}),
        ("csv", {"columns": {"time": "t", "amount": "a", "credit": "c"}}),
        ("csv", {"columns": {"time": "t", "amount": "a", "colour": "c"}}),
        ("bank_csv", {"delimiter": ";;"}),
        ("bank_csv", {"decimal": "'"}),
        ("bank_csv", {"encoding": "klingon"}),
        ("bank_csv", {"time_zone": "Mars/Olympus"}),
        ("bank_csv", {"trailer": "TOTAL"}),
        ("mt940", {"columns": {}}),
    ],
)
def test_a_source_that_is_not_set_up_is_told_before_it_is_read(adapter: str, mapping: dict[str, Any]) -> None:
    with pytest.raises(BadMapping):
        get_adapter(adapter).check(mapping)
    with pytest.raises(UnknownAdapter, match="bank_csv"):
        get_adapter("fax")


# --- Parquet ----------------------------------------------------------------------------------------------------


def test_parquet_keeps_decimals_and_moments(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"k": ["A", "B"], "at": [datetime(2019, 3, 4, 9), datetime(2019, 3, 4, 10)], "v": ["1.10", "-2.00"]}
    ).with_columns(pl.col("v").cast(pl.Decimal(12, 2)))
    frame.write_parquet(tmp_path / "source.parquet")
    columns = {"id": "k", "time": "at", "amount": "v"}
    rows = read(tmp_path, (tmp_path / "source.parquet").read_bytes(), "parquet", columns=columns)
    assert amounts(rows) == {"A": Decimal("1.1"), "B": Decimal(-2)}
    assert rows["occurred_at"][0] == datetime.fromisoformat("2019-03-04T14:00+00:00")


def test_parquet_with_floats_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"at": ["2019-03-04"], "v": [1.1]}).write_parquet(tmp_path / "source.parquet")
    with pytest.raises(BadFile, match="floats"):
        read(
            tmp_path,
            (tmp_path / "source.parquet").read_bytes(),
            "parquet",
            columns={"time": "at", "amount": "v"},
        )
    with pytest.raises(BadFile, match="no Parquet file"):
        read(tmp_path, b"PAR1 not at all", "parquet", columns={"time": "at", "amount": "v"})


# --- statements -------------------------------------------------------------------------------------------------


def test_camt_tells_batches_apart_and_leaves_what_is_only_announced(tmp_path: Path) -> None:
    rows = read(tmp_path, CAMT, "camt053")
    assert amounts(rows) == {
        "S1": Decimal(150),
        "S2/1": Decimal(-20),
        "S2/2": Decimal("-10.5"),
        "S4": Decimal(-5),
    }
    assert rows["reference"].to_list() == ["E2E-1", "P-1", "P-2", ""]
    assert rows["group_key"].to_list() == ["", "S2", "S2", ""]
    assert rows["description"][0] == "CURB LLC Payout 4 March"
    assert rows["occurred_at"][0] == datetime.fromisoformat("2019-03-04T05:00+00:00")


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        ("<Amt Ccy='USD'>1114.50</Amt>", "<Amt Ccy='USD'>1114.51</Amt>", ControlTotals),
        ("<NbOfNtries>4</NbOfNtries>", "<NbOfNtries>5</NbOfNtries>", ControlTotals),
        ("<Sum>150.00</Sum>", "<Sum>151.00</Sum>", ControlTotals),
        ("<CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK", "<CdtDbtInd>BOTH</CdtDbtInd><Sts>BOOK", SourceError),
        ("Ccy='USD'>150.00", "Ccy='GBP'>150.00", UnsupportedCurrency),
        ("</Document>", "", BadFile),
    ],
)
def test_a_camt_statement_that_does_not_add_up_is_refused(
    tmp_path: Path, before: str, after: str, error: type[SourceError]
) -> None:
    assert before in CAMT
    with pytest.raises(error):
        read(tmp_path, CAMT.replace(before, after), "camt053")


def test_entities_are_not_opened(tmp_path: Path) -> None:
    bomb = (
        '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "xxxx"><!ENTITY y "&x;&x;">]><Document>&y;</Document>'
    )
    with pytest.raises(BadFile, match="entities"):
        read(tmp_path, bomb, "camt053")


def test_mt940_signs_reversals_by_what_they_take_back(tmp_path: Path) -> None:
    rows = read(tmp_path, MT940, "mt940")
    assert amounts(rows) == {
        "BANK1": Decimal(150), "BANK2": Decimal("-20.5"), "BANK3": Decimal(-10), "BANK4": Decimal(3),
    }  # fmt: skip
    assert rows["reference"].to_list() == ["REF1", "", "REF3", "REF4"]
    assert rows["description"][0] == "CURB PAYOUT 4 MAR"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("USD1122,50", "USD1122,51"),
        ("C150,00", "C151,00"),
        (":62F:C190306USD1122,50\n", ""),
        ("USD", "EUR"),
        (MT940, "hello"),
    ],
)
def test_an_mt940_statement_that_does_not_add_up_is_refused(tmp_path: Path, before: str, after: str) -> None:
    with pytest.raises(SourceError):
        read(tmp_path, MT940.replace(before, after), "mt940")


def test_ofx_days_are_the_banks_own(tmp_path: Path) -> None:
    rows = read(tmp_path, OFX, "ofx")
    assert amounts(rows) == {"F1": Decimal(150), "F2": Decimal("-20.5")}
    assert [moment.isoformat() for moment in rows["occurred_at"]] == [
        "2019-03-04T17:00:00+00:00", "2019-03-05T05:00:00+00:00",
    ]  # fmt: skip
    assert rows["reference"].to_list() == ["", "77"]
    assert rows["description"].to_list() == ["CURB payout", "FEE"]


@pytest.mark.parametrize(
    "content",
    [
        OFX[: len(OFX) // 2],
        OFX.replace("USD", "EUR"),
        OFX.replace("150.00", "lots"),
        "OFXHEADER:100\n",
        "",
        f'<?xml version="1.0" encoding="undefined"?>{OFX}',
    ],
)
def test_a_broken_ofx_statement_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(SourceError):
        read(tmp_path, content, "ofx")


def test_ofx_of_both_versions_says_the_same(tmp_path: Path) -> None:
    values = (
        "CODE",
        "SEVERITY",
        "DTSERVER",
        "LANGUAGE",
        "TRNUID",
        "CURDEF",
        "BANKID",
        "ACCTID",
        "ACCTTYPE",
        "DTSTART",
    )
    values += (
        "DTEND",
        "TRNTYPE",
        "DTPOSTED",
        "TRNAMT",
        "FITID",
        "NAME",
        "MEMO",
        "CHECKNUM",
        "BALAMT",
        "DTASOF",
    )
    body = OFX[OFX.index("<OFX>") :].replace("CURB", "CURB &amp; Co")
    closed = re.sub(rf"<({'|'.join(values)})>([^<\n]*)", r"<\1>\2</\1>", body)
    second = f'<?xml version="1.0" encoding="UTF-8"?>\n<?OFX OFXHEADER="200" VERSION="211"?>\n{closed}'
    rows = read(tmp_path, second, "ofx")
    assert rows["description"].to_list() == ["CURB & Co payout", "FEE"]
    assert rows.equals(read(tmp_path, OFX.replace("CURB", "CURB &amp; Co"), "ofx"))


def test_ofx_values_that_banks_leave_open_or_write_their_own_way(tmp_path: Path) -> None:
    text = OFX.replace("<NAME>CURB<MEMO>payout", "<NAME>CAF\xc9<MEMO>").replace("150.00", "150,00")
    text = text.replace("20190304120000[-5:EST]", "20190304120000.000[+5.30:IST]")
    rows = read(tmp_path, text.encode("cp1252"), "ofx")
    assert rows["description"][0] == "CAF\xc9" and rows["amount"][0] == Decimal(150)
    assert rows["occurred_at"][0].isoformat() == "2019-03-04T06:42:00+00:00"


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("<FITID>F2", "<FITID>", "Row 2, column FITID: there is none"),
        ("<DTPOSTED>20190305", "<DTPOSTED>20190231", "Row 2, column DTPOSTED: '20190231' is not a time"),
        ("</STMTTRN>\n<STMTTRN>", "\n<STMTTRN>", "BANKTRANLIST is closed and not open"),
        ("</STMTTRNRS>", "", "closed and not open"),
        ("</OFX>", "", "breaks off inside OFX"),
        ("</OFX>", "</OFX><OFX></OFX>", "where no element is"),
        ("<OFX>", '<!DOCTYPE x [<!ENTITY a "b">]><OFX>', "declares entities"),
        ("STMTRS", "INVSTMTRS", "no statement of an account"),
        ("<DTPOSTED>20190305", "<DTPOSTED>20190305120000[+99:X]", "is not a time"),
        ("<DTPOSTED>20190305", "<DTPOSTED>00010101000000[+5:X]", "is not a time"),
        ("150.00", "1_50.00", "1_50.00"),
        ("150.00", "1e999999999", "1e999999999"),
        ("<OFX>", "<OFX>" + "<A>" * 5_000, "more than 50 elements"),
    ],
)
def test_what_is_wrong_with_an_ofx_statement_is_told(
    tmp_path: Path, before: str, after: str, says: str
) -> None:
    with pytest.raises(SourceError, match=says):
        read(tmp_path, OFX.replace(before, after), "ofx")
