"""Days of reconciliation: what is matched, carried forward, waited for, done again, and never claimed twice."""

import random
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core import mail

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry
from batconnect.jobs.models import JobRun
from recon.models import ExternalRow, ReconJob, ReconLog, ReconMatch, ReconMatchRow
from recon.services import rules
from recon.services.runs import SourceInactive
from recon.sources import BadRow, ControlTotals
from recon.tasks import start_due

from .stories import DAY, SEED_ROWS, bank_file, ends, key_of, log_of, make_source, post, post_seed, reconcile

pytestmark = pytest.mark.django_db
NEXT = DAY + timedelta(days=1)


def line(key: str, amount: str, at: str = "2025-07-13T09:00:00-04:00", ref: str = "", text: str = "") -> str:
    return f"{key},{at},{amount},USD,{ref},{text}"


def claimed_once() -> bool:
    rows = ReconMatchRow.objects.filter(active=True)
    outside = [row.external_row_id for row in rows if row.side == "external"]
    lines = [row.line_id for row in rows if row.side == "ledger"]
    return len(outside) == len(set(outside)) and len(lines) == len(set(lines))


def test_equal_amounts_on_one_day_are_matched_one_to_one(tmp_path: Path) -> None:
    """Three trips of 10.00 at one moment, two settled: two match, and which of them is always the same."""
    source = make_source()
    for _ in range(3):
        post("10.00", at="2025-07-13T09:00:00-04:00", reference="T", description="CURB CARD")
    rows = [line("A", "10.00", ref="T", text="CURB CARD"), line("B", "10.00", ref="T", text="CURB CARD")]
    job = reconcile(source, bank_file(tmp_path, rows))
    assert ends(job) == {"A": ("matched", "exact"), "B": ("matched", "exact")}
    assert sorted(outcome for outcome, _ in ends(job, "ledger").values()) == [
        "matched",
        "matched",
        "unmatched",
    ]
    assert claimed_once()


def test_equal_amounts_that_nothing_tells_apart_are_left_to_a_person(tmp_path: Path) -> None:
    source = make_source()
    for _ in range(2):
        post("10.00", at="2025-07-13T09:00:00-04:00")
    job = reconcile(source, bank_file(tmp_path, [line("A", "10.00", at="2025-07-13T09:01:00-04:00")]))
    assert ends(job)["A"][0] == "ambiguous"
    log = log_of(job, "A")
    assert len(log.partners) == 2 and len(log.reasons.splitlines()) == 2
    assert not ReconMatch.objects.exists()


def test_who_comes_third_for_an_ambiguous_row_is_unmatched_and_alone(tmp_path: Path) -> None:
    """Two rows have the same claim to one line; a later, weaker claim is one of its options and nothing more."""
    source = make_source()
    entry = post("10.00", at="2025-07-13T09:00:00-04:00", description="CURB CARD")
    near, later = "2025-07-13T09:01:00-04:00", "2025-07-13T09:20:00-04:00"
    rows = [line("A", "10.00", at=near, text="CURB CARD"), line("B", "10.00", at=near, text="CURB CARD")]
    job = reconcile(source, bank_file(tmp_path, [*rows, line("C", "10.00", at=later, text="CURB CARD")]))
    assert ends(job) == {"A": ("ambiguous", "score"), "B": ("ambiguous", "score"), "C": ("unmatched", "")}
    third = log_of(job, "C")
    assert (third.partners, third.reasons, third.nearest) == ([], "", key_of(entry))
    assert third.failed == "contested"
    assert set(log_of(job, key_of(entry)).partners) == {"A", "B", "C"}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_every_row_has_one_log_and_no_row_two_partners(tmp_path: Path, seed: int) -> None:
    """Few amounts, few moments, few texts: everything is nearly everything else, twice over."""
    chance = random.Random(seed)

    def drawn() -> dict[str, str]:
        return {
            "amount": chance.choice(["10.00", "10.05", "-10.00", "20.00", "20.05"]),
            "at": f"2025-07-13T09:{chance.choice([0, 0, 1, 12, 20, 31]):02}:00-04:00",
            "ref": chance.choice(["", "", "R1", "R2"]),
            "text": chance.choice(["CURB CARD", "CURB CASH", "CURB"]),
        }

    for _ in range(25):
        row = drawn()
        post(row["amount"], at=row["at"], reference=row["ref"], description=row["text"])
    source = make_source()
    job = reconcile(source, bank_file(tmp_path, [line(f"X{number}", **drawn()) for number in range(25)]))
    assert (len(ends(job)), len(ends(job, "ledger"))) == (25, 25)
    assert claimed_once()
    matched = ReconLog.objects.filter(job=job, outcome="matched", side="external").count()
    assert ReconMatch.objects.filter(status="ACTIVE").count() == matched


