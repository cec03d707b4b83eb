"""The DTR on paper: what a driver reads on it, and that the same report is always the same file."""

import gc
import re
import zlib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from batconnect.common.audit import system_user
from batconnect.exports.html_pdf import RefusedResource, render_html_pdf
from batconnect.exports.pdf_files import PdfFile, write_pdfs
from ledger.models import DTR
from ledger.services import dtr_pdf, statements
from ledger.services.dtr_pdf import STYLESHEET, dtr_html, render_dtr_pdf, render_dtrs_pdf

from .factories import SUNDAY, WEEK, charge, drive, make_account, run

STREAM = re.compile(rb"stream\n(.*?)\nendstream", re.DOTALL)


def category(
    name: str, prior: str, charges: str, earnings: str, still_open: str, **more: str
) -> dict[str, str]:
    amounts = {"voids": "0.00", "desk": "0.00", "other": "0.00", **more}
    return {
        "category": name, "prior": prior, "charges": charges, "earnings": earnings, "still_open": still_open,
        **amounts,
    }  # fmt: skip


def trip_lines(count: int, *, late: int = 0) -> str:
    """Trips of one week, every two hours."""
    lines = []
    for n in range(count):
        started = datetime(2019, 3, 3, 5) + 2 * n * (datetime(1, 1, 1, 1) - datetime(1, 1, 1))
        lines.append(f"{started},12,{'C$'[n % 2]},10.00,1.00,2.20,0.00,3.30,16.50,{int(n < late)}")
    return "\n".join(lines)


def report(
    *, trips: str = "", charges: list[list[Any]] | None = None, status: str = "FINALIZED", **figures: Any
) -> DTR:
    """A frozen report that was never stored: paper needs nothing but what is on it."""
    return DTR(
        number="DTR-2019-00044",
        week=SUNDAY,
        status=status,
        frozen_at=datetime(2019, 3, 10, 10, 10, tzinfo=UTC),
        charges=charges or [],
        trip_log=trips,
        figures={
            "driver": {"name": "Ines Spring", "tlc_license": "9900010"},
            "lease": {"number": "L-00010", "type": "long-term", "starts_on": "2019-02-24", "ends_on": None},
            "medallion": "0D10",
            "vehicle": {"vin": "DEMO0000000000010", "plate": "T000010D", "type": "HYB", "model_year": 2020},
            "week": "2019-03-03",
            "week_end": "2019-03-09",
            "gross_earnings": "560.00",
            "card_trips": 25,
            "cash_trips": 10,
            "other_trips": 0,
            "late_trips": 0,
            "late_earnings": "0.00",
            "categories": [
                category("TAXES", "0.00", "40.00", "40.00", "0.00"),
                category("EZPASS", "25.00", "30.00", "55.00", "0.00"),
                category("LEASE", "0.00", "1500.00", "465.00", "1035.00"),
                category("MISC", "50.00", "25.00", "0.00", "0.00", voids="25.00", desk="50.00"),
            ],
            "open_credits": "0.00",
            "open_debits": "1035.00",
            "taxes": [{"product": "MTA", "trips": 35, "amount": "17.50"}],
            "voids": [],
            "payments": [],
            "net_pay": "0.00",
            "alerts": [],
            **figures,
        },
    )


def read(html: str) -> str:
    """The text of a page, spaces made one."""
    return " ".join(re.sub(r"<[^>]+>", " ", html.split("<body>")[1]).split())


def insides(pdf: bytes) -> bytes:
    """What the file's compressed streams hold; the objects that describe pages are among them."""
    return b"\n".join(zlib.decompress(stream) for stream in STREAM.findall(pdf) if stream.startswith(b"x"))


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", insides(pdf)))


def test_the_figures_at_the_top_answer_the_driver():
    text = read(dtr_html(report()))

    assert "DTR-2019-00044" in text
    assert "Ines Spring" in text
    assert "March 3, 2019 – March 9, 2019" in text
    assert "You earned by card $560.00 trips: 25 card, 10 cash" in text
    assert "− Taken for what you owed $560.00" in text
    assert "= You are paid $0.00 settled: nothing to pay out" in text
    assert "You still owe $1,035.00" in text


