"""`export_dtrs`: a closed week as files, whole or not there, the same each time."""

import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from ledger.models import DTR
from ledger.services.dtr_pdf import render_dtr_pdf, render_dtrs_pdf

from .factories import SUNDAY, drive, make_account, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def week() -> Sequence[DTR]:
    """Three drivers' reports of a closed week."""
    for earned in ("100.00", "200.00", "0.01"):
        drive(make_account(), earned)
    run()
    return list(DTR.objects.filter(week=SUNDAY).order_by("number"))


def export(*arguments: str, week: str = "2019-03-03") -> str:
    output = StringIO()
    call_command("export_dtrs", "--week", week, *arguments, stdout=output)
    return output.getvalue()


def refused(*arguments: str, week: str = "2019-03-03") -> dict[str, str]:
    output = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("export_dtrs", "--week", week, "--json", *arguments, stdout=output)
    assert ended.value.code == 1
    return json.loads(output.getvalue())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_each_report_is_a_file_named_by_its_number(week: Sequence[DTR], tmp_path: Path, workers: str):
    out = tmp_path / "new" / "folder"

    told = json.loads(export("--out", str(out), "--workers", workers, "--json"))

    assert told == {"week": "2019-03-03", "dtrs": 3, "files": 3, "out": str(out)}
    assert sorted(path.name for path in out.iterdir()) == [f"{dtr.number}.pdf" for dtr in week]
    for dtr in week:
        assert (out / f"{dtr.number}.pdf").read_bytes() == render_dtr_pdf(dtr)


def test_a_second_run_gives_the_same_files(week: Sequence[DTR], tmp_path: Path):
    export("--out", str(tmp_path), "--workers", "1")
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    told = export("--out", str(tmp_path), "--workers", "1")

    assert told == f"3 DTRs of the week of 2019-03-03: 3 files in {tmp_path}\n"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_one_file_holds_them_all(week: Sequence[DTR], tmp_path: Path):
    told = json.loads(export("--out", str(tmp_path), "--one-file", "--json"))

    assert (told["dtrs"], told["files"]) == (3, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["DTRs-2019-03-03.pdf"]
    assert (tmp_path / "DTRs-2019-03-03.pdf").read_bytes() == render_dtrs_pdf(week)


def test_a_week_that_is_not_closed_is_refused_and_nothing_is_written(week: Sequence[DTR], tmp_path: Path):
    out = tmp_path / "out"

    told = refused("--out", str(out), week="2019-03-10")

    assert told["error"] == "dtr.week_not_closed"
    assert "The last closed week is 2019-03-03." in told["message"]
    assert not out.exists()


def test_before_any_run_the_first_step_is_named(tmp_path: Path):
    assert "run_week" in refused("--out", str(tmp_path))["message"]


def test_a_day_that_is_no_sunday_is_refused(tmp_path: Path):
    assert refused("--out", str(tmp_path), week="2019-03-04")["error"] == "week.not_a_sunday"


def test_a_folder_that_cannot_be_made_is_told(week: Sequence[DTR], tmp_path: Path):
    (tmp_path / "taken").write_text("a file")

    told = refused("--out", str(tmp_path / "taken" / "dtrs"))

    assert told["error"] == "export.cannot_write"
    assert str(tmp_path / "taken") in told["message"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_file_that_cannot_be_replaced_is_told_and_leaves_no_part(
    week: Sequence[DTR], tmp_path: Path, workers: str
):
    in_the_way = tmp_path / f"{week[1].number}.pdf"
    in_the_way.mkdir()

    told = refused("--out", str(tmp_path), "--workers", workers)

    assert told["error"] == "export.cannot_write"
    assert str(in_the_way) in told["message"]
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("arguments", [["--workers", "0"], ["--workers", "x"], ["--workers", "65"]])
def test_a_wrong_number_of_processes_is_refused(arguments: list[str], tmp_path: Path):
    with pytest.raises(CommandError, match="number of workers from 1 to 64"):
        export("--out", str(tmp_path), *arguments)
