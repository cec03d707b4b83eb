"""The financial reports over HTTP: their figures, their files read back, and what they refuse."""

import csv
import io
import subprocess
from urllib.parse import parse_qsl

import pytest

from tests.api.test_exports import cells, content, rows_by_header
from tests.ledger.report_story import close_march, tell

READ_REPORTS = "ledger.read_reports"
BOTH = {"from": "2019-03-01", "to": "2019-04-30"}
REPORTS = {
    "/ledger/trial-balance": BOTH,
    "/ledger/reports/profit-and-loss": BOTH,
    "/ledger/reports/balance-sheet": {"as_of": "2019-04-30"},
    "/ledger/reports/account-statement": {"account": "1200", **BOTH},
    "/ledger/summary": {"by": "driver", **BOTH},
}
HOSTILE = "=cmd|' /C calc'!A0"


@pytest.fixture
def api(client_with):
    return client_with(READ_REPORTS, "ledger.view_ledgerposting", "ledger.view_ledgerbalance")


@pytest.fixture
def story(db, tmp_path):
    return tell(tmp_path, name=HOSTILE)


def asked(api, path, **query):
    answer = api.get(path, query)
    assert answer.status_code == 200, answer.content
    return answer.json()


# --- figures ------------------------------------------------------------------------------------------------


def test_trial_balance_of_a_month(api, story):
    found = asked(api, "/ledger/trial-balance", period="2019-04")
    assert (found["from"], found["to"], found["fund"], found["balanced"]) == (
        "2019-04-01", "2019-04-30", None, True,
    )  # fmt: skip
    rows = {row["account"]: row for row in found["rows"]}
    assert rows["1200"].pop("account_id") and rows["1200"] == {
        "account": "1200", "name": "Drivers receivable", "type": "ASSET", "currency": "USD", "fund": "OP",
        "opening": "0.00", "debits": "55.00", "credits": "35.00", "closing": "20.00",
    }  # fmt: skip
    assert found["totals"] == [
        {"currency": "USD", "opening": "0.00", "debits": "92.00", "credits": "92.00", "closing": "0.00",
         "balanced": True},
    ]  # fmt: skip
    close_march()
    again = asked(api, "/ledger/trial-balance", period="2019-04")
    assert {row["account"]: row["closing"] for row in again["rows"]} == {
        account: row["closing"] for account, row in rows.items()
    }
    assert again["totals"] == found["totals"]


def test_profit_and_loss_and_balance_sheet_agree(api, story):
    result = asked(api, "/ledger/reports/profit-and-loss", **BOTH)
    assert (result["income"]["total"], result["expenses"]["total"], result["result"]) == (
        "50.00",
        "2.00",
        "48.00",
    )
    assert result["expenses"]["accounts"] == [
        {"account": "5200", "name": "Processor fees", "fund": "OP", "amount": "2.00"},
    ]  # fmt: skip
    sheet = asked(api, "/ledger/reports/balance-sheet", as_of="2019-04-30", fund="OP")
    assert (sheet["assets"]["total"], sheet["liabilities"]["total"], sheet["equity"]) == (
        "54.60", "6.60", {"accounts": [], "total": "0.00"},
    )  # fmt: skip
    assert (sheet["result_of_year"], sheet["liabilities_and_equity"], sheet["balanced"]) == (
        result["result"], "54.60", True,
    )  # fmt: skip


def test_account_statement_page_by_page(api, story):
    query = {"account": "1200", "period": "2019-04", "limit": "3"}
    first = asked(api, "/ledger/reports/account-statement", **query)
    assert [first[name] for name in ("opening", "debits", "credits", "closing")] == [
        "0.00", "55.00", "35.00", "20.00",
    ]  # fmt: skip
    assert [line["balance"] for line in first["items"]] == ["30.00", "55.00", "45.00"]
    assert first["items"][0] | {"je_number": "", "posting_id": str(story.misc.pk)} == {
        "date": "2019-04-02", "je_number": "", "line_number": 1, "fund": "OP", "side": "DR", "amount": "30.00",
        "balance": "30.00", "origin": "POSTING", "event_on": "2019-04-02",
        "description": first["items"][0]["description"], "reference": "MISC-1", "is_reversal": False,
        "posting_id": str(story.misc.pk), "category": "MISC", "driver_id": story.account.driver_id,
        "driver_name": HOSTILE,
    }  # fmt: skip
    last = asked(api, "/ledger/reports/account-statement", **query, cursor=first["next_cursor"])
    assert (last["balance_before"], [line["balance"] for line in last["items"]], last["next_cursor"]) == (
        "45.00", ["20.00"], None,
    )  # fmt: skip