def test_money_in_is_never_matched_with_money_out(tmp_path: Path) -> None:
    source = make_source()
    entry = post("-10.00", at="2025-07-13T09:00:00-04:00", reference="T", description="CURB CARD")
    job = reconcile(source, bank_file(tmp_path, [line("A", "10.00", ref="T", text="CURB CARD")]))
    log = log_of(job, "A")
    assert (log.outcome, log.nearest, log.failed) == ("unmatched", key_of(entry), "sign")


def test_a_source_that_writes_the_other_way_round_has_its_sign_reversed(tmp_path: Path) -> None:
    """A settlement is + outside and a credit of what is still to come."""
    source = make_source(reversed_sign=True)
    post("-10.00", at="2025-07-13T09:00:00-04:00", reference="T")
    job = reconcile(source, bank_file(tmp_path, [line("A", "10.00", ref="T")]))
    assert ends(job) == {"A": ("matched", "exact")}
    assert (job.external_total, job.ledger_total, job.variance) == (10, 10, 0)


def test_one_moment_in_two_zones_is_one_moment(tmp_path: Path) -> None:
    source = make_source()
    post("10.00", at="2025-07-13T09:00:00-04:00", reference="T")
    assert ends(
        reconcile(source, bank_file(tmp_path, [line("A", "10.00", at="2025-07-13T13:00:00Z", ref="T")]))
    ) == {"A": ("matched", "exact")}


def test_a_day_alone_means_the_same_on_both_sides(tmp_path: Path) -> None:
    """The ledger's entry has a day and no hour, as the bank's row; a late evening stays on its day."""
    source = make_source()
    post("10.00", reference="T")
    rows = [line("A", "10.00", at="2025-07-13", ref="T"), line("B", "5.00", at="2025-07-13T23:30:00-04:00")]
    job = reconcile(source, bank_file(tmp_path, rows))
    assert ends(job) == {"A": ("matched", "exact"), "B": ("unmatched", "")}


def test_other_accounts_and_other_days_are_not_looked_at(tmp_path: Path) -> None:
    source = make_source(reaches_back=7)
    post("10.00", at="2025-07-13T09:00:00-04:00", reference="T", account="1010")
    post("10.00", at="2025-07-13T09:00:00-04:00", reference="T", on=DAY - timedelta(days=8))
    post("10.00", at="2025-07-13T09:00:00-04:00", reference="T", on=NEXT)
    job = reconcile(source, bank_file(tmp_path, [line("A", "10.00", ref="T")]))
    assert (ends(job), ends(job, "ledger")) == ({"A": ("unmatched", "")}, {})


