"""Finance writes a template, tries it, has it approved; every refusal stands beside what it is about."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from batconnect.common.weeks import local_date
from ledger.models import JournalTemplate
from ledger.services import templates
from tests.factories import make_user

WRITES = ("ledger.view_journaltemplate", "ledger.add_journaltemplate", "ledger.change_journaltemplate")
APPROVES = ("ledger.view_journaltemplate", "ledger.approve_journaltemplate")


def today() -> Any:
    return local_date(timezone.now())


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:ledger_journaltemplate_{name}", args=args)


def form(
    *, lines: list[dict[str, Any]] | None = None, match: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """The editor's form: one match and two lines unless said otherwise."""
    lines = [{"side": "DR", "account": "1200"}, {"side": "CR", "account": "4300"}] if lines is None else lines
    matches = [{"txn_type": "MISC", "product": "Late Return", "priority": 100, **(match or {})}]
    data: dict[str, Any] = {
        "description": "Late returns",
        "effective_from": str(today()),
        "effective_to": "",
        "control-action": "ERROR",
        "control-tolerance": "0",
        "control-adjust_account": "",
        "control-adjust_fund": "OP",
        "event-txn_type": "MISC",
        "event-product": "Late Return",
        "event-channel": "",
        "event-on": str(today()),
        "event-amount": "50.00",
    }
    for prefix, rows in (("matches", matches), ("lines", lines)):
        data |= {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": 0}
        for n, row in enumerate(rows):
            whole = (
                {"number": n + 1, "fund": "OP", "amount": ":amount", "places": 2, **row}
                if prefix == "lines"
                else row
            )
            data |= {f"{prefix}-{n}-{name}": value for name, value in whole.items()}
    return {**data, **more}


@pytest.fixture
def draft(db: None) -> JournalTemplate:
    return templates.create_template(
        code="LATE_RETURN",
        pack="taxi",
        description="Late returns",
        effective_from=today(),
        actor=make_user(username="author"),
    )


def test_from_draft_to_force(clerk: Any) -> None:
    client = clerk(*WRITES)
    begun = client.post(page("add"), {"code": "LATE_RETURN", "pack": "taxi", "description": "Late returns"})
    draft = JournalTemplate.objects.get(code="LATE_RETURN")
    assert begun["Location"] == page("change", draft.pk)
    assert "nothing is matched" in client.get(page("change", draft.pk)).content.decode()

    saved = client.post(page("change", draft.pk), form(save=1))
    assert saved["Location"] == page("change", draft.pk)
    assert [str(line) for line in draft.lines.select_related("account")] != []
    shown = client.get(page("change", draft.pk)).content.decode()
    assert "to put right" not in shown and 'value="4300"' in shown

    client = clerk(*APPROVES)
    shown = client.get(page("approve", draft.pk)).content.decode()
    assert "What it says" in shown and "CR 4300 OP :amount" in shown
    monday = today() + timedelta(days=3)
    assert client.post(page("approve", draft.pk), {"day": str(monday)})["Location"] == page(
        "change", draft.pk
    )
    draft.refresh_from_db()
    assert (draft.status, draft.effective_from) == ("ACTIVE", monday)


def test_the_preview_shows_the_lines_of_what_stands_on_the_page(clerk: Any, draft: JournalTemplate) -> None:
    answer = clerk(*WRITES).post(page("change", draft.pk), form(preview=1))
    shown = answer.content.decode()
    assert "This event gives" in shown
    assert "1200 Drivers receivable" in shown and "4300 Cancellation fees" in shown
    assert "In use, an event like this goes to this template." in shown
    assert answer.context["shown"].total("DR") == 50
    assert not draft.lines.exists()  # nothing is saved


def test_the_preview_says_why_not(clerk: Any, draft: JournalTemplate) -> None:
    lines = [{"side": "DR", "account": "1200"}, {"side": "CR", "account": "4300", "amount": ":amount * 0.9"}]
    shown = clerk(*WRITES).post(page("change", draft.pk), form(preview=1, lines=lines)).content.decode()
    assert "TEMPLATE LATE_RETURN/1, entry off by 5.00 in fund OP: debits 50.00, credits 45.00" in shown
    shown = (
        clerk(*WRITES)
        .post(page("change", draft.pk), form(preview=1, **{"event-amount": "x"}))
        .content.decode()
    )
    assert "Enter a number." in shown


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lines": [{"side": "DR", "account": "9999"}]}, "Line 1: account 9999 is not in the chart of accounts"),
        ({"lines": [{"side": "DR", "account": ""}]}, "Line 1: account (empty) is not in the chart"),
        ({"lines": [{"side": "DR", "account": "1200", "number": 7}] * 2}, "Line 7: there are two lines 7"),
        ({"effective_to": "2001-01-01"}, "Template: it ends on 2001-01-01, before it begins"),
        ({"control-action": "AUTO_ADJUST"}, "Control: AUTO_ADJUST needs an account and a fund"),
        ({"match": {"min_amount": "-1"}}, "Match 1: amounts are matched without their sign"),
        ({"match": {"priority": 2**40}}, "Match 1: that number is too large"),
        ({"lines": [{"side": "DR", "account": "1200", "number": 0}]}, "greater than or equal to 1"),
        ({"lines": [{"side": "XX", "account": "1200"}]}, "is not one of the available choices"),
        ({"lines": [{"side": "DR", "account": "1200", "amount": "\0"}]}, "Null characters are not allowed"),
        ({"lines-TOTAL_FORMS": "x"}, "ManagementForm data is missing"),
    ],
)  # fmt: skip
def test_what_cannot_be_stored_is_marked_and_nothing_is_saved(
    clerk: Any, draft: JournalTemplate, changes: dict[str, Any], words: str
) -> None:
    answer = clerk(*WRITES).post(page("change", draft.pk), form(save=1, **changes))
    assert answer.status_code == 200
    assert words in answer.content.decode().replace("&#x27;", "'")
    assert not draft.lines.exists() and not draft.matches.exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"amount": ":amount + :ammount"}, "Line 2: unknown column :ammount at position 11"),
        ({"amount": "sqrt(:amount)"}, "Line 2: unknown function sqrt at position 1"),
        ({"amount": ":amount *"}, "Line 2: found the end at position 10"),
        ({"condition": ":amount"}, "Line 2: this is a number, but a condition"),
    ],
)
def test_expressions_that_are_not_right_are_kept_and_told_with_their_position(
    clerk: Any, draft: JournalTemplate, line: dict[str, Any], words: str
) -> None:
    client = clerk(*WRITES, "ledger.approve_journaltemplate")
    lines = [{"side": "DR", "account": "1200"}, {"side": "CR", "account": "4300", **line}]
    answer = client.post(page("change", draft.pk), form(save=1, lines=lines), follow=True)
    shown = answer.content.decode()
    assert words in shown and "1 thing to put right" in shown
    assert draft.lines.count() == 2
    # the one who approves is told the same, and has nothing to click
    client = clerk(*APPROVES)
    refused = client.get(page("approve", draft.pk)).content.decode()
    assert f"LATE_RETURN/1, line 2, {next(iter(line))}: " in refused and ">Approve</button>" not in refused
    again = client.post(page("approve", draft.pk), {"day": str(today())})
    assert again.status_code == 200
    draft.refresh_from_db()
    assert draft.status == "DRAFT"


