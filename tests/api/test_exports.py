"""Exports, opened and read back: numbers are numbers, text is never a formula, and limits are said."""

import csv
import io
import re
import zipfile
from datetime import date
from xml.etree import ElementTree

import pytest

from batconnect.exports import Column, ExporterFactory, ExportTooLarge, Kind, Table, UnknownFormat, excel, pdf
from tests.factories import make_driver, make_lease
from tests.ledger.factories import account_of, charge, pay

DANGEROUS = [
    '=HYPERLINK("http://evil")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "  =1+1",
    "＝1",
    "http://evil.example",
]
_NS = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def content(answer):
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def cells(data):
    """The sheet's cells as they stand in the file: {"B2": (type, text)}; and no formula anywhere."""
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        assert book.testzip() is None
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
        assert not any("hyperlink" in book.read(name).decode("utf-8", "replace").split("<sheetData")[0]
                       for name in book.namelist() if name.endswith(".xml"))  # fmt: skip
    assert sheet.findall(".//s:f", _NS) == []
    assert sheet.findall(".//s:hyperlink", _NS) == []
    found = {}
    for cell in sheet.findall(".//s:c", _NS):
        text = cell.find("s:is/s:t", _NS)
        value = text if text is not None else cell.find("s:v", _NS)
        found[cell.get("r")] = (cell.get("t", "n"), "" if value is None else value.text)
    return found


@pytest.fixture
def ledger(db):
    """A driver whose name is an attack, who owes 1,234.50 and paid 34.50 of it."""
    account = account_of(make_lease(driver=make_driver(name="=cmd|' /C calc'!A0"), weekly_fee="0.00"))
    charge(account, "MISC", "1234.50", "@REF-1", on=date(2019, 3, 4), description="-2+3 towing")
    pay(account, "34.50", {"@REF-1": "34.50"})
    return account


def rows_by_header(found):
    """Rows of the sheet as {label: (type, text)}."""
    letters = {ref: text for ref, (_, text) in found.items() if re.fullmatch(r"[A-Z]+1", ref)}
    last = max(int(re.search(r"\d+", ref)[0]) for ref in found)
    return [
        {label: found.get(f"{ref[:-1]}{number}") for ref, label in letters.items()}
        for number in range(2, last + 1)
    ]


def test_excel_has_numbers_for_numbers_and_text_for_text(api, ledger):
    answer = api.get("/ledger/export", {"export_type": "postings", "format": "excel"})
    assert re.fullmatch(
        r'attachment; filename="postings-\d{4}-\d\d-\d\d\.xlsx"', answer["Content-Disposition"]
    )
    charged, paid = rows_by_header(cells(content(answer)))
    assert charged["Driver"] == ("inlineStr", "=cmd|' /C calc'!A0")
    assert charged["Reference"] == ("inlineStr", "@REF-1")
    assert charged["Description"] == ("inlineStr", "-2+3 towing")
    assert charged["Amount"] == ("n", "1234.50")
    assert paid["Amount"] == ("n", "-34.50")
    assert charged["Date"] == ("n", "43528")  # 2019-03-04 as a spreadsheet counts days
    assert charged["Lease id"] == ("n", str(ledger.lease_id))


def test_excel_of_balances(api, ledger):
    answer = api.get("/ledger/export", {"export_type": "balances", "status": "OPEN"})  # excel is the default
    (row,) = rows_by_header(cells(content(answer)))
    assert [row[name][1] for name in ("Original", "Prior balance", "Balance")] == [
        "1234.50",
        "1234.50",
        "1200.00",
    ]


@pytest.mark.parametrize("text", DANGEROUS)
def test_no_text_becomes_a_formula(tmp_path, text):
    table = Table("Test", [Column("a", "A"), Column("n", "N", Kind.MONEY)], [{"a": text, "n": 1}])
    found = cells(b"".join(excel.stream(table)))
    assert found["A2"] == ("inlineStr", text)
    data = b"".join(ExporterFactory.get("csv").stream(table)).decode("utf-8-sig")
    (cell, _) = list(csv.reader(io.StringIO(data)))[1]
    assert cell == (text if text.startswith("http") else f"'{text}")