@pytest.mark.parametrize("by", ["driver", "lease", "vehicle", "medallion", "category"])
def test_a_summary_row_leads_to_its_postings(api, story, by):
    found = asked(api, "/ledger/summary", by=by, **BOTH)
    assert found["totals"]["net"] == "20.00" and found["total_items"] == len(found["items"])
    for row in found["items"]:
        listed = asked(api, "/ledger/postings", **dict(parse_qsl(row["postings"])))
        assert listed["total_items"] == row["count"]
    assert sum(row["count"] for row in found["items"]) == found["totals"]["count"]


def test_a_summary_has_pages_and_an_order(api, story):
    query = {"by": "category", "sort_by": "net", "sort_order": "desc", "per_page": "2", **BOTH}
    pages = [asked(api, "/ledger/summary", **query, page=str(number)) for number in (1, 2, 3, 4)]
    nets = [float(row["net"]) for page in pages for row in page["items"]]
    assert len(nets) == 7 and nets == sorted(nets, reverse=True)
    assert {page["total_pages"] for page in pages} == {4} and pages[0]["totals"] == pages[3]["totals"]


def test_aging_is_account_1200(api, story):
    aging = asked(api, "/ledger/aging", as_of="2019-04-30")["totals"]["balance"]
    sheet = asked(api, "/ledger/reports/balance-sheet", as_of="2019-04-30")
    (receivable,) = [line["amount"] for line in sheet["assets"]["accounts"] if line["account"] == "1200"]
    assert aging == receivable == "20.00"


# --- files --------------------------------------------------------------------------------------------------


def csv_rows(answer):
    return list(csv.DictReader(io.StringIO(content(answer).decode("utf-8-sig"))))


def test_files_of_the_trial_balance_have_the_same_numbers(api, story):
    found = asked(api, "/ledger/trial-balance", **BOTH)
    expected = [
        (row["account"], *(row[name] for name in ("opening", "debits", "credits", "closing")))
        for row in found["rows"]
    ]
    expected.append(("Total", "0.00", found["totals"][0]["debits"], found["totals"][0]["credits"], "0.00"))
    names = ("Account", "Opening", "Debits", "Credits", "Closing")
    answer = api.get("/ledger/trial-balance", {**BOTH, "format": "csv"})
    assert answer["Content-Disposition"] == 'attachment; filename="trial-balance-2019-03-01-2019-04-30.csv"'
    assert [tuple(row[name] for name in names) for row in csv_rows(answer)] == expected
    book = rows_by_header(cells(content(api.get("/ledger/trial-balance", {**BOTH, "format": "xlsx"}))))
    assert all(row["Closing"][0] == "n" and row["Account"][0] == "inlineStr" for row in book)
    assert [
        (row["Account"][1], *(f"{float(row[name][1]):.2f}" for name in names[1:])) for row in book
    ] == expected


def test_files_of_the_statement_have_every_line_between_its_two_balances(api, story):
    query = REPORTS["/ledger/reports/account-statement"]
    found = asked(api, "/ledger/reports/account-statement", **query, limit="500")
    rows = csv_rows(api.get("/ledger/reports/account-statement", {**query, "format": "csv"}))
    assert (rows[0]["What"], rows[0]["Balance"]) == ("Opening balance", "0.00")
    assert (rows[-1]["What"], rows[-1]["Balance"]) == ("Closing balance", "20.00")
    assert [(row["Entry"], row["Debit"] or row["Credit"], row["Balance"]) for row in rows[1:-1]] == [
        (line["je_number"], line["amount"], line["balance"]) for line in found["items"]
    ]
    assert {row["Driver"] for row in rows[1:-1]} == {f"'{HOSTILE}"}
    book = rows_by_header(
        cells(content(api.get("/ledger/reports/account-statement", {**query, "format": "xlsx"})))
    )
    assert book[1]["Driver"] == ("inlineStr", HOSTILE) and book[1]["Balance"][0] == "n"
    assert [row["Balance"][1] for row in book] == [f"{float(row['Balance']):.2f}" for row in rows]


def test_files_of_the_statements_and_the_summary(api, story):
    rows = csv_rows(api.get("/ledger/reports/profit-and-loss", {**BOTH, "format": "csv"}))
    assert [(row["Section"], row["Account"], row["Amount"]) for row in rows] == [
        ("Income", "4000", "20.00"), ("Income", "4200", "30.00"), ("Total income", "", "50.00"),
        ("Expenses", "5200", "2.00"), ("Total expenses", "", "2.00"), ("Result", "", "48.00"),
    ]  # fmt: skip
    rows = csv_rows(api.get("/ledger/reports/balance-sheet", {"as_of": "2019-04-30", "format": "csv"}))
    totals = {row["Section"]: row["Amount"] for row in rows if not row["Account"]}
    assert totals == {
        "Total assets": "54.60", "Total liabilities": "6.60", "Total equity": "0.00",
        "Result of earlier years": "0.00", "Result of 2019": "48.00", "Liabilities and equity": "54.60",
    }  # fmt: skip
    row, total = csv_rows(api.get("/ledger/summary", {"by": "driver", **BOTH, "format": "csv"}))
    assert (row["Driver"], row["TLC licence"]) == (f"'{HOSTILE}", "5999999")
    assert (total["Driver"], total["Net"], total["Lease"], total["Card earnings"]) == (
        "Total",
        "20.00",
        "20.00",
        "-31.60",
    )
    assert all(
        total[name] == row[name]
        for name in ("Postings", "Charged", "Credited", "Voided", "Net", "Miscellaneous")
    )