def test_every_row_of_the_table_and_its_sum_add_up_as_printed():
    text = read(dtr_html(report()))

    assert "Lease – 1,500.00 – 465.00 – – 1,035.00" in text
    assert "Miscellaneous 50.00 25.00 25.00 – 50.00 – 0.00" in text
    assert "Together 75.00 1,595.00 25.00 560.00 50.00 – 1,035.00" in text


def test_no_sum_is_claimed_where_earlier_credits_were_paid_out_too():
    text = read(dtr_html(report(net_pay="12.00")))

    assert "− Taken" not in text
    assert "You are paid $12.00 owed to you, to be paid out" in text


def test_the_payout_is_a_row_only_when_it_was_overpaid():
    usual = category("PAYOUT", "0.00", "100.00", "100.00", "0.00")
    overpaid = category("PAYOUT", "20.00", "100.00", "110.00", "10.00")

    assert "overpaid" not in dtr_html(report(categories=[usual]))
    assert "Net pay overpaid before 20.00 100.00 – 110.00" in read(dtr_html(report(categories=[overpaid])))


def test_a_credit_in_hand_has_a_line_of_its_own():
    text = read(dtr_html(report(open_credits="15.00")))

    assert "Credit in your favor, kept for later charges $15.00" in text


def test_late_charges_and_late_trips_are_marked():
    charges = [
        ["EZPASS", "TOLL-1", "RFK Bridge", "2019-02-27", "2019-03-09", "30.00", "0.00", True],
        ["MISC", "MISC-1", "", "2019-03-05", "2019-03-09", "25.00", "25.00", False],
    ]
    html = dtr_html(report(charges=charges, trips=trip_lines(4, late=1), late_trips=1, late_earnings="16.50"))
    text = read(html)

    assert "E-ZPass tolls: RFK Bridge late TOLL-1 Feb 27, 2019 Mar 9, 2019 30.00 0.00" in text
    assert "Miscellaneous MISC-1 Mar 5, 2019 Mar 9, 2019 25.00 25.00" in text
    assert "$16.50 of it from 1 late trip" in text
    assert "Card, late Cash Card Cash" in text


def test_an_expiry_is_told_as_past_or_coming():
    alerts = [
        {"kind": "licence", "expires_on": "2019-03-20"},
        {"kind": "inspection", "expires_on": "2019-03-09"},
    ]
    text = read(dtr_html(report(alerts=alerts)))

    assert "Your TLC licence expires on March 20, 2019." in text
    assert "The vehicle's inspection expired on March 9, 2019." in text.replace("&#x27;", "'")


def test_what_people_typed_is_never_markup():
    driver = {"name": "<img src='http://10.0.0.1/x.png'>", "tlc_license": "<b>"}
    charges = [["MISC", "M-1", "<script>", "2019-03-05", "2019-03-09", "1.00", "1.00", False]]
    evil = report(driver=driver, charges=charges)

    assert "<img" not in dtr_html(evil)
    assert "<script" not in dtr_html(evil)
    assert render_dtr_pdf(evil).startswith(b"%PDF")


@pytest.mark.parametrize("name", ["محمد الأمين", "יעל לוי", "Nguyễn Thị Hương", "Ω" * 120])
def test_names_of_any_script_and_length_are_printed(name: str):
    assert pages(render_dtr_pdf(report(driver={"name": name, "tlc_license": "1"}))) == 1


def test_the_same_report_is_the_same_file_in_any_process(tmp_path: Path):
    dtr = report(trips=trip_lines(60))
    here = render_dtr_pdf(dtr)

    files = [PdfFile(html=dtr_html(dtr), path=tmp_path / f"{n}.pdf") for n in range(2)]
    assert write_pdfs(files, stylesheet=STYLESHEET, workers=2) == 2

    assert render_dtr_pdf(dtr) == here
    assert {file.path.read_bytes() for file in files} == {here}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.pdf", "1.pdf"]
    assert b"D:20190310101000Z" in insides(here)