def test_a_rival_for_the_same_events_is_told_at_its_priority(clerk: Any, draft: JournalTemplate) -> None:
    shown = (
        clerk(*WRITES)
        .post(page("change", draft.pk), form(save=1, match={"product": ""}), follow=True)
        .content.decode()
    )
    assert "fits the same events as well; give one of them another priority" in shown


def test_rows_are_added_and_removed_without_saving(clerk: Any, draft: JournalTemplate) -> None:
    client = clerk(*WRITES)
    shown = client.post(page("change", draft.pk), form(add="lines"))
    rows = shown.context["forms"].lines
    assert [row["number"].value() for row in rows] == ["1", "2", "3"]
    assert "This field is required" not in shown.content.decode()
    shown = client.post(page("change", draft.pk), form(add="matches"))
    assert len(shown.context["forms"].matches) == 2
    assert not draft.lines.exists()

    client.post(
        page("change", draft.pk),
        form(
            save=1,
            lines=[{"side": "DR", "account": "1200"}, {"side": "CR", "account": "4300", "DELETE": "on"}],
        ),
    )
    assert draft.lines.count() == 1


def test_what_is_in_force_is_read_and_tried_but_not_written(chief: Client) -> None:
    lease = JournalTemplate.objects.get(code="LEASE")
    shown = chief.get(page("change", lease.pk)).content.decode()
    assert "New version" in shown and "Save the draft" not in shown
    event = {"preview": 1, "event-txn_type": "LEASE", "event-on": str(today()), "event-amount": "500"}
    shown = chief.post(page("change", lease.pk), event).content.decode()
    assert "4000 Lease income" in shown and "500.00" in shown
    assert chief.post(page("change", lease.pk), form(save=1)).status_code == 403
    assert chief.get(page("delete", lease.pk)).status_code == 403
    lease.refresh_from_db()
    assert lease.description != "Late returns"


def test_a_new_version_shows_what_it_changes_to_the_one_who_approves(clerk: Any) -> None:
    lease = JournalTemplate.objects.get(code="LEASE")
    client = clerk(*WRITES)
    made = client.post(page("new_version", lease.pk))
    draft = JournalTemplate.objects.get(code="LEASE", version=2)
    assert made["Location"] == page("change", draft.pk)
    assert client.post(page("new_version", lease.pk))["Location"] == page(
        "change", draft.pk
    )  # not a second draft
    lines = [{"side": "DR", "account": "1200"}, {"side": "CR", "account": "4200"}]
    client.post(
        page("change", draft.pk), form(save=1, lines=lines, match={"txn_type": "LEASE", "product": ""})
    )

    client = clerk(*APPROVES)
    answer = client.get(page("approve", draft.pk))
    shown = answer.content.decode()
    assert "What changes against LEASE/1" in shown
    rows = answer.context["detail"].tables[0].rows
    assert [[cell.text for cell in row] for row in rows][1] == [
        "Line 2", "CR 4000 OP :amount", "CR 4200 OP :amount", "changed",
    ]  # fmt: skip
    refused = client.post(page("approve", draft.pk), {"day": str(today())})
    assert "another version may have been used today" in refused.content.decode()
    tomorrow = today() + timedelta(days=1)
    assert client.post(page("approve", draft.pk), {"day": str(tomorrow)}).status_code == 302
    lease.refresh_from_db()
    assert lease.effective_to == today()