def test_an_id_that_comes_again_is_one_row_and_with_other_figures_is_refused(tmp_path: Path) -> None:
    source = make_source()
    first = reconcile(source, bank_file(tmp_path, [line("A", "10.00")]))
    more = reconcile(source, bank_file(tmp_path, [line("A", "10.00"), line("B", "5.00")]))
    assert (more.counts["new_rows"], more.counts["repeated_rows"]) == (1, 1)
    with pytest.raises(BadRow, match=r"Row 2, column id: 'A' came before with 10 of 2025-07-13"):
        reconcile(source, bank_file(tmp_path, [line("A", "11.00"), line("C", "1.00")]))
    assert list(ExternalRow.objects.values_list("external_id", flat=True)) == ["A", "B"]
    assert [job.status for job in ReconJob.objects.order_by("id")] == ["COMPLETED", "COMPLETED", "FAILED"]
    first.refresh_from_db()
    assert first.superseded_by == more


def test_two_sources_may_have_the_same_ids(tmp_path: Path) -> None:
    for source in (make_source(), make_source()):
        reconcile(source, bank_file(tmp_path, [line("A", "10.00")]))
    assert ExternalRow.objects.filter(external_id="A").count() == 2


def test_one_ledger_line_is_never_claimed_by_two_sources(tmp_path: Path) -> None:
    post("10.00", at="2025-07-13T09:00:00-04:00", reference="T")
    jobs = [reconcile(make_source(), bank_file(tmp_path, [line("A", "10.00", ref="T")])) for _ in range(2)]
    assert [ends(job)["A"][0] for job in jobs] == ["matched", "unmatched"]
    assert claimed_once()


def test_half_a_file_leaves_nothing(tmp_path: Path) -> None:
    trailer = {"column": "txn_id", "value": "TOTAL", "sum": "amount"}
    source = make_source(mapping={"trailer": trailer})
    post_seed()
    with pytest.raises(ControlTotals):
        reconcile(source, bank_file(tmp_path, [*SEED_ROWS[:2], "TOTAL,,185.50,,,"]))
    assert (
        not ExternalRow.objects.exists() and not ReconLog.objects.exists() and not ReconMatch.objects.exists()
    )
    assert ReconJob.objects.get().error.startswith("A total of 185.50 is stated, and the rows come to 160.50")
    assert reconcile(source, bank_file(tmp_path, [*SEED_ROWS, "TOTAL,,185.50,,,"])).counts["new_rows"] == 3


# --- day after day ----------------------------------------------------------------------------------------------


def test_what_is_open_is_carried_forward_and_grows_older(tmp_path: Path) -> None:
    source = make_source()
    post("10.00", at="2025-07-13T11:00:00-04:00", reference="T")
    first = reconcile(source, bank_file(tmp_path, [line("A", "99.00")]))
    assert (log_of(first, "A").age_days, first.oldest_unmatched) == (0, DAY)
    later = DAY + timedelta(days=60)  # beyond what the source reaches back
    second = reconcile(
        source, bank_file(tmp_path, [line("B", "5.00", at=f"{later}T09:00:00-04:00")]), on=later
    )
    assert log_of(second, "A").age_days == 60
    assert len(ends(second, "ledger")) == 1
    assert second.oldest_unmatched == DAY
    first.refresh_from_db()
    assert first.superseded_by is None  # another date's job stands


def test_a_row_whose_partner_may_still_come_is_told_apart_from_one_that_is_wrong(tmp_path: Path) -> None:
    """Outside rows come within 3,000 s: the morning's trip is overdue, the last one may still come."""
    source = make_source()
    late = post("10.00", at="2025-07-13T08:00:00-04:00")
    soon = post("20.00", at="2025-07-13T18:40:00-04:00")
    job = reconcile(source, bank_file(tmp_path, [line("A", "5.00", at="2025-07-13T19:00:00-04:00")]))
    assert (log_of(job, key_of(late)).waiting, log_of(job, key_of(soon)).waiting) == (False, True)
    assert job.counts["ledger"] == {
        "rows": 2, "matched": 0, "suggested": 0, "ambiguous": 0, "unmatched": 2, "waiting": 1,
    }  # fmt: skip