def test_csv_streams_and_reads_back(api, ledger):
    answer = api.get("/ledger/export", {"export_type": "postings", "format": "csv"})
    assert answer.streaming and answer["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(content(answer).decode("utf-8-sig"))))
    assert [row["Amount"] for row in rows] == ["1234.50", "-34.50"]  # numbers keep their minus
    assert rows[0]["Driver"] == "'=cmd|' /C calc'!A0" and rows[0]["Reference"] == "'@REF-1"


def test_an_export_takes_the_filters_of_its_list(api, ledger):
    query = {
        "export_type": "balances",
        "format": "csv",
        "entry_type": "CREDIT",
        "driver_id": ledger.driver_id,
    }
    rows = list(csv.DictReader(io.StringIO(content(api.get("/ledger/export", query)).decode("utf-8-sig"))))
    assert [row["Category"] for row in rows] == ["INTERIM_PAYMENT"]
    assert rows[0]["Applied postings"]


def test_rows_come_through_a_cursor_in_chunks(api, ledger, django_assert_max_num_queries):
    for number in range(60):
        charge(ledger, "MISC", "1.00", f"N-{number}")
    with django_assert_max_num_queries(8):
        answer = api.get("/ledger/export", {"export_type": "balances", "format": "csv"})
        assert content(answer).count(b"\r\n") == 63


def test_pdf_of_a_list(api, ledger):
    answer = api.get("/ledger/export", {"export_type": "balances", "format": "pdf"})
    assert (answer["Content-Type"], answer.content[:5]) == ("application/pdf", b"%PDF-")


def test_pdf_takes_so_many_rows_and_says_so(api, ledger, monkeypatch):
    exporter = ExporterFactory.get("pdf")
    exporter.check_size(pdf.MOST_ROWS)
    with pytest.raises(ExportTooLarge, match="5,000 rows"):
        exporter.check_size(pdf.MOST_ROWS + 1)
    ExporterFactory.get("csv").check_size(10**9)


def test_a_pdf_fetches_nothing(db):
    hostile = (
        '<img src="http://169.254.169.254/latest/meta-data"><link rel=stylesheet href="file:///etc/passwd">'
    )
    table = Table("Test", [Column("a", "A")], [{"a": hostile}], notes=[hostile])
    assert b"".join(pdf.stream(table)).startswith(b"%PDF-")  # it is text, and fetched by nobody


def test_an_empty_list_is_a_file_too(api, db):
    for export_format in ("excel", "csv", "pdf"):
        assert content(api.get("/ledger/export", {"export_type": "postings", "format": export_format}))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "export_type"), ({"export_type": "users"}, "export_type"),
        ({"export_type": "postings", "format": "docx"}, "format"),
        ({"export_type": "postings", "status": "OPEN"}, "status"),
        ({"export_type": "balances", "status": "VOIDED"}, "status"),
        ({"export_type": "postings", "page": "1"}, "page"),
    ],
)  # fmt: skip
def test_a_bad_export_is_refused(api, db, query, field):
    answer = api.get("/ledger/export", query)
    assert (answer.status_code, field in answer.json()["details"]) == (400, True)


def test_an_unknown_format_is_named():
    with pytest.raises(UnknownFormat, match="excel, csv, pdf"):
        ExporterFactory.get("docx")


def test_printed_columns_line_up_and_a_number_is_never_cut():
    columns = [Column("name", "Name", width=8), Column("sum", "Sum", Kind.MONEY, width=6)]
    lines = [
        pdf._line(row, columns, [8, 6])
        for row in (["王小明明明", "1.00"], ["Long\u200bname here", "123,456.78"])
    ]
    assert lines == ["王小明…     1.00", "Long\u200bna…  123,456.78"]
    assert pdf._shown("two\nlines", Kind.TEXT) == "two lines"