def test_the_process_collects_its_garbage_as_before_once_a_page_is_made_or_refused():
    before = gc.get_threshold()

    render_dtr_pdf(report(trips=trip_lines(3)))
    with pytest.raises(RefusedResource):
        render_html_pdf('<img src="http://127.0.0.1:9/x.png">')

    assert gc.get_threshold() == before


def test_a_long_week_goes_on_to_a_second_page():
    assert pages(render_dtr_pdf(report(trips=trip_lines(60)))) == 2


def test_many_in_one_file_count_their_own_pages():
    one = report(trips=trip_lines(60))
    alone, together = render_dtr_pdf(one), render_dtrs_pdf([one, report(), one])

    assert pages(together) == 5
    assert len(together) < 3 * len(alone)
    assert render_dtrs_pdf([one]) == alone


def test_no_report_and_too_many_are_refused(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(dtr_pdf.NothingToRender):
        render_dtrs_pdf([])
    monkeypatch.setattr(dtr_pdf, "MOST_IN_ONE_FILE", 2)
    with pytest.raises(dtr_pdf.TooManyForOneFile):
        render_dtrs_pdf([report()] * 3)
    assert render_dtrs_pdf([report()] * 2)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:9/x.png",
        "https://example.com/x.png",
        "file:///etc/hostname",
        "../../x.png",
        "data:,x",
    ],
)
@pytest.mark.parametrize("page", ['<img src="{}">', '<style>p {{ background: url("{}") }}</style><p>a</p>'])
def test_a_document_loads_nothing_from_outside_its_folder(page: str, address: str, tmp_path: Path):
    for folder in (None, tmp_path):
        with pytest.raises(RefusedResource):
            render_html_pdf(page.format(address), folder)


def test_a_document_loads_files_of_its_folder(tmp_path: Path):
    (tmp_path / "mark.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')

    assert render_html_pdf('<img src="mark.svg">', tmp_path).startswith(b"%PDF")


@pytest.mark.django_db
def test_how_it_was_paid_follows_the_payments():
    account = make_account()
    drive(account, "100.00")
    run()
    dtr = DTR.objects.get(account=account)
    assert "You are paid $100.00 owed to you, to be paid out" in read(dtr_html(dtr))

    statements.pay_dtr(
        dtr=dtr, on=date(2019, 3, 12), method="ACH", method_reference="A-7", actor=system_user()
    )
    dtr = DTR.objects.get(account=account)
    assert "You are paid $100.00 paid Mar 12, 2019, ACH A-7" in read(dtr_html(dtr))

    statements.return_payment(dtr=dtr, on=date(2019, 3, 14), reason="Account closed.", actor=system_user())
    dtr = DTR.objects.get(account=account)
    assert "the payment came back Mar 14, 2019; it is owed to you again" in read(dtr_html(dtr))


@pytest.mark.django_db
def test_a_report_of_the_run_is_read_as_it_was_frozen():
    account = make_account()
    charge(account, "MISC", "25.00", "M-1", description="Car wash")
    drive(account, "60.00", {"MTA": "0.50"})
    run()
    first = DTR.objects.get(account=account)
    frozen = render_dtr_pdf(first)
    text = read(dtr_html(first))

    assert "MTA tax 1 trip 0.50" in text
    assert "Miscellaneous: Car wash M-1 Mar 3, 2019 Mar 9, 2019 25.00 0.00" in text
    assert "Mon Mar 4 09:00 20 Card 59.50 – – – 0.50 60.00" in text

    charge(account, "MISC", "40.00", "M-2", on=SUNDAY + WEEK)
    drive(account, "10.00", week=SUNDAY + WEEK)
    run(SUNDAY + WEEK)
    assert render_dtr_pdf(DTR.objects.get(pk=first.pk)) == frozen