def test_nobody_decides_on_what_he_wrote(clerk: Any, chief: Client, draft: JournalTemplate) -> None:
    client = clerk(*WRITES, *APPROVES)
    client.post(page("change", draft.pk), form(save=1))
    shown = client.get(page("approve", draft.pk)).content.decode()
    assert "You wrote LATE_RETURN/1, or part of it" in shown and ">Approve</button>" not in shown
    answer = client.post(page("approve", draft.pk), {"day": str(today())})
    assert answer.status_code == 200 and "You wrote LATE_RETURN/1" in answer.content.decode()
    draft.refresh_from_db()
    assert draft.status == "DRAFT"


def test_retiring_says_what_it_means_and_does_it(clerk: Any) -> None:
    lease = JournalTemplate.objects.get(code="LEASE")
    client = clerk(*APPROVES)
    assert page("retire", lease.pk) in client.get(page("change", lease.pk)).content.decode()
    shown = client.post(page("retire", lease.pk), {"day": str(today() - timedelta(days=1))}).content.decode()
    assert "may have been used today" in shown
    assert client.post(page("retire", lease.pk), {"day": str(today())}).status_code == 302
    lease.refresh_from_db()
    assert (lease.status, lease.effective_to) == ("RETIRED", today())
    assert "is not in force" in client.get(page("retire", lease.pk)).content.decode()


def test_only_who_may_may(clerk: Any, draft: JournalTemplate) -> None:
    looks = clerk("ledger.view_journaltemplate")
    assert looks.get(page("changelist")).status_code == 200
    shown = looks.get(page("change", draft.pk)).content.decode()
    assert "Save the draft" not in shown and "Try an event" in shown
    assert looks.post(page("change", draft.pk), form(save=1)).status_code == 403
    for answer in (
        looks.get(page("add")),
        looks.post(page("new_version", draft.pk)),
        looks.get(page("approve", draft.pk)),
        looks.post(page("approve", draft.pk), {"day": str(today())}),
        looks.post(page("retire", draft.pk), {"day": str(today())}),
        clerk().get(page("changelist")),
        clerk().get(page("change", draft.pk)),
    ):
        assert answer.status_code == 403
    assert not draft.lines.exists()
    assert clerk(*WRITES).get(page("new_version", draft.pk)).status_code == 405
    assert clerk(*WRITES).get(page("change", 0)).status_code == 302


def test_the_list_finds_templates_by_what_they_are_for(
    chief: Client, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(9):
        shown = chief.get(page("changelist")).content.decode()
    assert "LEASE/1" in shown
    found = chief.get(page("changelist"), {"q": "2300"}).context["cl"].result_list
    assert {each.code for each in found} == {"EARNINGS", "TRIP_CARD"}


@pytest.mark.parametrize(
    "odd",
    [
        {"event-amount": "1E+5"},
        {"event-amount": "NaN"},
        {"event-amount": "99999999999999"},
        {"event-on": "9999-12-31"},
        {"event-on": "0001-01-01"},
        {"event-principal": "0.001"},
        {"control-tolerance": "1E+2", "control-action": "AUTO_ADJUST", "control-adjust_account": "4300"},
        {"control-tolerance": "99999999999999999999"},
        {"matches-0-min_amount": "1E+3"},
        {"matches-0-max_amount": "-0"},
        {"matches-0-priority": "-99999999999"},
        {"lines-0-amount": "(" * 400},
        {"lines-0-amount": ":amount / 0"},
        {"lines-0-amount": ":amount * 99999999999999999999 * 99999999999999999999"},
        {"lines-0-places": "7"},
        {"lines-0-number": "99999"},
        pytest.param({"lines-TOTAL_FORMS": "100000"}, marks=pytest.mark.thorough),
        {"lines-TOTAL_FORMS": "-1"},
        {"lines-TOTAL_FORMS": "\u0663"},
        {"effective_to": "9999-12-31"},
        {"effective_from": "9999-12-31"},
        {"effective_from": "0001-01-01"},
    ],
    ids=str,
)
@pytest.mark.parametrize("button", ["save", "preview", "add"])
def test_whatever_is_typed_is_answered(
    clerk: Any, draft: JournalTemplate, odd: dict[str, str], button: str
) -> None:
    client = clerk(*WRITES)
    answer = client.post(page("change", draft.pk), form(**{button: "lines", **odd}), follow=True)
    assert answer.status_code == 200
    assert client.get(page("change", draft.pk)).status_code == 200
