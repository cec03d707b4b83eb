"""An accountant works what waits in a real browser, on a screen and on a phone."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from recon.sources import tolls
from tests.cases.conftest import desk  # noqa: F401  (the site in a browser)
from tests.cases.desk import PHONE, Desk, look, pick, turn
from tests.factories import make_user
from tests.ledger.factories import account_of

from .conftest import DECIDES, SUMMONSES
from .stories import (
    charged_on,
    csv_of,
    drove,
    item,
    load_summonses,
    load_tolls,
    make_cab,
    stands,
    summons,
    toll,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LIST = "/admin/recon/agencyitem/"


@pytest.mark.parametrize(
    "size", [pytest.param(size, marks=pytest.mark.thorough) for size in ("screen", "phone")]
)
def test_tolls_are_loaded_reviewed_moved_and_a_summons_entered(desk: Desk, tmp_path: Path, size: str) -> None:  # noqa: F811
    mark = "S" if size == "screen" else "P"
    ana, ben = make_cab(f"T76862{mark}C", f"Ana Ruiz {mark}"), make_cab(f"T99999{mark}C", f"Ben Ode {mark}")
    drove(ana, "11:45", "12:15", toll=True)
    drove(ana, "12:50", "13:05")
    plate = f"NY T76862{mark}C"
    path = tmp_path / "statement.csv"
    rows = [
        toll(f"{mark}1", plate=plate),
        toll(f"{mark}2", "12:36", plate=plate),
        toll(f"{mark}3", plate="NY Z00013Z"),
    ]
    path.write_text(csv_of(tolls.COLUMNS, [*rows, toll(f"{mark}4", amount="six", plate=plate)]))
    person = make_user(
        permissions=(
            *DECIDES,
            *SUMMONSES,
            "ledger.view_ledgerposting",
            "ledger.view_driveraccount",
            "leases.view_lease",
        )
    )
    seat = desk.seat(person, **({"viewport": PHONE} if size == "phone" else {}))

    page = seat.tab("/admin/recon/agencyfile/upload/")
    look(page, f"tolls-upload-{size}")
    page.locator("input[type=file]").first.set_input_files(path)
    turn(page, page.get_by_role("button", name="Load this file"))
    expect(
        page.get_by_text("3 of 4 rows were new; 1 are charged, 2 wait for a person, 1 could not be read.")
    ).to_be_visible()
    look(page, f"tolls-file-{size}")
    load_summonses(tmp_path, summons(f"{mark}7", due="0", paid="65", plate=f"T76862{mark}C"))
    load_tolls(tmp_path, toll(f"{mark}8", "12:31", plate=plate))
    page.goto(LIST)
    look(page, f"tolls-list-{size}")

    page.goto(f"{LIST}{item(f'{mark}2').pk}/change/")
    expect(page.get_by_text("Side by side")).to_be_visible()
    look(page, f"tolls-item-{size}")
    turn(page, page.get_by_role("link", name="Accept…"))
    look(page, f"tolls-accept-{size}")
    turn(page, page.get_by_role("button", name="Charge it"))
    expect(page.get_by_text(f"Charged: {mark}2 is posted.")).to_be_visible()
    look(page, f"tolls-accepted-{size}")

    turn(page, page.get_by_role("link", name="Reassign…"))
    page.get_by_role("searchbox").fill(f"Ben Ode {mark}")
    turn(page, page.get_by_role("button", name="Find"))
    look(page, f"tolls-lease-{size}")
    turn(page, page.get_by_role("link", name=ben.number))
    page.get_by_label("Reason").fill("The trip sheet says it was Ben")
    look(page, f"tolls-reassign-{size}")
    turn(page, page.get_by_role("button", name="Move the charge"))
    expect(page.get_by_text(f"Moved: {mark}2 is posted on the other lease.")).to_be_visible()
    look(page, f"tolls-moved-{size}")
    assert charged_on(account_of(ben)) == {f"{mark}2/2": "6.12"}

    page.goto(f"{LIST}{item(f'{mark}7').pk}/accept/")
    look(page, f"tolls-payer-{size}")
    page.get_by_label("Who paid").select_option("FLEET", force=True)
    turn(page, page.get_by_role("button", name="Charge it"))
    expect(page.get_by_text(f"Charged: {mark}7 is posted.")).to_be_visible()
    assert charged_on(account_of(ana)) == {f"{mark}1": "6.12", f"{mark}7": "65.00"}

    page.goto(f"{LIST}?q={mark}8")
    page.locator("input.action-select").first.check(force=True)
    page.locator("select[name=action]").select_option("accept_selected", force=True)
    page.locator("#changelist-form button[type=submit], #changelist-form button[name=index]").first.click(
        force=True
    )
    expect(page.get_by_text("Accept 1 toll or ticket?").first).to_be_visible()
    look(page, f"tolls-many-{size}")
    turn(page, page.get_by_role("button", name="Accept them"))
    expect(page.get_by_text("1 accepted.")).to_be_visible()
    assert stands(f"{mark}8") == ("POSTED", "OPEN")

    page.goto("/admin/cases/case/start/TLC/")
    pick(page, f"T76862{mark}")
    page.get_by_label("Summons number").fill(f"TLC-{mark}1")
    page.get_by_label("Written on").fill("2019-03-05")
    page.get_by_label("Time of day").fill("12:00")
    page.get_by_label("Amount").fill("100.00")
    page.get_by_label("What for").fill("Receipt refused")
    look(page, f"tlc-form-{size}")
    turn(page, page.get_by_role("button", name="See whose it is"))
    expect(page.get_by_text(f"Charge Ana Ruiz {mark} 100.00?").first).to_be_visible()
    look(page, f"tlc-preview-{size}")
    turn(page, page.get_by_role("button", name="Enter the summons"))
    expect(page.get_by_text(f"TLC TLC-{mark}1 is charged").first).to_be_visible()
    look(page, f"tlc-done-{size}")
    assert stands(f"TLC-{mark}1") == ("POSTED", "OPEN")
    seat.context.close()
