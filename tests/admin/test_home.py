"""The home page: how the weeks went, what waits, and where each person begins; and what frames the other pages."""

import json
import re
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse

from batconnect.common.screens import part_of, unbroken
from ledger.admin.trends import sums_of, week_sums
from tests.ledger.factories import MONDAY_AFTER, SUNDAY, WEEK, charge, drive, make_account, pay, run

HOME = "/admin/"
NEXT_WEEK = SUNDAY + WEEK


@pytest.fixture
def two_weeks(db: None) -> None:
    """Of 300 charged, 260 earned pay 260. Then 50 more, 20 paid at the desk: 70 are paid out of the next 100."""
    account = make_account()
    charge(account, "TLC", "300.00", "TICKET")
    drive(account, "260.00")
    run(SUNDAY)
    charge(account, "MISC", "50.00", "KEY", on=MONDAY_AFTER)
    pay(account, "20.00", {"TICKET": "20.00"})
    drive(account, "100.00", week=NEXT_WEEK)
    run(NEXT_WEEK)


def shown(client: Client, address: str = HOME, **query: str) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_weeks_sums_are_those_of_the_runs(two_weeks: None) -> None:
    sums = [
        tuple(str(amount) for amount in (each.earned, each.charged, each.collected, each.paid_out, each.owed))
        for each in week_sums()
    ]
    assert sums == [
        ("260.00", "300.00", "260.00", "0.00", "40.00"),
        ("100.00", "50.00", "70.00", "30.00", "0.00"),
    ]
    assert [each.week for each in week_sums(most=1)] == [NEXT_WEEK]


def test_of_weeks_that_did_not_keep_it_what_was_charged_follows() -> None:
    def kept(open_at_end: str, allocated: str) -> dict[str, str]:
        return {"earnings": "0", "net_pay": "0", "open_receivables": open_at_end, "allocated": allocated}

    first, second = sums_of([(SUNDAY, kept("40.00", "260.00")), (NEXT_WEEK, kept("0.00", "70.00"))])
    # Of the second week's 50 the desk took 20: 40 + 50 - 20 = 70 were there for earnings to pay.
    assert (str(first.charged), str(second.charged)) == ("300.00", "30.00")


def test_the_weeks_cost_one_query(two_weeks: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        week_sums()


def test_home_draws_the_weeks_and_tells_them_in_words_and_numbers(two_weeks: None, chief: Client) -> None:
    page = shown(chief)
    assert "The last 2 weeks" in page
    bars, line = (json.loads(unescape(data)) for data in re.findall(r'data-value="([^"]+)"', page))
    assert bars["labels"] == ["Mar 3", "Mar 10"]
    assert {each["label"]: each["data"] for each in bars["datasets"]} == {
        "Earned": ["260.00", "100.00"],
        "Charged": ["300.00", "50.00"],
        "Collected": ["260.00", "70.00"],
        "Paid out": ["0.00", "30.00"],
    }
    assert line["datasets"][0]["data"] == ["40.00", "0.00"]
    assert "from the week of Mar 3, 2019 to that of Mar 10, 2019: Earned 260.00, then 100.00" in page
    assert reverse("admin:ledger_weeklyrun_change", args=[NEXT_WEEK]) in page


def test_one_week_is_no_trend_and_others_are_not_shown_it(week: SimpleNamespace, chief: Client) -> None:
    assert "data-value" not in shown(chief)


def test_the_weeks_are_for_those_who_may_see_them(two_weeks: None, clerk: Any) -> None:
    page = shown(clerk("ledger.view_driveraccount"))
    assert "data-value" not in page
    assert "No week was run" not in page  # one was; it is not for this person to see


def test_somebody_at_the_window_begins_with_the_tasks_of_the_desk(clerk: Any) -> None:
    page = shown(clerk("cases.process_case", "ledger.take_payment", "ledger.view_driveraccount"))
    desk = page.partition("bc-desk")[2].partition("</section>")[0]
    assert re.findall(r">([^<>]+)</a>", desk) == ["Take a payment"]
    assert reverse("admin:ledger_driveraccount_changelist") in desk


def test_what_waits_stands_before_what_does_not(week: SimpleNamespace, chief: Client) -> None:
    page = shown(chief)
    waiting, _, quiet = page.partition("Nothing else waits:")
    assert "Parked rows" in waiting and "Open cases" not in waiting.partition("Needs a person")[2]
    assert "Open cases" in quiet


def test_pages_are_called_as_in_the_menu(week: SimpleNamespace, chief: Client) -> None:
    def way(name: str) -> list[str]:
        heading = shown(chief, reverse(f"admin:{name}")).partition("<h1")[2].partition("</h1>")[0]
        return [unescape(text.strip()) for text in re.findall(r">([^<>]+)<", heading) if text.strip()]

    assert way("ledger_interimpayment_changelist") == [
        "Drivers' money",
        "chevron_right",
        "Payments at the desk",
    ]
    assert way("ledger_payoutbatch_pay") == ["Drivers' money", "chevron_right", "Pay drivers"]


def test_an_empty_list_says_how_one_comes_about_and_a_fruitless_search_says_so(chief: Client) -> None:
    address = reverse("admin:ledger_interimpayment_changelist")
    assert "No payments at the desk yet" in shown(chief, address)
    assert "is taken under Take a payment" in shown(chief, address)
    assert "Nothing matches" in shown(chief, address, q="Nobody")


def test_a_drivers_page_begins_the_tasks_that_this_person_may_do(week: SimpleNamespace, clerk: Any) -> None:
    address = reverse("admin:ledger_driveraccount_change", args=[week.account.pk])
    client = clerk("ledger.view_driveraccount", "cases.process_case", "ledger.take_payment")
    actions = shown(client, address).partition("bc-actions")[2].partition("</div>")[0]
    assert re.findall(r'href="([^"]+)"', actions) == [
        "/admin/cases/case/start/INTPAY/?q=5999999",
        reverse("admin:ledger_driveraccount_statement", args=[week.account.pk]),
    ]


@pytest.mark.parametrize(
    ("asked", "first", "note", "links"),
    [
        ("", 0, "1 to 4 of 10.", ["The next 4"]),
        ("2", 4, "5 to 8 of 10.", ["The 4 before", "The next 2"]),
        ("3", 8, "9 to 10 of 10.", ["The 4 before"]),
        ("99", 8, "9 to 10 of 10.", ["The 4 before"]),
        ("x", 0, "1 to 4 of 10.", ["The next 4"]),
        ("0", 0, "1 to 4 of 10.", ["The next 4"]),
    ],
)
def test_rows_come_page_by_page(asked: str, first: int, note: str, links: list[str]) -> None:
    request = RequestFactory().get("/", {"week": "2019-03-03", "ach": asked})
    part = part_of(request, range(10), name="ach", size=4)
    assert (part.rows[0], part.note, [cell.text for cell in part.pages]) == (first, note, links)
    assert all("week=2019-03-03" in cell.href for cell in part.pages)


def test_rows_that_fit_are_one_page() -> None:
    part = part_of(RequestFactory().get("/"), range(4), name="ach", size=4)
    assert (list(part.rows), part.note, list(part.pages)) == ([0, 1, 2, 3], "", [])


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("DTR-2026-00094", True),
        ("Nov 1, 2026", True),
        ("Ann Lee", False),
        ("2026-10-25/L-00029/CONGESTION", False),
    ],
)
def test_references_and_dates_are_not_broken_into_lines(text: str, whole: bool) -> None:
    assert unbroken(text) is whole
