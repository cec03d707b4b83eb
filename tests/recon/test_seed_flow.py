"""The flow that reconciliation was asked for with: three outside, three in the ledger; by terminal and over HTTP."""

import json
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from recon.models import ExternalRow, ReconJob, ReconLog, ReconMatch

from .stories import SEED_ROWS, bank_file, ends, key_of, log_of, make_source, post_seed, reconcile

pytestmark = pytest.mark.django_db


def command(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("run_recon", *arguments, "--json", stdout=out)
    return dict(json.loads(out.getvalue()))


@pytest.mark.parametrize("option", ["--file-path", "--file_path"])
def test_two_match_exactly_and_one_by_its_score_from_the_terminal(tmp_path: Path, option: str) -> None:
    source = make_source(name="bank_csv")
    entries = post_seed()
    file = bank_file(tmp_path, SEED_ROWS)
    told = command("--source", "bank_csv", "--date", "2025-07-13", option, str(file.path))
    assert told["status"] == "COMPLETED"
    assert told["counts"]["external"] == {
        "rows": 3, "matched": 3, "suggested": 0, "ambiguous": 0, "unmatched": 0, "waiting": 0,
    }  # fmt: skip
    assert (told["external_total"], told["ledger_total"], told["variance"]) == ("185.50", "185.50", "0.00")
    job = ReconJob.objects.get(source=source)
    assert ends(job) == {"T1": ("matched", "exact"), "T2": ("matched", "exact"), "B-77": ("matched", "score")}
    fuzzy = log_of(job, "B-77")
    assert (fuzzy.score, fuzzy.partners) == (Decimal("0.87"), [key_of(entries[2])])
    assert fuzzy.reasons == "amount equal (+0.4), 1.0 min later (+0.27), text (+0.2)"
    assert ends(job, "ledger") == {
        key_of(entries[0]): ("matched", "exact"),
        key_of(entries[1]): ("matched", "exact"),
        key_of(entries[2]): ("matched", "score"),
    }
    assert ReconMatch.objects.filter(status="ACTIVE", decided_by=None).count() == 3


def test_the_command_tells_people_the_same(tmp_path: Path) -> None:
    make_source(name="bank_csv")
    post_seed()
    out = StringIO()
    file = bank_file(tmp_path, SEED_ROWS)
    call_command(
        "run_recon", "--source=bank_csv", "--date=2025-07-13", f"--file-path={file.path}", stdout=out
    )
    assert "Outside: 3 rows: 3 matched, 0 suggested, 0 ambiguous, 0 unmatched" in out.getvalue()
    assert "difference 0.00" in out.getvalue()


def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    source = make_source()
    post_seed()
    first = reconcile(source, bank_file(tmp_path, SEED_ROWS))
    before = [model.objects.count() for model in (ReconJob, ReconLog, ReconMatch, ExternalRow)]
    again = reconcile(source, bank_file(tmp_path, list(reversed(SEED_ROWS)), name="shuffled.csv"))
    assert again == first
    assert [model.objects.count() for model in (ReconJob, ReconLog, ReconMatch, ExternalRow)] == before
