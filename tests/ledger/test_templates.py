"""Accounting policy as data: finance changes where something is booked, another approves it, and from then on it is."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry, User
from ledger.engine.engine import TemplateError
from ledger.engine.templates import TemplateControl, TemplateLine, TemplateMatch
from ledger.models import Account, EntryHeader, EntryLine, LedgerPosting, ProductAccountMap
from ledger.models import JournalTemplate as StoredTemplate
from ledger.services import account_overrides, chart_accounts, templates, voids
from ledger.services.accounting_policy import as_template
from ledger.services.packs import install_pack
from ledger.services.template_checks import preview
from tests.factories import make_user

from .factories import broken_proofs, charge, make_account
from .test_application_role import as_application

pytestmark = pytest.mark.django_db

SATURDAY = date(2019, 3, 9)
MONDAY = date(2019, 3, 11)
TUESDAY = date(2019, 3, 12)
LATE_RETURN = TemplateMatch("MISC", "Late Return", None, None, None, None, 100)
ON_4300 = (
    TemplateLine(1, "DR", "1200", "OP", ":amount"),
    TemplateLine(2, "CR", "4300", "OP", ":amount"),
)
ERROR = TemplateControl(Decimal(0), "ERROR", None, "OP")


@pytest.fixture
def author() -> User:
    return make_user(username="author")


@pytest.fixture
def approver() -> User:
    return make_user(username="approver")


def active(code: str) -> StoredTemplate:
    return StoredTemplate.objects.filter(code=code, status="ACTIVE").latest("version")


def drafted(author: User, *, code: str = "LATE_RETURN", **changes: object) -> StoredTemplate:
    """A draft that books late returns on 4300, in place of what MISC does with them."""
    draft = templates.create_template(
        code=code, pack="taxi", description="Late returns", effective_from=MONDAY, actor=author
    )
    content = replace(as_template(draft), matches=(LATE_RETURN,), lines=ON_4300)
    return templates.save_draft(template_id=draft.pk, content=replace(content, **changes), actor=author)  # type: ignore[arg-type]


def approve(draft: StoredTemplate, approver: User, day: date = MONDAY, on: date = SATURDAY) -> StoredTemplate:
    return templates.approve_template(template_id=draft.pk, effective_from=day, actor=approver, on=on)


def lines_of(posting: LedgerPosting) -> list[str]:
    header = EntryHeader.objects.get(posting_id=posting.pk, je_date=posting.effective_on)
    lines = EntryLine.objects.filter(entry_id=header.pk, je_date=header.je_date).order_by("line_number")
    return [f"{line.side} {line.account.code} {line.amount:.2f}" for line in lines]


def refused(draft: StoredTemplate, approver: User, day: date = MONDAY, on: date = SATURDAY) -> list[str]:
    with pytest.raises(TemplateError) as caught:
        approve(draft, approver, day, on)
    return [str(problem) for problem in caught.value.problems]


# --- the story ------------------------------------------------------------------------------------------------------


def test_late_returns_are_booked_elsewhere_from_monday_on(author: User, approver: User) -> None:
    account = make_account()
    approve(drafted(author), approver)

    charge(account, "MISC", "50.00", "BEFORE", on=SATURDAY, product="Late Return")
    charge(account, "MISC", "50.00", "AFTER", on=MONDAY, product="Late Return")
    charge(account, "MISC", "50.00", "DATED-BACK", on=MONDAY, accounting_date=SATURDAY, product="Late Return")
    charge(account, "MISC", "50.00", "CLEANING", on=MONDAY, product="Cleaning")

    booked = {each.reference_id: lines_of(each)[1] for each in LedgerPosting.objects.filter(category="MISC")}
    assert booked == {
        "BEFORE": "CR 4200 50.00",
        "AFTER": "CR 4300 50.00",
        "DATED-BACK": "CR 4200 50.00",
        "CLEANING": "CR 4200 50.00",
    }
    header = EntryHeader.objects.get(posting_id=LedgerPosting.objects.get(reference_id="AFTER").pk)
    assert header.template_id == active("LATE_RETURN").pk
    assert broken_proofs() == []


def test_a_void_takes_back_what_was_booked_then_and_not_what_would_be_booked_now(
    author: User, approver: User
) -> None:
    account = make_account()
    posting = charge(account, "MISC", "50.00", "OLD", on=SATURDAY, product="Late Return")
    approve(drafted(author), approver)
    reversal = voids.void_posting(
        posting_id=posting.pk, reason="Returned in time after all.", actor=approver, on=MONDAY
    )
    assert lines_of(posting) == ["DR 1200 50.00", "CR 4200 50.00"]
    assert lines_of(reversal) == ["CR 1200 50.00", "DR 4200 50.00"]
    assert broken_proofs() == []


def test_a_new_version_ends_the_one_before(author: User, approver: User) -> None:
    account = make_account()
    first = active("LEASE")
    draft = templates.new_version(template_id=first.pk, actor=author, on=SATURDAY)
    assert (draft.version, draft.status, draft.effective_from) == (2, "DRAFT", date(2019, 3, 10))
    assert [str(line) for line in draft.lines.all()] == [str(line) for line in first.lines.all()]

    content = as_template(draft)
    content = replace(content, lines=(content.lines[0], replace(content.lines[1], account="4200")))
    templates.save_draft(template_id=draft.pk, content=content, actor=author)
    approve(draft, approver, MONDAY)
    first.refresh_from_db()
    assert (first.status, first.effective_to) == ("ACTIVE", date(2019, 3, 10))
    assert lines_of(charge(account, "LEASE", "500.00", on=SATURDAY))[1] == "CR 4000 500.00"
    assert lines_of(charge(account, "LEASE", "500.00", on=MONDAY))[1] == "CR 4200 500.00"

    entry = AuditEntry.objects.get(action="template.approved", subject="template:LEASE/2")
    assert (entry.actor.username, entry.after["last day of LEASE/1"]) == ("approver", "2019-03-10")
    saved = AuditEntry.objects.get(action="template.saved", subject="template:LEASE/2")
    assert saved.before["lines"][1] == "2 CR 4000 OP :amount"
    assert saved.after["lines"][1] == "2 CR 4200 OP :amount"


def test_a_version_with_an_end_lies_over_the_one_before_which_then_goes_on(
    author: User, approver: User
) -> None:
    account = make_account()
    draft = templates.new_version(template_id=active("LEASE").pk, actor=author, on=SATURDAY)
    content = as_template(draft)
    content = replace(
        content, effective_to=MONDAY, lines=(content.lines[0], replace(content.lines[1], account="4200"))
    )
    templates.save_draft(template_id=draft.pk, content=content, actor=author)
    approve(draft, approver, MONDAY)
    booked = [lines_of(charge(account, "LEASE", "5.00", on=day))[1] for day in (SATURDAY, MONDAY, TUESDAY)]
    assert booked == ["CR 4000 5.00", "CR 4200 5.00", "CR 4000 5.00"]


def test_what_was_approved_by_mistake_never_begins_once_a_newer_version_begins_no_later(
    author: User, approver: User
) -> None:
    account = make_account()
    wrong = templates.new_version(template_id=active("LEASE").pk, actor=author, on=SATURDAY)
    content = as_template(wrong)
    content = replace(content, lines=(content.lines[0], replace(content.lines[1], account="4900")))
    templates.save_draft(template_id=wrong.pk, content=content, actor=author)
    approve(wrong, approver, MONDAY)
    with pytest.raises(templates.NotBegun, match="begins on 2019-03-11"):
        templates.retire_template(template_id=wrong.pk, last_day=SATURDAY, actor=approver, on=SATURDAY)

    first = StoredTemplate.objects.get(code="LEASE", version=1)
    right = templates.new_version(template_id=first.pk, actor=author, on=SATURDAY)
    approve(right, approver, MONDAY)
    wrong.refresh_from_db()
    assert wrong.status == "RETIRED"
    booked = [lines_of(charge(account, "LEASE", "5.00", on=day))[1] for day in (SATURDAY, MONDAY, TUESDAY)]
    assert booked == ["CR 4000 5.00"] * 3


def test_a_retired_template_leaves_its_events_to_others(author: User, approver: User) -> None:
    account = make_account()
    draft = approve(drafted(author), approver)
    templates.retire_template(template_id=draft.pk, last_day=MONDAY, actor=approver, on=MONDAY)
    booked = [
        lines_of(charge(account, "MISC", "5.00", on=day, product="Late Return"))[1]
        for day in (MONDAY, TUESDAY)
    ]
    assert booked == ["CR 4300 5.00", "CR 4200 5.00"]
    with pytest.raises(templates.NotInForce, match="LATE_RETURN/1 is retired"):
        templates.retire_template(template_id=draft.pk, last_day=TUESDAY, actor=approver, on=MONDAY)


@pytest.mark.parametrize(
    ("last_day", "error"), [(SATURDAY, templates.RetiredTooEarly), (MONDAY, None)], ids=["yesterday", "today"]
)
def test_a_template_is_not_retired_backwards(
    author: User, approver: User, last_day: date, error: type[Exception] | None
) -> None:
    draft = approve(drafted(author), approver)
    if error is None:
        templates.retire_template(template_id=draft.pk, last_day=last_day, actor=approver, on=MONDAY)
        return
    with pytest.raises(error):
        templates.retire_template(template_id=draft.pk, last_day=last_day, actor=approver, on=MONDAY)


# --- who and when ---------------------------------------------------------------------------------------------------


def test_nobody_approves_or_retires_his_own(author: User, approver: User) -> None:
    draft = drafted(author)
    with pytest.raises(templates.OwnTemplate, match="You wrote LATE_RETURN/1"):
        approve(draft, author)
    approve(draft, approver)
    with pytest.raises(templates.OwnTemplate):
        templates.retire_template(template_id=draft.pk, last_day=MONDAY, actor=author, on=MONDAY)


def test_who_changed_a_draft_does_not_approve_it(author: User, approver: User) -> None:
    draft = drafted(author)
    content = replace(as_template(draft), description="Late returns, again")
    templates.save_draft(template_id=draft.pk, content=content, actor=approver)
    with pytest.raises(templates.OwnTemplate):
        approve(draft, approver)
    assert approve(draft, make_user()).status == "ACTIVE"


def test_nothing_begins_in_the_past_and_a_day_has_one_version(author: User, approver: User) -> None:
    draft = drafted(author)
    with pytest.raises(
        templates.BeginsTooEarly, match=r"nothing is changed backwards\. Choose 2019-03-09 or later"
    ):
        approve(draft, approver, SATURDAY - timedelta(days=1))
    assert approve(draft, approver, SATURDAY).effective_from == SATURDAY  # the first of its code: today

    second = templates.new_version(template_id=draft.pk, actor=author, on=SATURDAY)
    with pytest.raises(
        templates.BeginsTooEarly, match=r"may have been used today\. Choose 2019-03-10 or later"
    ):
        approve(second, approver, SATURDAY)
    assert approve(second, approver, date(2019, 3, 10)).status == "ACTIVE"


def test_nothing_begins_or_ends_beyond_the_calendar(author: User, approver: User) -> None:
    """The day after the last one is reckoned with at every posting."""
    draft = drafted(author)
    with pytest.raises(templates.TooFarAhead):
        approve(draft, approver, date.max)
    approve(draft, approver)
    with pytest.raises(templates.TooFarAhead):
        templates.retire_template(template_id=draft.pk, last_day=date.max, actor=approver, on=MONDAY)


def test_one_draft_at_a_time_and_codes_once(author: User, approver: User) -> None:
    draft = drafted(author)
    approve(draft, approver)
    templates.new_version(template_id=draft.pk, actor=author, on=MONDAY)
    with pytest.raises(templates.DraftExists, match="LATE_RETURN/2 is a draft already"):
        templates.new_version(template_id=draft.pk, actor=approver, on=MONDAY)
    with pytest.raises(templates.TemplateExists):
        templates.create_template(
            code="LATE_RETURN", pack="taxi", description="", effective_from=MONDAY, actor=author
        )
    with pytest.raises(templates.NotADraft, match="LATE_RETURN/1 is active"):
        templates.save_draft(template_id=draft.pk, content=as_template(draft), actor=author)
    with pytest.raises(templates.UnknownTemplate):
        templates.save_draft(template_id=0, content=as_template(draft), actor=author)


# --- what is wrong is told, all of it, and where --------------------------------------------------------------------


def test_everything_that_is_wrong_is_told_with_line_and_position(author: User, approver: User) -> None:
    lines = (
        TemplateLine(1, "DR", "1200", "OP", ":amount + :ammount"),
        TemplateLine(2, "CR", "4300", "OP", "sqrt(:amount)"),
        TemplateLine(3, "CR", "4300", "OP", ":amount", condition=":amount >"),
    )
    draft = drafted(author, matches=(replace(LATE_RETURN, condition=":amount + 1"),), lines=lines)
    told = refused(draft, approver)
    assert len(told) == 4
    assert (
        told[0]
        == "LATE_RETURN/1, match 1, condition: this is a number, but a condition, like :amount > 0 is needed"
    )
    assert told[1].startswith(
        "LATE_RETURN/1, line 1, amount: unknown column :ammount at position 11; the columns are"
    )
    assert told[2].startswith("LATE_RETURN/1, line 2, amount: unknown function sqrt at position 1")
    assert told[3].startswith("LATE_RETURN/1, line 3, condition: ") and "position 10" in told[3]
    draft.refresh_from_db()
    assert draft.status == "DRAFT"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"lines": (*ON_4300, TemplateLine(3, "CR", "9999", "OP", ":amount"))},
            "line 3, account: account 9999 is not",
        ),
        ({"lines": (*ON_4300, replace(ON_4300[0], account=""))}, "account (empty) is not in the chart"),
        ({"lines": (ON_4300[0], ON_4300[0])}, "line 1, number: there are two lines 1"),
        ({"lines": (replace(ON_4300[0], places=9), ON_4300[1])}, "lines are rounded to 0 to 6 decimals"),
        ({"control": replace(ERROR, action="AUTO_ADJUST")}, "AUTO_ADJUST needs an account and a fund"),
        ({"control": replace(ERROR, tolerance=Decimal(10) ** 15)}, "more than the journal holds"),
        ({"effective_to": date.max}, "template, effective_to: 2199-12-31 is the last day there is"),
        ({"effective_to": SATURDAY}, "it ends on 2019-03-09, before it begins"),
        ({"matches": (replace(LATE_RETURN, min_amount=Decimal("-1")),)}, "use 0 or more"),
        ({"matches": (replace(LATE_RETURN, priority=2**40),)}, "match 1, priority: that number is too large"),
        (
            {"matches": (replace(LATE_RETURN, product="x" * 41),)},
            "match 1, product: at most 40 characters fit",
        ),
        ({"lines": (replace(ON_4300[0], amount=":amount + 0" * 60), ON_4300[1])}, "at most 500 characters"),
    ],
)
def test_what_the_tables_cannot_hold_is_not_saved(
    author: User, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(TemplateError) as caught:
        drafted(author, **changes)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((), "a driver's posting always has an entry"),
        (
            (TemplateLine(1, "DR", "1010", "OP", ":amount"), TemplateLine(2, "CR", "4300", "OP", ":amount")),
            "a posting of 123.45 would move 1200 by 0.00",
        ),
        (
            (replace(ON_4300[0], amount="abs(:amount)"), replace(ON_4300[1], amount="abs(:amount)")),
            "a posting of -123.45 would move 1200 by 123.45",
        ),
    ],
)
def test_a_drivers_posting_moves_1200_by_its_amount(
    author: User, approver: User, lines: tuple[TemplateLine, ...], words: str
) -> None:
    (told,) = refused(drafted(author, lines=lines), approver)
    assert told.startswith("LATE_RETURN/1, match 1, txn_type: ") and words in told


def test_two_that_fit_the_same_events_are_found_at_approval(author: User, approver: User) -> None:
    approve(drafted(author), approver)
    rival = drafted(author, code="LATE_FEES")
    (told,) = refused(rival, approver)
    assert "LATE_RETURN/1, match 1, fits the same events as well; give one of them another priority" in told
    content = replace(as_template(rival), matches=(replace(LATE_RETURN, priority=90),))
    templates.save_draft(template_id=rival.pk, content=content, actor=author)
    assert approve(rival, approver).status == "ACTIVE"


def test_an_account_that_is_not_active_is_found_at_approval(author: User, approver: User) -> None:
    draft = drafted(author)
    Account.objects.filter(code="4300").update(active=False)
    (told,) = refused(draft, approver)
    assert (
        told
        == "LATE_RETURN/1, line 2, account: account 4300 is not active; choose another, or have it made active first"
    )


def test_control_accounts_take_no_adjustments(author: User, approver: User) -> None:
    control = TemplateControl(Decimal("0.01"), "AUTO_ADJUST", "1200", "OP")
    (told,) = refused(drafted(author, control=control), approver)
    assert "control, adjust_account: 1200 is a control account" in told


# --- the database holds the same rules ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "UPDATE journal_template SET description = 'x' WHERE id = %s",
            "is in force: a change is a new version",
        ),
        (
            "UPDATE journal_template SET effective_from = '2018-01-01' WHERE id = %s",
            "a change is a new version",
        ),
        ("UPDATE journal_template SET status = 'DRAFT' WHERE id = %s", "a change is a new version"),
        ("UPDATE journal_template SET version = 9 WHERE id = %s", "keeps its code and version"),
        ("DELETE FROM journal_template WHERE id = %s", "Cannot delete"),
        ("UPDATE journal_template_line SET amount = '0' WHERE template_id = %s", "never edited"),
        ("UPDATE journal_template_match SET priority = 1 WHERE template_id = %s", "never edited"),
        ("UPDATE journal_template_control SET tolerance = 9 WHERE template_id = %s", "never edited"),
        ("DELETE FROM journal_template_line WHERE template_id = %s", "never edited"),
        ("DELETE FROM journal_template_match WHERE template_id = %s", "never edited"),
        ("DELETE FROM journal_template_control WHERE template_id = %s", "never edited"),
        (
            "INSERT INTO journal_template_match (template_id, txn_type, priority) VALUES (%s, 'MISC', 1)",
            "never edited",
        ),
        (
            "INSERT INTO journal_template_line (template_id, number, side, account_id, fund, amount, places, memo) "
            "SELECT %s, 9, 'DR', id, 'OP', '0', 2, '' FROM chart_of_accounts LIMIT 1",
            "never edited",
        ),
        (
            "UPDATE journal_template SET status = 'RETIRED', effective_to = '2019-01-01' WHERE id = %s",
            "dates_in_order",
        ),
    ],
)
def test_a_version_in_force_is_not_touched(author: User, approver: User, statement: str, words: str) -> None:
    template = approve(drafted(author), approver)
    with pytest.raises(DatabaseError, match=words), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, [template.pk])


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE journal_template SET status = 'ACTIVE' WHERE id = %(id)s", "in_force_is_approved"),
        (
            "UPDATE journal_template SET status = 'ACTIVE', approved_by_id = created_by_id, approved_at = now() "
            "WHERE id = %(id)s",
            "approved by somebody other than its author",
        ),
        (
            "INSERT INTO journal_template (code, version, pack, description, status, effective_from, created_by_id, "
            "created_at, approved_by_id, approved_at) SELECT 'NEW', 1, 'taxi', '', 'ACTIVE', now(), created_by_id, "
            "now(), created_by_id, now() FROM journal_template WHERE id = %(id)s",
            "begins as a draft",
        ),
        ("DELETE FROM journal_template WHERE id = %(id)s", "Cannot delete"),
    ],
)
def test_a_draft_comes_into_force_by_approval_alone(author: User, statement: str, words: str) -> None:
    draft = drafted(author)
    with pytest.raises(DatabaseError, match=words), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, {"id": draft.pk})


def test_templates_are_not_truncated() -> None:
    with (
        pytest.raises(DatabaseError, match="history must stand"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("TRUNCATE journal_template CASCADE")


# --- previews and overrides -----------------------------------------------------------------------------------------


def test_a_preview_shows_the_lines_or_the_sentence_why_not(author: User) -> None:
    content = as_template(drafted(author))
    event = {"txn_type": "MISC", "product": "Late Return", "amount": Decimal("50.00"), "on": MONDAY}
    shown = preview(content, pack="taxi", event=event)
    assert [(line.side, line.account, line.amount) for line in shown.lines] == [
        ("DR", "1200", Decimal(50)),
        ("CR", "4300", Decimal(50)),
    ]
    assert (shown.total("DR"), shown.refusal) == (50, "")
    assert shown.goes_to == "In use, an event like this goes to this template."

    elsewhere = preview(content, pack="taxi", event={**event, "product": "Towing"})
    assert elsewhere.goes_to.startswith("In use, an event like this goes to MISC/1 (")
    off = replace(content, lines=(content.lines[0], replace(content.lines[1], amount=":amount * 0.9")))
    assert preview(off, pack="taxi", event=event).refusal == (
        "TEMPLATE LATE_RETURN/1, entry off by 5.00 in fund OP: debits 50.00, credits 45.00"
    )
    wrong = replace(content, lines=(content.lines[0], replace(content.lines[1], amount=":x")))
    assert "cannot be used as it stands" in preview(wrong, pack="taxi", event=event).refusal
    nowhere = preview(content, pack="taxi", event={**event, "txn_type": "X"})
    assert "no template for X of product Late Return" in nowhere.goes_to
    empty = preview(content, pack="taxi", event={**event, "amount": None})
    assert "column amount is empty" in empty.refusal


def test_the_applications_role_can_do_all_of_this(author: User, approver: User) -> None:
    with as_application():
        draft = approve(drafted(author), approver)
        templates.retire_template(template_id=draft.pk, last_day=MONDAY, actor=approver, on=MONDAY)
        install_pack(name="takaful", actor=system_user())
        misc, fees = Account.objects.get(code="4200"), Account.objects.get(code="4300")
        row = account_overrides.add_override(product="Towing", account=misc, to_account=fees, actor=author)
        account_overrides.remove_override(override_id=row.pk, actor=author)
        chart_accounts.change_account(
            account_id=fees.pk, values={"overdraft_limit": Decimal(5)}, actor=author, on=MONDAY
        )
    assert Account.objects.get(code="4300").guarded_balance.floor == -5


def test_an_override_diverts_one_product_at_once(author: User) -> None:
    account = make_account()
    misc, fees = Account.objects.get(code="4200"), Account.objects.get(code="4300")
    row = account_overrides.add_override(
        template_code="MISC", product="Towing", account=misc, to_account=fees, actor=author
    )
    assert lines_of(charge(account, "MISC", "5.00", on=MONDAY, product="Towing"))[1] == "CR 4300 5.00"
    assert lines_of(charge(account, "MISC", "5.00", on=MONDAY, product="Damage"))[1] == "CR 4200 5.00"
    with pytest.raises(account_overrides.OverrideExists):
        account_overrides.add_override(
            template_code="MISC", product="Towing", account=misc, to_account=fees, actor=author
        )
    account_overrides.remove_override(override_id=row.pk, actor=author)
    assert lines_of(charge(account, "MISC", "5.00", on=MONDAY, product="Towing"))[1] == "CR 4200 5.00"
    with pytest.raises(account_overrides.UnknownOverride):
        account_overrides.remove_override(override_id=row.pk, actor=author)
    assert set(AuditEntry.objects.filter(actor=author).values_list("action", flat=True)) == {
        "override.added",
        "override.removed",
    }


@pytest.mark.parametrize(
    ("product", "account", "to_account", "template", "words"),
    [
        ("", "4200", "4300", None, "name it"),
        ("Towing", "4200", "4200", None, "same account"),
        ("Towing", "1200", "4300", None, "1200 is a control account"),
        ("Towing", "4200", "2300", None, "2300 is a control account"),
        ("Towing", "4200", "4300", "NONE", "no template NONE"),
    ],
)
def test_overrides_that_cannot_be_are_refused(
    author: User, product: str, account: str, to_account: str, template: str | None, words: str
) -> None:
    before = ProductAccountMap.objects.count()
    with pytest.raises(account_overrides.OverrideRefused, match=words):
        account_overrides.add_override(
            template_code=template,
            product=product,
            account=Account.objects.get(code=account),
            to_account=Account.objects.get(code=to_account),
            actor=author,
        )
    assert ProductAccountMap.objects.count() == before