def test_what_comes_later_is_matched_with_what_waited(tmp_path: Path) -> None:
    source = make_source()
    post("10.00", at="2025-07-13T23:50:00-04:00", description="CURB CARD")
    reconcile(source, bank_file(tmp_path, [line("A", "5.00")]))
    rows = [line("B", "10.00", at="2025-07-14T00:00:00-04:00", text="CURB CARD")]
    job = reconcile(source, bank_file(tmp_path, rows), on=NEXT)
    assert ends(job) == {"A": ("unmatched", ""), "B": ("matched", "score")}


def test_another_file_of_the_day_supersedes_and_what_both_matched_stays(tmp_path: Path) -> None:
    source = make_source()
    post_seed()
    first = reconcile(source, bank_file(tmp_path, SEED_ROWS[:2]))
    kept = set(ReconMatch.objects.values_list("pk", flat=True))
    second = reconcile(source, bank_file(tmp_path, SEED_ROWS))
    first.refresh_from_db()
    assert first.superseded_by == second
    assert ReconLog.objects.filter(job=first).count() == 5  # what it said then is still there
    assert set(ReconMatch.objects.filter(status="ACTIVE").values_list("pk", flat=True)) > kept
    assert not ReconMatch.objects.exclude(status="ACTIVE").exists()
    assert second.counts["external"]["matched"] == 3


def test_a_better_partner_that_comes_later_takes_the_place_of_the_first(tmp_path: Path) -> None:
    source = make_source()
    entry = post("10.00", at="2025-07-13T09:00:00-04:00", reference="T", description="CURB CARD")
    reconcile(
        source, bank_file(tmp_path, [line("A", "10.00", at="2025-07-13T09:01:00-04:00", text="CURB CARD")])
    )
    second = reconcile(source, bank_file(tmp_path, [line("B", "10.00", ref="T", text="CURB CARD")]))
    assert ends(second) == {"A": ("unmatched", ""), "B": ("matched", "exact")}
    assert log_of(second, "A").nearest == key_of(entry) and "taken" in log_of(second, "A").failed
    assert sorted(ReconMatch.objects.values_list("status", flat=True)) == ["ACTIVE", "SUPERSEDED"]
    assert claimed_once()


def test_an_entry_that_was_reversed_stands_for_nothing(tmp_path: Path) -> None:
    from ledger.models import Origin
    from ledger.services.entries import NewEntry, NewLine, enter

    source = make_source()
    entry = post("10.00", at="2025-07-13T09:00:00-04:00", reference="T")
    accounts = dict(_accounts())
    enter(
        [
            NewEntry(
                je_date=DAY, reverses_id=entry.entry_id, reverses_date=entry.je_date,
                lines=[NewLine(accounts["1100"], Decimal(-10)), NewLine(accounts["4900"], Decimal(10))],
            )
        ],
        origin=Origin.MANUAL,
        actor_id=system_user().pk,
    )  # fmt: skip
    assert ends(reconcile(source, bank_file(tmp_path, [line("A", "10.00", ref="T")])), "ledger") == {}


def _accounts() -> Any:
    from ledger.models import Account

    return Account.objects.filter(code__in=["1100", "4900"]).values_list("code", "pk")


def test_a_source_that_is_switched_off_is_not_reconciled(tmp_path: Path) -> None:
    with pytest.raises(SourceInactive):
        reconcile(make_source(active=False), bank_file(tmp_path, SEED_ROWS))


def test_every_run_is_audited(tmp_path: Path) -> None:
    job = reconcile(make_source(), bank_file(tmp_path, SEED_ROWS))
    (entry,) = AuditEntry.objects.filter(action="recon.completed")
    assert (entry.subject, entry.after["new_rows"]) == (f"recon_job:{job.pk}", 3)


# --- groups, models, alerts, schedule ---------------------------------------------------------------------------


