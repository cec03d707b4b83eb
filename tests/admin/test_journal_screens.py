"""The journal in the admin: found, read, written, approved by another, reversed; months closed and reopened."""

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ledger.models import Account, AccountingMonth, EntryHeader, ManualJournal, MonthEvent
from ledger.services import journals, months
from tests.factories import make_user
from tests.ledger.factories import MONDAY_AFTER, SUNDAY, WEEK, charge, make_account, run
from tests.ledger.journal_stories import FEE_DAY, TODAY, accountant, controller, enter, submit, written

NEW = "admin:ledger_manualjournal_add"
ENTRIES = "admin:ledger_entryheader_changelist"
MONTHS = "admin:ledger_accountingmonth_changelist"
WHY = "It was the fee of another account."
READ = ("ledger.view_entryheader", "ledger.view_manualjournal", "ledger.view_accountingmonth")


def entry_page(entry: EntryHeader) -> str:
    return reverse("admin:ledger_entryheader_change", args=[entry.je_number])


def reverse_page(entry: EntryHeader) -> str:
    return reverse("admin:ledger_entryheader_reverse", args=[entry.je_number])


def journal_page(journal: ManualJournal, page: str = "change") -> str:
    return reverse(f"admin:ledger_manualjournal_{page}", args=[journal.pk])


def month_page(page: str, month: date = date(2019, 3, 1)) -> str:
    return reverse(f"admin:ledger_accountingmonth_{page}", args=[month])


def typed(step: str, **changes: Any) -> dict[str, Any]:
    return {
        "step": step,
        "je_date": "2019-03-12",
        "description": "Bank fee of March",
        "reference": "",
        "account": ["5200", "1010 Bank", ""],
        "debit": ["1,035.00", "", ""],
        "credit": ["", "1035", ""],
        **changes,
    }


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


# --- writing and deciding -----------------------------------------------------------------------------------


def test_a_journal_is_previewed_submitted_approved_by_another_and_reversed(clerk: Any) -> None:
    client = clerk("ledger.enter_journal", *READ)
    preview = text(client.post(reverse(NEW), typed("preview")))
    assert "Submit this journal?" in preview and "somebody else has to approve it" in preview
    assert "1,035.00" in preview and "−1,035.00" in preview  # what the bank loses
    assert not ManualJournal.objects.exists()

    changed = text(client.post(reverse(NEW), typed("change", token="t1")))
    assert 'value="1010 Bank"' in changed and 'value="1,035.00"' in changed

    answers = [client.post(reverse(NEW), typed("submit", token="t1")) for _ in range(2)]  # clicked twice
    journal = ManualJournal.objects.get()
    assert [answer["Location"] for answer in answers] == [journal_page(journal)] * 2
    page = text(client.get(journal_page(journal)))
    assert journal.number in page and "somebody else has to decide" in page
    assert journal_page(journal, "approve") not in page

    client = clerk("ledger.approve_journal", "ledger.enter_journal", *READ)
    page = text(client.get(journal_page(journal)))
    assert journal_page(journal, "approve") in page and journal_page(journal, "reject") in page
    shown = text(client.get(journal_page(journal, "approve")))
    assert "Approve and enter" in shown and "1,035.00" in shown
    answer = client.post(journal_page(journal, "approve"), {"note": "Seen"})
    entry = EntryHeader.objects.get()
    assert answer["Location"] == entry_page(entry)
    page = text(client.get(entry_page(entry)))
    assert journal_page(journal) in page and reverse_page(entry) in page

    assert "Submit for approval" in text(client.get(reverse_page(entry)))
    refused = client.post(reverse_page(entry), {"reason": "too short"})
    assert "Say why in 10 to 500 characters" in text(refused)
    answer = client.post(reverse_page(entry), {"reason": WHY, "je_date": ""})
    mirror = ManualJournal.objects.get(reverses_id=entry.pk)
    assert answer["Location"] == journal_page(mirror)
    assert mirror.number in text(client.get(entry_page(entry)))
    assert "waiting for approval already" in text(client.get(reverse_page(entry)))

    journals.approve_journal(number=mirror.number, actor=controller())
    page = text(client.get(entry_page(entry)))
    assert "Reversed by" in page and reverse_page(entry) not in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"debit": ["1,035.01", "", ""]}, "the difference is 0.01"),
        ({"account": ["5200", "1011", ""]}, "Line 2: there is no account 1011"),
        (
            {"account": ["5200", "2300", ""]},
            "Line 2: account 2300 Driver earnings clearing is a control account",
        ),
        ({"debit": ["1035", "1035", ""]}, "Line 2 has both a debit and a credit"),
        ({"debit": ["", "", ""]}, "Line 1 has neither a debit nor a credit"),
        ({"debit": ["x", "", ""]}, "Line 1: an amount is above zero"),
        ({"account": ["", "", ""], "debit": ["", "", ""], "credit": ["", "", ""]}, "has 2 to 500 lines"),
        ({"description": ""}, "This field is required"),
        ({"je_date": "2999-01-01"}, "nothing is booked ahead of today"),
    ],
)
@pytest.mark.parametrize("step", ["preview", "submit"])
def test_what_is_wrong_is_said_on_the_form_and_nothing_is_written(
    clerk: Any, step: str, changes: dict[str, Any], said: str
) -> None:
    client = clerk("ledger.enter_journal")
    before = written()
    answer = client.post(reverse(NEW), typed(step, **changes))
    assert answer.status_code == 200
    page = text(answer)
    assert said in page, page[page.find('role="alert"') :][:500]
    assert "New manual journal" in page
    assert written() == before


