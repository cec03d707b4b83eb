"""The reports as screens: the figures, the way from each number to what is behind it, periods, files, and who may."""

import csv
import io
import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ledger.models import BalanceSnapshot, EntryHeader
from tests.ledger.report_story import Story, close_march, tell

KINDS = ("trial_balance", "profit_and_loss", "balance_sheet", "account_statement", "summary", "aging")
APRIL = {"from": "2019-04-01", "to": "2019-04-30"}
QUERIES: dict[str, dict[str, str]] = {
    "trial_balance": APRIL,
    "profit_and_loss": APRIL,
    "balance_sheet": {"as_of": "2019-04-30"},
    "account_statement": {"account": "1200", **APRIL},
    "summary": {"by": "driver", **APRIL},
    "aging": {"as_of": "2019-04-30"},
}


def url(kind: str) -> str:
    return reverse(f"admin:ledger_report_{kind}")


def page(client: Client, kind: str, **query: str) -> str:
    answer = client.get(url(kind), query)
    assert answer.status_code == 200
    return answer.content.decode()


def links(html: str, text: str) -> list[str]:
    """Where the links of this text lead."""
    return [
        href.replace("&amp;", "&")
        for href in re.findall(rf'<a\s[^>]*href="([^"]*)"[^>]*>\s*{re.escape(text)}\s*</a>', html)
    ]


@pytest.fixture
def story(db: None, tmp_path: Any) -> Story:
    return tell(tmp_path)


def test_from_the_trial_balance_to_the_posting(chief: Client, story: Story) -> None:
    html = page(chief, "trial_balance", **APRIL)
    assert "In balance" in html and html.count("92.00") == 2
    (statement,) = links(html, "1200")
    assert statement == f"{url('account_statement')}?account=1200&from=2019-04-01&to=2019-04-30"
    html = chief.get(statement).content.decode()
    assert "1200 Drivers receivable" in html and "Control account" in html and "Closing balance" in html
    entry = EntryHeader.objects.get(posting=story.misc)
    assert {chief.get(link).status_code for link in links(html, entry.je_number)} == {200}
    (posting,) = links(html, "MISC-1")
    assert posting == reverse("admin:ledger_ledgerposting_change", args=[story.misc.pk])
    assert chief.get(posting).status_code == 200
    balances = re.findall(r"\d\d\.00", html[html.index("Opening balance", html.index("Control account")) :])
    assert balances == ["30.00", "30.00", "25.00", "55.00", "10.00", "45.00", "25.00", "20.00", "20.00"]


def test_profit_and_loss_balance_sheet_and_summary_lead_on(chief: Client, story: Story) -> None:
    html = page(chief, "profit_and_loss", **APRIL)
    assert "28.00" in html
    assert links(html, "4200") == [f"{url('account_statement')}?account=4200&from=2019-04-01&to=2019-04-30"]
    html = page(chief, "balance_sheet", as_of="2019-04-30")
    assert html.count("54.60") == 3 and "In balance" in html
    assert links(html, "1200") == [f"{url('account_statement')}?account=1200&from=2019-04-01&to=2019-04-30"]
    (result,) = links(html, "Result of 2019 to date")
    assert "48.00" in chief.get(result).content.decode()
    html = page(chief, "summary", by="driver", **APRIL)
    (postings,) = links(html, "Ann Lee")
    listed = chief.get(postings).content.decode()
    assert listed.count("TOLL-1") >= 2 and "LEASE-1" not in listed
    (misc,) = links(html, "Miscellaneous") or links(html, "Misc")
    listed = chief.get(misc).content.decode()
    assert "MISC-1" in listed and "TOLL-1" not in listed


@pytest.mark.parametrize("by", ["driver", "lease", "vehicle", "medallion", "category"])
def test_every_summary_row_lists_its_postings(chief: Client, story: Story, by: str) -> None:
    html = page(chief, "summary", by=by, **APRIL)
    hrefs = {
        href.replace("&amp;", "&")
        for href in re.findall(r'href="(/admin/ledger/ledgerposting/\?[^"]*)"', html)
    }
    assert hrefs
    for href in hrefs:
        answer = chief.get(href)
        assert answer.status_code == 200 and "e=1" not in answer.request["QUERY_STRING"]


@pytest.mark.parametrize(
    ("as_of", "bucket"),
    [("2019-04-06", "Not due"), ("2019-04-07", "1 to 7 days"), ("2019-04-30", "15 to 28 days")],
)
def test_what_is_owed_ages_and_leads_to_the_account(
    chief: Client, story: Story, as_of: str, bucket: str
) -> None:
    html = page(chief, "aging", as_of=as_of)
    figures = dict(re.findall(r"<dt>([^<]*)</dt>\s*<dd>\s*(?:<[^>]*>\s*)*([0-9.,−-]+)", html))
    assert figures[bucket] == figures["Balance"] == "20.00"
    assert sum(Decimal(figures[name]) for name in ("Not due", "1 to 7 days", "15 to 28 days")) == 20
    assert links(html, "Ann Lee") == [reverse("admin:ledger_driveraccount_change", args=[story.account.pk])]


