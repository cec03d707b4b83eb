"""Reversing the settlement of a DTR's week in the admin: seen first, then done, or refused in a sentence."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ledger.models import DTR, LedgerPosting, TripTotal
from ledger.services import voids
from tests.ledger.factories import SUNDAY, WEEK, balance, broken_proofs, make_account, open_of, run

REASON = "The trips were of another cab."


def reverse_url(dtr: DTR) -> str:
    return reverse("admin:ledger_dtr_reverse", args=[dtr.pk])


def dtr_url(dtr: DTR) -> str:
    return reverse("admin:ledger_dtr_change", args=[dtr.pk])


def posted(category: str) -> LedgerPosting:
    return LedgerPosting.objects.get(category=category, reversal_for=None)


def text(page: str) -> str:
    """The page's words, spaces made one."""

    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_it_is_shown_first_with_postings_allocations_and_trips(chief: Client, week: SimpleNamespace) -> None:
    before = balance(week.account)
    page = text(chief.get(reverse_url(week.dtr)).content.decode())

    # Four trips of 105.80 with taxes, a lease of 100.00 twice, a misc charge of 30.00; the rest is paid out.
    payout = posted("PAYOUT").amount
    assert "Earnings taken back 423.20" in page
    assert f"Payout withdrawn {payout:,.2f}" in page
    assert "Postings that will be reversed" in page and "Taxes: MTA" in page
    assert "Allocations that will be undone" in page
    assert "MISC-1 30.00 0.00 30.00" in page  # amount, open now, open afterwards
    assert "Trips that go to the next run" in page and "4 423.20" in page
    assert balance(week.account) == before and posted("EARNINGS").status == "POSTED"


def test_it_is_done_with_a_reason_and_comes_out_as_it_was_shown(chief: Client, week: SimpleNamespace) -> None:
    shown = text(chief.get(reverse_url(week.dtr)).content.decode())
    assert chief.post(reverse_url(week.dtr), {"reason": REASON})["Location"] == dtr_url(week.dtr)

    for category in ("EARNINGS", "PAYOUT"):
        reversal = LedgerPosting.objects.get(category=category, reversal_for__isnull=False)
        assert (reversal.reason, reversal.created_by.username) == (REASON, "chief")
    assert open_of(week.misc) == 30
    assert not TripTotal.objects.filter(settled_week=SUNDAY).exists()
    assert f"Account balance afterwards {balance(week.account):,.2f}" in shown
    page = chief.get(dtr_url(week.dtr)).content.decode()
    assert "Settlement reversed" in page and reverse_url(week.dtr) not in page
    assert broken_proofs() == []


@pytest.mark.parametrize(
    ("reason", "told"), [("", "This field is required"), ("too short", "Say why in 10 to 500 characters")]
)
def test_a_reason_that_says_nothing_is_refused(
    chief: Client, week: SimpleNamespace, reason: str, told: str
) -> None:
    answer = chief.post(reverse_url(week.dtr), {"reason": reason})
    assert answer.status_code == 200 and told in answer.content.decode()
    assert posted("EARNINGS").status == "POSTED"


def test_a_payout_that_was_paid_stands_and_the_page_says_so_first(
    chief: Client, week: SimpleNamespace
) -> None:
    chief.post(
        reverse("admin:ledger_dtr_pay", args=[week.dtr.pk]),
        {"on": "2019-03-12", "method": "ACH", "method_reference": "77"},
    )
    payout = posted("PAYOUT")
    page = text(chief.get(reverse_url(week.dtr)).content.decode())
    assert f"{week.dtr.number} was paid, so its payout of {payout.amount:,.2f} is not withdrawn" in page
    assert "Payout withdrawn 0.00" in page

    assert chief.post(reverse_url(week.dtr), {"reason": REASON}).status_code == 302
    assert (posted("PAYOUT").status, open_of(payout)) == ("POSTED", payout.amount)
    assert broken_proofs() == []


def test_it_is_refused_in_a_sentence_where_there_is_nothing_to_reverse(
    chief: Client, week: SimpleNamespace
) -> None:
    idle = make_account(weekly_fee="10.00")
    run(SUNDAY + WEEK)
    nothing = DTR.objects.get(account=idle)
    chief.post(reverse_url(week.dtr), {"reason": REASON})
    for dtr, told in ((week.dtr, "was reversed before"), (nothing, "has no settled trips in the week")):
        page = chief.get(reverse_url(dtr)).content.decode()
        assert told in page and "<textarea" not in page and dtr_url(dtr) in page
        answer = chief.post(reverse_url(dtr), {"reason": REASON})
        assert answer.status_code == 200 and told in answer.content.decode()
        assert reverse_url(dtr) not in chief.get(dtr_url(dtr)).content.decode()


def test_it_needs_its_permission(clerk: Any, week: SimpleNamespace) -> None:
    client = clerk("ledger.view_dtr", "ledger.pay_dtr", "ledger.void_posting")
    assert reverse_url(week.dtr) not in client.get(dtr_url(week.dtr)).content.decode()
    assert client.get(reverse_url(week.dtr)).status_code == 403
    assert client.post(reverse_url(week.dtr), {"reason": REASON}).status_code == 403
    assert posted("EARNINGS").status == "POSTED"
    allowed = clerk("ledger.view_dtr", "ledger.reverse_settlement")
    assert reverse_url(week.dtr) in allowed.get(dtr_url(week.dtr)).content.decode()


def test_the_void_screen_of_earnings_leads_to_it(chief: Client, week: SimpleNamespace) -> None:
    void = reverse("admin:ledger_ledgerposting_void", args=[posted("EARNINGS").pk])
    assert reverse_url(week.dtr) in chief.get(void).content.decode()


def test_the_preview_is_what_the_service_takes_back(week: SimpleNamespace) -> None:
    settled = voids.standing_settlement(account=week.account, week=SUNDAY)
    categories = [row.category for row in settled.postings]
    assert categories[0] == "PAYOUT" and set(categories) == {"PAYOUT", "TAXES", "EARNINGS"}
    assert [total.card_trips for total in settled.totals] == [4]
    assert settled.paid is None
