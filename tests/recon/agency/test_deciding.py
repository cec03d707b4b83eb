"""What people decide about tolls and tickets, and what it does to the money; worked by hand."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import DatabaseError, transaction

from batconnect.common.audit import system_user
from batconnect.common.errors import BatConnectError
from batconnect.common.models import AuditEntry
from batconnect.common.transactions import sqlstate
from leases.models import Lease
from ledger.models import EntryLine, LedgerPosting
from ledger.services import voids
from recon.models import AgencyDecision, AgencyItem
from recon.services.agency import deciding, revising
from recon.services.agency.settling import next_decision
from tests.ledger.factories import account_of, balance, broken_proofs, charge, open_items, pay

from .stories import (
    TODAY,
    actions,
    charged_on,
    drove,
    item,
    load_summonses,
    load_tolls,
    make_cab,
    stands,
    summons,
    toll,
)

pytestmark = pytest.mark.django_db
WHY = "Seen on the paper trip sheet"
NEXT_DAY = date(2019, 3, 12)


@pytest.fixture
def ana() -> Lease:
    lease = make_cab()
    drove(lease, "11:45", "12:15", toll=True)
    return lease


@pytest.fixture
def ben() -> Lease:
    return make_cab("T999999C", "Ben Ode")


def decide(action: str, number: str, version: int = 1, **more: object) -> AgencyDecision:
    found = item(number, version)
    asked = {"item_id": found.pk, "reason": WHY, "actor": system_user(), "on": NEXT_DAY, **more}
    made = getattr(revising if action == "accept_revision" else deciding, action)(**asked)
    assert isinstance(made, AgencyDecision)
    return made


def accept(*numbers: str, **more: object) -> list[AgencyDecision]:
    ids = [item(number).pk for number in numbers]
    return deciding.accept(item_ids=ids, actor=system_user(), on=NEXT_DAY, **more)  # type: ignore[arg-type]


def refused(code: str, action: str, number: str, **more: object) -> str:
    before = (AgencyDecision.objects.count(), LedgerPosting.objects.count())
    with pytest.raises(BatConnectError) as raised:
        decide(action, number, **more)
    assert raised.value.code == code, raised.value
    assert (AgencyDecision.objects.count(), LedgerPosting.objects.count()) == before
    return str(raised.value)


def moved(account: str) -> Decimal:
    lines = EntryLine.objects.filter(account__code=account)
    return sum((one.amount if one.side == "DR" else -one.amount for one in lines), Decimal("0.00"))


def test_suggestions_are_accepted_together_and_each_is_recorded(ana: Lease, tmp_path: Path) -> None:
    load_tolls(tmp_path, toll("T1", "12:40"), toll("T2", "12:41", "$-5.76"), toll("T3", "12:42"))
    rows = accept("T1", "T2", seen=[item("T1").decision_id, item("T2").decision_id])
    assert [row.action for row in rows] == ["ACCEPTED", "ACCEPTED"]
    assert charged_on(account_of(ana)) == {"T1": "6.12", "T2": "5.76"}
    assert stands("T1") == ("POSTED", "OPEN") and stands("T3") == ("REVIEW", "NONE")
    assert item("T1").decision.score == 80 and item("T1").decision.candidates[0]["time"] == 30
    assert AuditEntry.objects.filter(action="agency.accepted").count() == 2
    with pytest.raises(BatConnectError, match="is posted; it cannot be accepted"):
        accept("T3", "T1")
    assert stands("T3") == ("REVIEW", "NONE") and broken_proofs() == []


def test_what_was_decided_meanwhile_is_not_decided_again(ana: Lease, tmp_path: Path) -> None:
    load_tolls(tmp_path, toll("T1", "12:40"))
    seen = item("T1").decision_id
    accept("T1", seen=[seen])
    assert "is posted now" in refused("agency.changed", "dismiss", "T1", seen=seen)


def test_a_ticket_paid_by_the_fleet_charges_all_of_it_and_one_paid_by_the_driver_the_rest(
    ana: Lease, tmp_path: Path
) -> None:
    load_summonses(
        tmp_path,
        summons("S1", due="0", paid="65"),
        summons("S2", due="50", paid="65"),
        summons("S3", due="0", paid="65"),
    )
    with pytest.raises(BatConnectError, match=r"65.00 of S1 was paid already. Say by whom"):
        accept("S1")
    accept("S1", "S2", payer="FLEET")
    accept("S3", payer="DRIVER")
    assert charged_on(account_of(ana)) == {"S1": "65.00", "S2": "115.00"}
    assert stands("S3") == ("IGNORED", "NONE") and item("S3").decision.payer == "DRIVER"
    decide("undo", "S2")
    accept("S2", payer="DRIVER")
    assert charged_on(account_of(ana)) == {"S1": "65.00", "S2/2": "50.00"} and broken_proofs() == []


def test_a_ticket_reassigned_after_it_was_paid_gives_the_money_back_to_who_paid_it(
    ana: Lease, ben: Lease, tmp_path: Path
) -> None:
    """Ana owes a ticket of 115 and a loss of 40, and pays 115 for the ticket; then the ticket turns out to be Ben's.

    Ana: 115 + 40 − 115 = 40 owed. The ticket is voided, her 115 is open credit again: 40 − 115 = −75 when all is
    counted, 40 open and 115 free. Ben owes 115. The next payment or run uses her credit: 40 of it, 75 stay hers.
    """
    load_summonses(tmp_path, summons("S1", due="115"))
    charge(account_of(ana), "MISC", "40.00", "LOSS", product="Other", on=TODAY)
    payment = pay(account_of(ana), "115.00", {"PVB:S1": "115.00"}, on=TODAY)
    assert stands("S1") == ("POSTED", "PAID") and balance(account_of(ana)) == Decimal("40.00")

    made = decide("reassign", "S1", lease_id=ben.pk)
    assert (balance(account_of(ana)), balance(account_of(ben))) == (Decimal("-75.00"), Decimal("115.00"))
    assert open_items(account_of(ana)) == {
        "MISC:LOSS": Decimal("40.00"),
        f"INTERIM_PAYMENT:{payment.reference_id}": Decimal("-115.00"),
    }
    assert open_items(account_of(ben)) == {"PVB:S1/2": Decimal("115.00")}
    assert stands("S1") == ("POSTED", "OPEN") and made.posting.replaces.reference_id == "S1"
    assert actions("S1") == ["ATTRIBUTED", "REASSIGNED"] and broken_proofs() == []

    pay(account_of(ben), "115.00", {"S1/2": "115.00"}, on=NEXT_DAY)
    assert stands("S1") == ("POSTED", "PAID") and balance(account_of(ben)) == 0
    assert moved("2410") == Decimal("-115.00") and broken_proofs() == []
    refused("agency.same_lease", "reassign", "S1", lease_id=ben.pk)


def test_a_reduced_ticket_stays_paid_as_far_as_it_goes(ana: Lease, tmp_path: Path) -> None:
    load_summonses(tmp_path, summons("S1", due="115"))
    pay(account_of(ana), "115.00", {"S1": "115.00"}, on=TODAY)
    decide("reduce", "S1", amount=Decimal("65.00"))
    assert stands("S1") == ("POSTED", "PAID") and charged_on(account_of(ana)) == {"S1/2": "65.00"}
    assert balance(account_of(ana)) == Decimal("-50.00")  # what she paid too much
    for amount in ("65.00", "0.00", "70.00"):
        refused("agency.amount", "reduce", "S1", amount=Decimal(amount))
    assert broken_proofs() == []


def test_a_disputed_ticket_is_not_owed_until_it_is_lost(ana: Lease, tmp_path: Path) -> None:
    load_summonses(tmp_path, summons("S1", due="115"))
    decide("dispute", "S1")
    assert stands("S1") == ("DISPUTED", "NONE") and balance(account_of(ana)) == 0
    decide("assign", "S1", lease_id=ana.pk)
    assert charged_on(account_of(ana)) == {"S1/2": "115.00"}
    decide("dismiss", "S1")
    assert stands("S1") == ("DISMISSED", "NONE") and balance(account_of(ana)) == 0
    decide("undo", "S1")
    assert stands("S1") == ("REVIEW", "NONE")
    accept("S1")
    assert charged_on(account_of(ana)) == {"S1/3": "115.00"} and broken_proofs() == []


def test_what_nobody_owes_the_fleet_carries_and_may_take_back(ana: Lease, tmp_path: Path) -> None:
    load_tolls(tmp_path, toll("T1", plate="NY Z00013Z"), toll("T2"), toll("T3", amount="$2.00"))
    for number in ("T1", "T2", "T3"):
        decide("take_as_fleet_cost", number)
    assert balance(account_of(ana)) == 0
    # 6.12 twice, less the 2.00 that came back; the charge to Ana and its void are the same again.
    assert (moved("5000"), moved("2400")) == (Decimal("10.24"), Decimal("-10.24"))
    decide("undo", "T1")
    assert stands("T1") == ("UNASSIGNED", "NONE") and moved("5000") == Decimal("4.12")
    decide("assign", "T1", lease_id=ana.pk)
    assert charged_on(account_of(ana)) == {"T1": "6.12"} and broken_proofs() == []


def test_a_credit_goes_to_the_toll_it_is_of(ana: Lease, tmp_path: Path) -> None:
    load_tolls(
        tmp_path,
        toll("T1"),
        toll("T2", amount="$-5.76"),
        toll("C1", amount="$2.00"),
        toll("C2", amount="$5.76"),
        toll("C3", amount="$9.00"),
    )
    refused("agency.no_such_toll", "give_credit", "C1", toll_number="C2")
    assert "cannot be more" in refused("agency.credit_too_large", "give_credit", "C3", toll_number="T1")
    decide("give_credit", "C1", toll_number="T1")
    decide("give_credit", "C2", toll_number="T2")
    assert charged_on(account_of(ana)) == {"T1/2": "4.12"}
    assert (stands("C1")[0], stands("C2")[0], stands("T2")[0]) == ("CREDITED", "CREDITED", "DISMISSED")
    named = AgencyDecision.objects.exclude(counterpart=None).order_by("id")
    assert [(one.item.number, one.counterpart.number) for one in named if one.counterpart] == [
        ("T1", "C1"), ("C1", "T1"), ("T2", "C2"), ("C2", "T2"),
    ]  # fmt: skip
    assert broken_proofs() == []


def test_the_database_lets_no_credit_go_without_its_toll(ana: Lease, tmp_path: Path) -> None:
    load_tolls(tmp_path, toll("T1"), toll("T2"), toll("C1", amount="$2.00"))
    credit, other = (AgencyItem.objects.get(number=number) for number in ("C1", "T2"))

    def refused_by_database(
        item: AgencyItem, action: str, state: str, counterpart: AgencyItem | None
    ) -> None:
        with pytest.raises(DatabaseError) as raised, transaction.atomic():
            row = next_decision(
                item,
                action=action,
                state=state,
                reasons=WHY,
                decided_by=system_user(),
                counterpart=counterpart,
            )
            row.amount = item.amount
            row.save()
        assert sqlstate(raised.value) == "BC059", raised.value

    refused_by_database(credit, "CREDITED", "CREDITED", None)
    refused_by_database(credit, "CREDITED", "CREDITED", other)  # which was not reduced by it
    refused_by_database(credit, "DISMISSED", "DISMISSED", other)
    refused_by_database(other, "UNDONE", "REVIEW", credit)


def test_a_charge_that_moves_to_another_driver_is_due_as_if_it_were_his_from_the_start(
    ana: Lease, ben: Lease, tmp_path: Path
) -> None:
    """Charged to Ana and due on its Saturday; moved to Ben a week later, it is due on the Saturday after that."""
    load_summonses(tmp_path, summons("S1"))
    before = LedgerPosting.objects.get(account=account_of(ana), category="PVB")
    decide("reassign", "S1", lease_id=ben.pk, on=NEXT_DAY + timedelta(days=7))
    moved_to = LedgerPosting.objects.get(account=account_of(ben), category="PVB")
    assert (moved_to.event_on, moved_to.due_on) == (before.event_on, date(2019, 3, 23))
    assert before.due_on == date(2019, 3, 16)
    decide("reduce", "S1", amount=Decimal("50.00"), on=NEXT_DAY + timedelta(days=14))
    reduced = LedgerPosting.objects.get(account=account_of(ben), reference_id="S1/3")
    assert reduced.due_on == moved_to.due_on


def test_other_figures_are_a_revision_and_accepting_it_moves_the_posting(ana: Lease, tmp_path: Path) -> None:
    load_tolls(tmp_path, toll("T1", amount="$-9.11"))
    pay(account_of(ana), "9.11", {"T1": "9.11"}, on=TODAY)
    again = load_tolls(tmp_path, toll("T1", amount="$-6.12"))
    assert (
        again.file.new == 1 and stands("T1", 2) == ("REVIEW", "NONE") and stands("T1") == ("POSTED", "PAID")
    )
    assert "revision" in refused("agency.not_possible", "assign", "T1", version=2, lease_id=ana.pk)
    decide("accept_revision", "T1", 2)
    assert (stands("T1"), stands("T1", 2)) == (("REVISED", "NONE"), ("POSTED", "PAID"))
    assert charged_on(account_of(ana)) == {"T1/2": "6.12"} and balance(account_of(ana)) == Decimal("-2.99")
    assert load_tolls(tmp_path, toll("T1", amount="$-9.11")).file.new == 0  # the first figures are known
    assert broken_proofs() == []


def test_a_revision_that_is_dismissed_leaves_what_stood(ana: Lease, tmp_path: Path) -> None:
    load_tolls(tmp_path, toll("T1"))
    load_tolls(tmp_path, toll("T1", amount="$-60.12"))
    decide("dismiss", "T1", 2)
    assert (stands("T1"), stands("T1", 2)) == (("POSTED", "OPEN"), ("DISMISSED", "NONE"))
    load_tolls(tmp_path, toll("T1", amount="$-7.12"))
    load_tolls(tmp_path, toll("T1", amount="$-8.12"))
    decide("accept_revision", "T1", 4)
    assert [stands("T1", version)[0] for version in (1, 2, 3, 4)] == [
        "REVISED",
        "DISMISSED",
        "REVISED",
        "POSTED",
    ]
    assert charged_on(account_of(ana)) == {"T1/2": "8.12"}


def test_a_ticket_paid_since_is_a_revision_and_the_payer_decides(ana: Lease, tmp_path: Path) -> None:
    load_summonses(tmp_path, summons("S1", due="65"))
    load_summonses(tmp_path, summons("S1", due="0", paid="65"))
    refused("agency.payer", "accept_revision", "S1", version=2)
    decide("accept_revision", "S1", 2, payer="DRIVER")
    assert stands("S1", 2) == ("IGNORED", "NONE") and balance(account_of(ana)) == 0


def test_a_revision_of_another_plate_goes_to_whom_it_is_suggested(
    ana: Lease, ben: Lease, tmp_path: Path
) -> None:
    drove(ben, "11:50", "12:10")
    load_tolls(tmp_path, toll("T1"))
    load_tolls(tmp_path, toll("T1", plate="NY T999999C"))
    decide("accept_revision", "T1", 2)
    assert charged_on(account_of(ana)) == {} and charged_on(account_of(ben)) == {"T1/2": "6.12"}
    assert broken_proofs() == []


def test_a_fleet_cost_is_entered_anew_by_its_revision(tmp_path: Path) -> None:
    fee = {**toll("F1", amount="$-1.50", plate=""), "Class": "TAG LEASING FEE"}
    load_tolls(tmp_path, fee)
    load_tolls(tmp_path, {**fee, "Amount": "$-2.50"})
    decide("accept_revision", "F1", 2)
    assert moved("5000") == Decimal("2.50") and stands("F1", 2) == ("FLEET_COST", "NONE")


def test_a_posting_voided_elsewhere_is_seen_and_may_be_charged_again(
    ana: Lease, ben: Lease, tmp_path: Path
) -> None:
    load_tolls(tmp_path, toll("T1"))
    voids.void_posting(
        posting_id=item("T1").decision.posting_id, reason=WHY, actor=system_user(), on=NEXT_DAY
    )
    assert stands("T1") == ("POSTED", "VOIDED")
    decide("reassign", "T1", lease_id=ben.pk)
    assert charged_on(account_of(ben)) == {"T1/2": "6.12"} and stands("T1") == ("POSTED", "OPEN")


def test_a_large_ticket_is_taken_back_by_two_people_only(ana: Lease, tmp_path: Path) -> None:
    load_summonses(tmp_path, summons("S1", due="1001"))
    for action in ("dispute", "dismiss", "undo", "take_as_fleet_cost"):
        refused("void.needs_approval", action, "S1")
    refused("void.needs_approval", "reduce", "S1", amount=Decimal("1.00"))


def test_what_cannot_be_decided_says_why(ana: Lease, ben: Lease, tmp_path: Path) -> None:
    load_tolls(
        tmp_path,
        toll("T1"),
        toll("T2", plate="NY Z00013Z"),
        {**toll("P", amount="$5.00"), "Class": "PAYMENT"},
    )
    refused("reason.length", "dismiss", "T1", reason="no")
    refused("agency.unknown_lease", "assign", "T2", lease_id=10**9)
    ended = make_cab("T111111C", "Cyd Fay", starts_on=date(2019, 3, 6))
    assert "did not run on 2019-03-05" in refused("agency.lease_not_then", "assign", "T2", lease_id=ended.pk)
    refused("agency.not_possible", "reassign", "T2", lease_id=ben.pk)
    refused("agency.not_possible", "undo", "P")
    refused("agency.not_possible", "take_as_fleet_cost", "P")
    refused("agency.not_possible", "accept_revision", "T1")
    with pytest.raises(BatConnectError, match="There is no such toll or ticket"):
        deciding.accept(item_ids=[10**9], actor=system_user(), on=NEXT_DAY)


def test_many_that_are_not_ours_are_dismissed_at_once(ana: Lease, tmp_path: Path) -> None:
    load_tolls(tmp_path, toll("T1"), toll("T2", plate="NY Z00013Z"), toll("T3", plate="NY Z00014Z"))
    ids = [item(number).pk for number in ("T2", "T3")]
    deciding.dismiss_many(item_ids=ids, reason=WHY, actor=system_user(), on=NEXT_DAY)
    assert stands("T2") == stands("T3") == ("DISMISSED", "NONE")
    with pytest.raises(BatConnectError, match="by itself"):
        deciding.dismiss_many(item_ids=[item("T1").pk], reason=WHY, actor=system_user(), on=NEXT_DAY)


def test_looking_again_finds_what_came_since_but_not_what_people_took_back(tmp_path: Path) -> None:
    lease = make_cab()
    load_tolls(tmp_path, toll("T1"), toll("T2", "12:05"))
    drove(lease, "11:45", "12:15")
    asked = {"actor": system_user(), "on": NEXT_DAY}
    assert deciding.look_at_all(item_ids=[item("T1").pk], **asked) == 1
    decide("undo", "T1")
    assert deciding.look_at_all(**asked) == 1 and deciding.look_at_all(**asked) == 0
    assert (stands("T1")[0], stands("T2")[0]) == ("REVIEW", "POSTED")