def test_a_payout_of_several_trips_is_suggested_as_a_group(tmp_path: Path) -> None:
    source = make_source()
    lines = [post(amount, at="2025-07-13T09:00:00-04:00") for amount in ("10.00", "20.50", "4.49")]
    job = reconcile(source, bank_file(tmp_path, [line("P", "34.99", at="2025-07-13T09:10:00-04:00")]))
    payout = log_of(job, "P")
    assert (payout.outcome, payout.rule, payout.partners) == ("suggested", "sum", sorted(map(key_of, lines)))
    assert not ReconMatch.objects.exists()  # a person accepts it


def test_windows_and_limits_of_the_source_take_the_place_of_the_models(tmp_path: Path) -> None:
    post("10.00", at="2025-07-11T09:00:00-04:00", on=DAY - timedelta(days=2), description="CURB CARD")
    rows = [line("A", "10.00", text="CURB CARD")]
    assert ends(reconcile(make_source(), bank_file(tmp_path, rows)))["A"][0] == "unmatched"
    wide = make_source(latest_seconds=3 * 86_400, suggest_from="0.600")
    assert ends(reconcile(wide, bank_file(tmp_path, rows)))["A"] == ("suggested", "score")


def test_a_learned_model_is_tried_on_history_before_it_is_used(tmp_path: Path) -> None:
    source = make_source(
        latest_seconds=5 * 86_400, earliest_seconds=-86_400, amount_share="0.1", suggest_from="0.3"
    )
    rows = []
    for number in range(60):
        cents = 1_000 + 137 * number
        post(
            str(Decimal(cents) / 100), at=f"2025-07-12T{number % 24:02}:00:00-04:00", on=DAY - timedelta(days=1),
            description=f"DRIVER{number * 7919:06} PAYOUT",
        )  # fmt: skip
        off = 1 if number % 10 == 0 else 0
        at = f"2025-07-13T{number % 24:02}:30:00-04:00"
        rows.append(
            line(f"E{number}", str(Decimal(cents + off) / 100), at=at, text=f"DRIVER{number * 7919:06}")
        )
    reconcile(source, bank_file(tmp_path, rows))
    model = rules.learn_model(source=source, actor=system_user())
    assert (model.kind, rules.learn_model(source=source, actor=system_user())) == ("learned", model)
    tried = rules.replay(source=source, model=model)
    assert tried["matched"] >= 50 and tried["matched_now"] < tried["matched"]
    with pytest.raises(rules.NotReplayed):
        rules.activate_model(source=source, model=model, replayed={"model": "other"}, actor=system_user())
    rules.activate_model(source=source, model=model, replayed=tried, actor=system_user())
    source.refresh_from_db()
    job = reconcile(source, bank_file(tmp_path, rows))
    assert job.counts["external"]["matched"] == tried["matched"]
    assert job.model_version.startswith("learned-")


def test_alerts_are_sent_once_a_threshold_is_passed(
    tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    source = make_source(
        alert_unmatched=0,
        alert_variance="1.00",
        alert_days_old=3,
        alert_emails="a@example.com, b@example.com",
    )
    post("10.00", at="2025-07-08T09:00:00-04:00", on=DAY - timedelta(days=5))
    with django_capture_on_commit_callbacks(execute=True):
        reconcile(source, bank_file(tmp_path, [line("A", "5.00", at="2025-07-13T09:00:00-04:00")]))
    (sent,) = mail.outbox
    assert sent.to == ["a@example.com", "b@example.com"]
    assert sent.body.splitlines() == [
        "Rows without a partner: 1; the threshold is 0.",
        "The sides differ by -5.00; the threshold is 1.00.",
        "The oldest is 5 days old; the threshold is 3.",
    ]


def test_sources_are_reconciled_at_their_hour(imports: Path) -> None:
    make_source(name="at_six", schedule_hour=6, file_pattern="{date}.csv")
    make_source(name="at_seven", schedule_hour=7)
    make_source(name="broken", schedule_hour=6, file_pattern="nothing.csv")
    bank_file(imports, SEED_ROWS, name=f"{DAY}.csv")
    assert start_due(6, today=NEXT) == ["at_six"]
    assert JobRun.objects.get().parameters["date"] == str(DAY)
