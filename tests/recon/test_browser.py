"""An accountant works the exceptions in a real browser, on a screen and on a phone."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from recon.models import ReconMatch
from tests.cases.conftest import desk  # noqa: F401  (the site in a browser)
from tests.cases.desk import PHONE, Desk, look, turn
from tests.factories import make_user

from .conftest import WORK
from .stories import SEED_ROWS, bank_file, make_source, post, post_seed, reconcile
from .test_admin import SEE
from .test_runs import line

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("size", ["screen", pytest.param("phone", marks=pytest.mark.thorough)])
def test_a_suggestion_is_accepted_and_a_rest_written_off(desk: Desk, tmp_path: Path, size: str) -> None:  # noqa: F811
    source = make_source(
        name=f"curb_{size}", title="CURB settlements", match_from="0.990", suggest_from="0.600",
        write_off_limit="20.00",
    )  # fmt: skip
    post_seed()
    post("31.00", at="2025-07-13T15:00:00-04:00", description="CURB CARD")
    post("80.00", at="2025-07-12T15:00:00-04:00", description="CURB CARD")
    rows = [
        *SEED_ROWS,
        line("B-90", "30.50", at="2025-07-13T15:02:00-04:00", text="CURB CARD"),
        line("B-91", "12.00", text="UNKNOWN DEPOSIT"),
    ]
    job = reconcile(source, bank_file(tmp_path, rows))
    person = make_user(permissions=(*WORK, *SEE[2:], "recon.change_reconsource", "ledger.view_entryheader"))
    seat = desk.seat(person, **({"viewport": PHONE} if size == "phone" else {}))
    page = seat.tab(f"/admin/recon/reconjob/{job.pk}/change/")
    expect(page.get_by_text("What needs a person")).to_be_visible()
    look(page, f"recon-job-{size}")
    page.goto("/admin/recon/reconlog/")
    look(page, f"recon-exceptions-{size}")
    page.goto(f"/admin/recon/reconjob/{job.pk}/change/")
    turn(page, page.get_by_role("link", name="B-77"))
    expect(page.get_by_text("Side by side")).to_be_visible()
    look(page, f"recon-exception-{size}")
    turn(page, page.get_by_role("link", name="Accept…"))
    look(page, f"recon-accept-{size}")
    turn(page, page.get_by_role("button", name="Accept"))
    expect(page.get_by_text("Accepted: this is the match.")).to_be_visible()
    look(page, f"recon-match-{size}")
    page.goto(f"/admin/recon/reconjob/{job.pk}/change/")
    turn(page, page.get_by_role("link", name="B-91"))
    turn(page, page.get_by_role("link", name="Write off…"))
    page.get_by_label("Reason").fill("Nobody claims it, and it is small")
    look(page, f"recon-write-off-{size}")
    turn(page, page.get_by_role("button", name="Write off"))
    expect(page.get_by_text("Written off; its journal entry is in the match.")).to_be_visible()
    look(page, f"recon-written-off-{size}")
    page.goto("/admin/recon/reconjob/start/")
    look(page, f"recon-start-{size}")
    page.goto(f"/admin/recon/reconsource/{source.pk}/change/")
    look(page, f"recon-source-{size}")
    page.goto(f"/admin/recon/reconsource/{source.pk}/model/")
    look(page, f"recon-model-{size}")
    page.goto("/admin/recon/reconjob/")
    look(page, f"recon-jobs-{size}")
    assert ReconMatch.objects.filter(source=source, rule="write_off", status="ACTIVE").count() == 1
    seat.context.close()