def test_nobody_decides_on_his_own_here(clerk: Any, db: None) -> None:
    client = clerk("ledger.enter_journal", "ledger.approve_journal", *READ)
    client.post(reverse(NEW), typed("submit"))
    journal = ManualJournal.objects.get()
    before = written()
    for page, data in (("approve", {}), ("reject", {"note": "I was mistaken here."})):
        assert "You wrote this journal" in text(client.get(journal_page(journal, page)))
        client.post(journal_page(journal, page), data)
    assert written() == before


def test_a_rejection_says_why_and_then_the_journal_is_decided(clerk: Any, db: None) -> None:
    journal = submit()
    client = clerk("ledger.approve_journal", *READ)
    assert "Say why in 10" in text(client.post(journal_page(journal, "reject"), {"note": "no"}))
    client.post(journal_page(journal, "reject"), {"note": "The statement says 53.00."})
    journal.refresh_from_db()
    assert journal.status == "REJECTED"
    assert "no longer waiting" in text(client.get(journal_page(journal, "approve")))
    assert "The statement says 53.00." in text(client.get(journal_page(journal)))


def test_each_page_needs_its_permission(clerk: Any, db: None) -> None:
    journal, entry = submit(), enter()
    before = written()
    client = clerk("ledger.approve_journal", *READ)
    assert (
        client.get(reverse(NEW)).status_code == client.post(reverse(NEW), typed("submit")).status_code == 403
    )
    assert client.post(reverse_page(entry), {"reason": WHY}).status_code == 403
    client = clerk("ledger.enter_journal", *READ)
    for page in ("approve", "reject"):
        assert client.post(journal_page(journal, page), {"note": WHY}).status_code == 403
    for page in ("close", "reopen"):
        assert client.post(month_page(page), {"reason": WHY}).status_code == 403
    client = clerk()
    for page in (reverse(ENTRIES), entry_page(entry), journal_page(journal), reverse(MONTHS)):
        assert client.get(page).status_code == 403
    assert written() == before


def test_the_menu_shows_what_may_be_done(clerk: Any, db: None) -> None:
    home = reverse("admin:index")
    page = clerk("ledger.enter_journal", "ledger.view_entryheader").get(home).content.decode()
    assert reverse(NEW) in page and reverse(ENTRIES) in page
    submit()
    page = text(clerk("ledger.approve_journal", *READ).get(home))
    assert "Journals to approve" in page and reverse(NEW) not in page