def test_a_long_statement_has_pages(chief: Client, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.admin.reports.LINES_SHOWN", 3)
    html = page(chief, "account_statement", account="1200", **APRIL)
    assert "Opening balance" in html and "Closing balance" not in html
    (more,) = links(html, "Next lines")
    html = chief.get(url("account_statement") + more).content.decode()
    assert "Brought forward" in html and "Closing balance" in html and links(html, "Back to the first lines")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extension", ["xlsx", "pdf", "csv"])
def test_each_report_downloads(chief: Client, story: Story, kind: str, extension: str) -> None:
    html = page(chief, kind, **QUERIES[kind])
    (href,) = links(html, {"xlsx": "Excel", "pdf": "PDF", "csv": "CSV"}[extension])
    answer: Any = chief.get(url(kind) + href)
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert (
        answer["Content-Disposition"].endswith(f'.{extension}"')
        and "2019-04" in answer["Content-Disposition"]
    )
    if extension == "csv":
        last = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))[-1]
        expected = {
            "trial_balance": "92.00", "profit_and_loss": "28.00", "balance_sheet": "54.60",
            "account_statement": "20.00", "summary": "20.00", "aging": "20.00",
        }  # fmt: skip
        assert expected[kind] in last


@pytest.mark.parametrize("kind", KINDS)
def test_only_who_may_read_reports_sees_them(clerk: Any, story: Story, kind: str) -> None:
    stranger = clerk("ledger.view_ledgerposting", "ledger.view_balancesnapshot", "ledger.close_month")
    assert stranger.get(url(kind), QUERIES[kind]).status_code == 403
    assert stranger.get(url(kind), {**QUERIES[kind], "format": "csv"}).status_code == 403
    assert url(kind) not in stranger.get(reverse("admin:index")).content.decode()
    reader = clerk("ledger.read_reports")
    html = page(reader, kind, **QUERIES[kind])
    assert url(kind) in reader.get(reverse("admin:index")).content.decode()
    # Whoever may not see postings and entries is not sent there.
    assert "/admin/ledger/ledgerposting/" not in html and "/admin/ledger/entryheader/" not in html
    assert reader.post(url(kind)).status_code == 403


def test_without_a_period_it_is_the_month_of_the_last_entry(chief: Client, story: Story) -> None:
    assert "Apr 1, 2019 to Apr 30, 2019" in page(chief, "trial_balance")
    assert "Whose statement?" in page(chief, "account_statement")


def test_an_empty_period_says_so_and_leads_to_the_last_entries(chief: Client, story: Story) -> None:
    html = page(chief, "profit_and_loss", **{"from": "2018-01-01", "to": "2018-01-31"})
    assert "Nothing was entered in this period." in html and "PDF" not in html
    (href,) = links(html, "April 2019")
    assert "28.00" in chief.get(url("profit_and_loss") + href).content.decode()


def test_an_empty_ledger_is_an_empty_page(chief: Client, db: None) -> None:
    for kind in KINDS:
        assert page(chief, kind)


@pytest.mark.parametrize(
    ("kind", "query", "said"),
    [
        ("trial_balance", {"from": "2019-04-31"}, "Write the date as 2019-03-31."),
        ("trial_balance", {"from": "2019-04-30", "to": "2019-04-01"}, "This is before the first day."),
        ("trial_balance", {"from": "0001-01-01"}, "Choose a date from 1990-01-01"),
        ("trial_balance", {"fund": "XYZ"}, "XYZ is not one of the available choices"),
        ("account_statement", {"account": "9999"}, "There is no account 9999"),
        ("account_statement", {"account": "1200", "cursor": "x", **APRIL}, "This cursor is not one"),
        ("summary", {"by": "colour"}, "colour is not one of the available choices"),
    ],
)  # fmt: skip
def test_a_bad_question_gets_a_sentence(
    chief: Client, story: Story, kind: str, query: dict[str, str], said: str
) -> None:
    assert said in page(chief, kind, **query)


def test_month_ends_are_listed(chief: Client, story: Story) -> None:
    close_march()
    html = chief.get(reverse("admin:ledger_balancesnapshot_changelist"), {"q": "1100"}).content.decode()
    assert "Card processor receivable" in html and "31.60" in html and "Net pay owed" not in html
    row = BalanceSnapshot.objects.first()
    assert row is not None
    assert chief.get(reverse("admin:ledger_balancesnapshot_change", args=[row.pk])).status_code == 200


def test_the_home_page_leads_to_account_1200(chief: Client, story: Story) -> None:
    html = chief.get(reverse("admin:index")).content.decode()
    assert any(link.startswith(f"{url('account_statement')}?account=1200") for link in links(html, "20.00"))