@pytest.mark.parametrize("path", REPORTS)
def test_pdfs_print_the_numbers(api, story, path, tmp_path):
    answer = api.get(path, {**REPORTS[path], "format": "pdf"})
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    file = tmp_path / "report.pdf"
    file.write_bytes(answer.content)
    text = subprocess.run(
        ["pdftotext", "-layout", file, "-"], capture_output=True, text=True, check=True
    ).stdout
    assert {"/ledger/trial-balance": "Drivers receivable", "/ledger/reports/profit-and-loss": "48.00",
            "/ledger/reports/balance-sheet": "54.60", "/ledger/reports/account-statement": "Closing balance",
            "/ledger/summary": "20.00"}[path] in text  # fmt: skip


@pytest.mark.parametrize("path", REPORTS)
@pytest.mark.parametrize("export_format", ["xlsx", "pdf", "csv"])
def test_a_report_of_nothing_is_a_file_too(api, db, path, export_format):
    assert content(api.get(path, {**REPORTS[path], "format": export_format}))


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", REPORTS)
def test_reports_are_for_those_who_may_read_them(client_with, db, path):
    others = client_with("ledger.view_ledgerposting", "ledger.export_ledger", "ledger.close_month")
    for export_format in ("json", "csv"):
        assert others.get(path, {**REPORTS[path], "format": export_format}).status_code == 403
    assert client_with(READ_REPORTS).get(path, REPORTS[path]).status_code == 200


@pytest.mark.parametrize(
    ("path", "query", "status", "said"),
    [
        ("/ledger/trial-balance", {"period": "2019-13"}, 400, "period"),
        ("/ledger/trial-balance", {"period": "0000-01"}, 400, "year 0"),
        ("/ledger/trial-balance", {"period": "2019-03", "from": "2019-03-01"}, 400, "not both"),
        ("/ledger/trial-balance", {"from": "2019-02-30"}, 400, "from"),
        ("/ledger/trial-balance", {"from": "2019-03-02", "to": "2019-03-01"}, 400, "before from"),
        ("/ledger/trial-balance", {"fund": "XYZ"}, 404, "no fund XYZ; there are OP"),
        ("/ledger/trial-balance", {"format": "docx"}, 400, "format"),
        ("/ledger/trial-balance", {"months": "3"}, 400, "Unknown"),
        ("/ledger/reports/profit-and-loss", {"currency": "XXX"}, 404, "no currency XXX"),
        ("/ledger/reports/balance-sheet", {"as_of": "yesterday"}, 400, "as_of"),
        ("/ledger/reports/account-statement", {}, 400, "account"),
        ("/ledger/reports/account-statement", {"account": "9999"}, 404, "no account 9999"),
        ("/ledger/reports/account-statement", {"account": "1200", "cursor": "abc"}, 400, "cursor"),
        ("/ledger/reports/account-statement", {"account": "1200", "limit": "501"}, 400, "limit"),
        ("/ledger/summary", {}, 400, "by"),
        ("/ledger/summary", {"by": "colour"}, 400, "by"),
    ],
)  # fmt: skip
def test_a_bad_question_gets_a_sentence(api, db, path, query, status, said):
    answer = api.get(path, query)
    assert answer.status_code == status, answer.content
    assert said in str(answer.json()["message"]) + str(answer.json()["details"])


@pytest.mark.parametrize("window", [{"from": "0001-01-01", "to": "9999-12-31"}, {"period": "9999-12"}, {}])
@pytest.mark.parametrize("path", REPORTS)
def test_any_dates_are_answered(api, story, path, window):
    given = {name: value for name, value in REPORTS[path].items() if name not in ("from", "to", "as_of")}
    if "balance-sheet" in path:
        window = {"as_of": window["to"]} if "to" in window else {}
    for export_format in ("json", "csv"):
        assert content(api.get(path, {**given, **window, "format": export_format}))


def test_reports_are_a_constant_number_of_queries(api, story, django_assert_max_num_queries):
    for path, query in REPORTS.items():
        with django_assert_max_num_queries(23):  # session, user, permissions, savepoints and the report's own
            asked(api, path, **query)