# --- the list of entries, and what an entry leads to --------------------------------------------------------


def found(client: Client, **query: str) -> set[str]:
    return {entry.je_number for entry in client.get(reverse(ENTRIES), query).context["cl"].result_list}


def test_entries_are_found_by_number_reference_date_origin_and_account(chief: Client, db: None) -> None:
    fee = enter()
    posting = charge(make_account(), "MISC", "10.00", "MISC-7", on=MONDAY_AFTER)
    other = EntryHeader.objects.get(posting=posting)
    journal = ManualJournal.objects.get()
    everything = {fee.je_number, other.je_number}
    assert found(chief) == everything
    for query, expected in (
        ({"q": fee.je_number.lower()}, fee),
        ({"q": journal.number}, fee),
        ({"q": "MISC-7"}, other),
        ({"origin__exact": "MANUAL"}, fee),
        ({"account": "1200"}, other),
        ({"account": " 5200"}, fee),
        ({"je_date_from": "2019-03-12"}, fee),
        ({"je_date_to": "2019-03-11"}, other),
    ):
        assert found(chief, **query) == {expected.je_number}, query
    for term in ("JE-201904-1", "JE-1", "MJ-2019-99999", "nothing"):
        assert found(chief, q=term) == set()
    assert entry_page(fee) in chief.get(reverse(ENTRIES)).content.decode()


def test_a_posting_a_trip_and_net_pay_lead_to_their_entries_and_back(
    chief: Client, week: SimpleNamespace
) -> None:
    posting_page = reverse("admin:ledger_ledgerposting_change", args=[week.misc.pk])
    entry = EntryHeader.objects.get(posting=week.misc)
    assert entry_page(entry) in chief.get(posting_page).content.decode()
    page = text(chief.get(entry_page(entry)))
    assert posting_page in page and "Miscellaneous MISC-1" in page and "1200" in page
    assert "Void the posting instead" in text(chief.get(reverse_page(entry)))

    entry = EntryHeader.objects.filter(origin="TRIP").first()
    assert entry is not None
    page = text(chief.get(entry_page(entry)))
    assert reverse("admin:ledger_sourcetransaction_change", args=[entry.source_id]) in page
    assert "trips.csv, row" in page and "TRIP_CARD/1" in page

    from ledger.services import statements

    statements.pay_dtr(dtr=week.dtr, on=date(2019, 3, 12), method="ACH", actor=make_user())
    entry = EntryHeader.objects.get(origin="DTR")
    page = text(chief.get(entry_page(entry)))
    assert reverse("admin:ledger_dtr_change", args=[week.dtr.pk]) in page


def test_entries_are_not_added_changed_or_deleted_here(chief: Client, db: None) -> None:
    entry, journal = enter(), submit()
    assert chief.get(reverse("admin:ledger_entryheader_add")).status_code == 403
    assert chief.post(entry_page(entry), {"description": "as if"}).status_code == 403
    assert chief.post(journal_page(journal), {"description": "as if"}).status_code == 403
    for model, key in (
        ("entryheader", entry.je_number),
        ("manualjournal", journal.pk),
        ("accountingmonth", "x"),
    ):
        page = reverse(f"admin:ledger_{model}_delete", args=[key])
        assert chief.post(page, {"post": "yes"}).status_code in (302, 403)
    assert chief.get(reverse("admin:ledger_accountingmonth_add")).status_code == 403
    assert (EntryHeader.objects.count(), ManualJournal.objects.count()) == (1, 2)


@pytest.mark.parametrize("number", ["JE-201904-1", "JE-1", "17", "x"])
def test_an_unknown_number_leads_back_home(chief: Client, db: None, number: str) -> None:
    assert chief.get(reverse("admin:ledger_entryheader_change", args=[number])).status_code == 302
    assert chief.get(reverse("admin:ledger_entryheader_reverse", args=[number])).status_code == 404


