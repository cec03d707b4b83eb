"""Every screen opens for those who may see it, for nobody else, at a constant price; and changes nothing."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from batconnect.cases.services.documents import attach
from batconnect.cases.services.opening import open_case
from batconnect.common import screens
from batconnect.common.models import User
from batconnect.common.weeks import local_date
from ledger.models import LedgerPosting
from ledger.selectors.aging import BUCKETS, aging_totals
from tests.factories import make_user
from tests.ledger.factories import MONDAY_AFTER, charge, make_account

LEDGER = (
    "ledger_ledgerposting",
    "ledger_ledgerbalance",
    "ledger_ledgerallocation",
    "ledger_driveraccount",
    "ledger_interimpayment",
    "ledger_dtr",
    "ledger_weeklyrun",
    "ledger_importbatch",
    "ledger_parkedrow",
    "ledger_sourcetransaction",
    "jobs_jobrun",
    "common_auditentry",
)
SCREENS = (*LEDGER, "ledger_categoryrank", "common_user")
PAGES = ("ledger_weeklyrun_run", "ledger_importbatch_upload")


def url(screen: str, page: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:{screen}_{page}", args=args)


@pytest.mark.parametrize("screen", SCREENS)
def test_list_and_page_open_for_the_chief(chief: Client, rows: dict[str, Any], screen: str) -> None:
    assert chief.get(url(screen)).status_code == 200
    assert chief.get(url(screen, "change", rows[screen].pk)).status_code == 200


@pytest.mark.parametrize("screen", SCREENS)
def test_staff_without_permission_is_refused(clerk: Any, rows: dict[str, Any], screen: str) -> None:
    client = clerk()
    assert client.get(url(screen)).status_code == 403
    assert client.get(url(screen, "change", rows[screen].pk)).status_code == 403


@pytest.mark.parametrize("screen", SCREENS)
def test_who_is_not_logged_in_is_sent_to_the_login(client: Client, db: None, screen: str) -> None:
    answer = client.get(url(screen))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("admin:login"))


@pytest.mark.parametrize("screen", LEDGER)
def test_nobody_adds_changes_or_deletes(chief: Client, rows: dict[str, Any], screen: str) -> None:
    row = rows[screen]
    assert chief.get(url(screen, "add")).status_code == 403
    assert chief.post(url(screen, "change", row.pk), {"amount": "1.00"}).status_code == 403
    assert chief.post(url(screen, "delete", row.pk), {"post": "yes"}).status_code == 403
    chief.post(url(screen), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert type(row).objects.filter(pk=row.pk).exists()


def test_a_permission_opens_its_own_screens_and_no_others(clerk: Any, rows: dict[str, Any]) -> None:
    client = clerk("ledger.view_dtr")
    dtr = rows["ledger_dtr"]
    assert client.get(url("ledger_dtr", "change", dtr.pk)).status_code == 200
    assert client.get(url("ledger_dtr", "pdf", dtr.pk))["Content-Type"] == "application/pdf"
    assert client.get(url("ledger_dtr", "pay", dtr.pk)).status_code == 403
    menu = client.get(reverse("admin:index")).content.decode()
    assert url("ledger_dtr") in menu
    assert url("ledger_ledgerposting") not in menu
    assert url("ledger_weeklyrun", "run") not in menu


@pytest.mark.parametrize("page", PAGES)
def test_pages_of_their_own_need_their_permission(clerk: Any, week: SimpleNamespace, page: str) -> None:
    assert clerk().get(reverse(f"admin:{page}")).status_code == 403
    assert clerk("ledger.run_week", "ledger.import_trips").get(reverse(f"admin:{page}")).status_code == 200


def test_home_shows_the_last_week_and_what_needs_a_person(chief: Client, week: SimpleNamespace) -> None:
    page = chief.get(reverse("admin:index")).content.decode()
    assert "Week of Mar 3, 2019" in page
    assert "423.20" in page  # four card trips of 105.80
    assert "Parked rows" in page and "Jobs failed" in page


def test_home_says_how_long_what_is_owed_is_due(chief: Client, week: SimpleNamespace) -> None:
    figures = chief.get(reverse("admin:index")).context["receivables"]
    told = {label: cell.text for label, cell in figures}
    totals = aging_totals(today=local_date(timezone.now()))
    # The 2019 charges are long due; what is shown adds up to what is owed.
    assert told["Due 29 days and more"] == screens.money(totals["days_29_plus"])
    assert sum(totals[name] for name in BUCKETS) == totals["open_debits"]


def test_a_drivers_page_has_the_papers_of_his_cases(
    chief: Client, clerk: Any, week: SimpleNamespace, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    user = User.objects.get(username="chief")
    case = open_case(prefix="MISCEXP", actor=user, at=timezone.now(), data={"lease_id": week.lease.pk})
    attach(case_no=case.case_no, upload=SimpleUploadedFile("key.pdf", b"%PDF-1.4 a paper"), actor=user)
    address = url("ledger_driveraccount", "change", week.account.pk)
    page = chief.get(address).content.decode()
    assert "key.pdf" in page and case.case_no in page
    assert (
        "key.pdf" not in chief.get(url("ledger_driveraccount", "change", make_account().pk)).content.decode()
    )
    # Who may not see the case sees nothing of it.
    assert "key.pdf" not in clerk("ledger.view_driveraccount").get(address).content.decode()


def test_home_says_what_to_do_before_the_first_run(chief: Client) -> None:
    page = chief.get(reverse("admin:index")).content.decode()
    assert "No week was run yet" in page
    assert url("ledger_weeklyrun", "run") in page


@pytest.mark.parametrize("term", ["MISC-2", "ann", "5999999", "9Z99", "L-"])
def test_postings_are_found_by_what_people_know(chief: Client, week: SimpleNamespace, term: str) -> None:
    if term == "L-":
        term = week.lease.number
    charge(make_account(), "MISC", "1.00", "OTHER", on=MONDAY_AFTER)
    found = chief.get(url("ledger_ledgerposting"), {"q": term}).context["cl"].result_list
    assert "MISC-2" in {posting.reference_id for posting in found}
    assert "OTHER" not in {posting.reference_id for posting in found}


def test_filters_narrow_the_postings(chief: Client, week: SimpleNamespace) -> None:
    def found(**query: str) -> set[str]:
        rows = chief.get(url("ledger_ledgerposting"), query).context["cl"].result_list
        return {posting.category for posting in rows}

    assert found(category__exact="MISC") == {"MISC"}
    assert found(entry_type="CREDIT") == {"EARNINGS", "INTERIM_PAYMENT"}
    assert found(status__exact="VOIDED") == set()
    assert found(effective_on_from="2019-03-11", effective_on_to="2019-03-11") == {"MISC", "INTERIM_PAYMENT"}


def test_a_posting_leads_to_its_allocations_trips_and_lease(chief: Client, week: SimpleNamespace) -> None:
    earnings = LedgerPosting.objects.get(category="EARNINGS")
    page = chief.get(url("ledger_ledgerposting", "change", earnings.pk)).content.decode()
    assert url("ledger_ledgerposting", "change", week.misc.pk) in page  # what it paid
    assert "Made of these trips" in page and "105.80" in page
    assert reverse("admin:leases_lease_change", args=[week.lease.pk]) in page
    paid = chief.get(url("ledger_ledgerposting", "change", week.misc.pk)).content.decode()
    assert url("ledger_ledgerposting", "change", earnings.pk) in paid  # what paid it


def test_the_account_shows_debts_and_a_running_balance(chief: Client, week: SimpleNamespace) -> None:
    page = chief.get(url("ledger_driveraccount", "change", week.account.pk)).content.decode()
    assert "Open charges, in the order they are paid" in page
    assert "MISC-2" in page and week.dtr.number in page
    week.account.refresh_from_db()
    assert screens.money(week.account.balance) in page


@pytest.mark.parametrize(
    "screen",
    ["ledger_ledgerposting", "ledger_ledgerbalance", "ledger_ledgerallocation", "ledger_driveraccount"],
)
def test_lists_cost_the_same_however_long(chief: Client, week: SimpleNamespace, screen: str) -> None:
    def price() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert chief.get(url(screen)).status_code == 200
        return len(queries)

    chief.get(url(screen))  # content types are looked up once per process
    few = price()
    for _ in range(12):
        account = make_account()
        charge(account, "MISC", "1.00", on=MONDAY_AFTER)
    assert price() == few
    assert few <= 8


def test_pages_of_records_cost_the_same_however_much_hangs_on_them(
    chief: Client, week: SimpleNamespace
) -> None:
    def price() -> int:
        with CaptureQueriesContext(connection) as queries:
            chief.get(url("ledger_driveraccount", "change", week.account.pk))
        return len(queries)

    price()
    few = price()
    for number in range(10):
        charge(week.account, "MISC", "1.00", on=MONDAY_AFTER + timedelta(days=number))
    assert price() == few


def test_home_costs_the_same_however_many_accounts(chief: Client, week: SimpleNamespace) -> None:
    def price() -> int:
        with CaptureQueriesContext(connection) as queries:
            chief.get(reverse("admin:index"))
        return len(queries)

    price()
    few = price()
    for _ in range(8):
        charge(make_account(), "MISC", "1.00", on=MONDAY_AFTER)
    assert price() == few


def test_counts_are_exact_up_to_a_limit_and_estimates_say_so(
    chief: Client, week: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = LedgerPosting.objects.count()
    monkeypatch.setattr(screens, "EXACT_COUNT_LIMIT", count)
    exact = screens.EstimatingPaginator(LedgerPosting.objects.all(), 50)
    assert (exact.count, str(exact.count)) == (count, str(count))

    monkeypatch.setattr(screens, "EXACT_COUNT_LIMIT", count - 1)
    estimated = screens.EstimatingPaginator(LedgerPosting.objects.all(), 50)
    assert estimated.count >= count
    assert str(estimated.count).startswith("about ")
    assert "about " in chief.get(url("ledger_ledgerposting")).content.decode()


@pytest.mark.parametrize(
    ("value", "shown"), [("1234.50", "1,234.50"), ("-0.05", "−0.05"), ("0.00", "0.00"), (None, "–")]
)
def test_money_looks_the_same_everywhere(value: str | None, shown: str) -> None:
    assert screens.money(value) == shown


def test_only_a_superuser_hands_out_rights(clerk: Any) -> None:
    client = clerk("common.view_user", "common.change_user")
    person, chief = make_user(username="person"), make_user(username="boss", is_superuser=True)
    assert client.post(url("common_user", "change", chief.pk), {"username": "boss"}).status_code == 403
    data = {"username": "person", "first_name": "Ann", "is_active": "on", "is_superuser": "on"}
    joined = {"date_joined_0": "2019-03-03", "date_joined_1": "05:00:00"}
    assert client.post(url("common_user", "change", person.pk), {**data, **joined}).status_code == 302
    person.refresh_from_db()
    assert (person.first_name, person.is_superuser) == ("Ann", False)


def test_the_system_user_and_people_are_not_deleted_or_disguised(chief: Client) -> None:
    system = User.objects.get(username="system")
    assert chief.post(url("common_user", "change", system.pk), {"username": "me"}).status_code == 403
    assert chief.post(url("common_user", "delete", make_user().pk), {"post": "yes"}).status_code == 403