def test_lists_and_pages_cost_the_same_however_much_there_is(chief: Client, db: None) -> None:
    entry, journal = enter(), submit()

    def price() -> dict[str, int]:
        pages = (
            reverse(ENTRIES), entry_page(entry), reverse("admin:ledger_manualjournal_changelist"),
            journal_page(journal), reverse(MONTHS),
        )  # fmt: skip
        spent = {}
        for page in pages:
            with CaptureQueriesContext(connection) as queries:
                assert chief.get(page).status_code == 200
            spent[page] = len(queries)
        return spent

    price()
    few = price()
    for number in range(6):
        enter(je_date=FEE_DAY)
        submit()
        charge(make_account(), "MISC", "1.00", on=date(2019, 3 + number, 11))
    assert price() == few
    assert max(few.values()) <= 16, few


def test_amounts_of_other_currencies_have_their_decimals(chief: Client, db: None) -> None:
    for code, currency in (("9010", "JPY"), ("9030", "KWD")):
        Account.objects.create(code=code, name=currency, type="ASSET", currency_id=currency)
    lines = [
        {"account": code, "side": side, "amount": amount}
        for code, amount in (("9010", "5000"), ("9030", "1.125"))
        for side in ("DR", "CR")
    ]
    page = text(chief.get(entry_page(enter(lines=lines))))
    assert ">5,000<" in page and ">1.125<" in page and "Debits and credits, KWD OP" in page
    assert "5,001.125" in text(chief.get(reverse(ENTRIES)))


# --- months -------------------------------------------------------------------------------------------------


def test_a_month_is_closed_a_journal_refused_reopened_and_closed_again(clerk: Any, db: None) -> None:
    charge(make_account(), "MISC", "10.00", on=SUNDAY)
    client = clerk("ledger.close_month", "ledger.reopen_month", "ledger.enter_journal", *READ)
    page = text(client.get(reverse(MONTHS)))
    assert "The week of 2019-03-24, which ends in March 2019, has not run" in page
    assert month_page("close") not in page
    assert "has not run" in text(client.get(month_page("close")))
    assert not client.post(month_page("close")).context.get("form")
    assert not AccountingMonth.objects.exists()

    for number in range(4):
        run(SUNDAY + number * WEEK)
    assert month_page("close") in text(client.get(reverse(MONTHS)))
    assert "None." in text(client.get(month_page("close")))
    assert client.post(month_page("close")).status_code == 302
    page = text(client.get(reverse(MONTHS)))
    assert "Closed through Mar 31, 2019" in page and month_page("reopen") in page
    assert "closed through 2019-03-31" in text(client.post(reverse(NEW), typed("preview")))

    assert "Say why in 10" in text(client.post(month_page("reopen"), {"reason": "no"}))
    assert client.post(month_page("reopen"), {"reason": WHY}).status_code == 302
    assert client.post(reverse(NEW), typed("submit")).status_code == 302
    waiting = text(client.get(month_page("close")))
    assert "in a closed month they can only be rejected" in waiting
    assert client.post(month_page("close")).status_code == 302
    assert [event.status for event in MonthEvent.objects.all()] == ["CLOSED", "REOPENED", "CLOSED"]
    page = text(client.get(reverse("admin:ledger_accountingmonth_change", args=["2019-03-01"])))
    assert WHY in page and "month.reopened" in page


def test_only_the_next_month_closes_and_only_the_last_reopens(chief: Client, db: None) -> None:
    enter(by=accountant())
    assert "Months close in order" in text(chief.get(month_page("close", date(2019, 4, 1))))
    assert "is not closed" in text(chief.get(month_page("reopen")))
    months.close_month(month=date(2019, 3, 1), actor=controller(), on=TODAY)
    assert "is closed" in text(chief.get(month_page("close")))
    for page in ("close", "reopen"):
        assert (
            chief.get(reverse(f"admin:ledger_accountingmonth_{page}", args=["2019-13-01"])).status_code == 404
        )


def test_before_anything_is_entered_the_months_page_says_so(chief: Client, db: None) -> None:
    page = text(chief.get(reverse(MONTHS)))
    assert "No month was closed yet" in page and "Nothing has been entered yet" in page
