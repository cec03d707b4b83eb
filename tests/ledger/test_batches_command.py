"""`post_batch` as a person uses it: what it prints, and how it exits."""

import io
import json
from pathlib import Path

import polars as pl
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from batconnect.common.audit import system_user
from benchmarks.takaful_rows import takaful_rows
from ledger.models import EntryHeader, ImportBatch, JournalRun
from ledger.services.batches import plan_run
from ledger.services.packs import install_pack

from . import batch_stories as story

pytestmark = pytest.mark.django_db

WHY = "loaded by mistake, twice"


def said(*arguments: str, code: int = 0) -> str:
    out = io.StringIO()
    if code:
        with pytest.raises(SystemExit) as end:
            call_command("post_batch", *arguments, stdout=out, stderr=out)
        assert end.value.code == code
    else:
        call_command("post_batch", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def told(*arguments: str, code: int = 0) -> dict[str, object]:
    return dict(json.loads(said(*arguments, "--json", code=code)))


def written(folder: Path, frame: pl.DataFrame) -> str:
    install_pack(name="takaful", actor=system_user())
    path = folder / "rows.csv"
    frame.write_csv(path)
    return str(path)


def unroutable(rows: int, bad: int) -> pl.DataFrame:
    product = pl.when(pl.int_range(pl.len()) < bad).then(pl.lit("HOME01")).otherwise("product_code")
    return takaful_rows(rows).with_columns(product.alias("product_code"))


def unbalanced(rows: int, bad: int) -> pl.DataFrame:
    wrong = pl.when(pl.int_range(pl.len()) < bad).then(pl.col("gross_amount") + 1).otherwise("gross_amount")
    return takaful_rows(rows).with_columns(wrong.alias("gross_amount"))


def test_a_month_is_posted_and_told_with_its_effect_and_a_second_time_there_is_nothing_to_do() -> None:
    story.takaful(100)
    text = said("--month", "2019-03", "--pack", "takaful")
    assert "(takaful, March 2019) is posted." in text
    for words in ("Source rows", "100", "1010 Bank", "in all, USD", "expand by templates", "MiB"):
        assert words in text
    assert EntryHeader.objects.count() == 100
    assert said("--month", "2019-03", "--pack", "takaful").startswith("Nothing to do")
    assert told("--month", "2019-03", "--pack", "takaful")["state"] == "NOTHING_TO_DO"


def test_a_file_is_loaded_and_posted_once_whatever_is_repeated(tmp_path: Path) -> None:
    path = written(tmp_path, takaful_rows(100))
    result = told("--file", path, "--pack", "takaful")
    assert (result["state"], result["entries"], result["rejected"]) == ("POSTED", 100, 0)
    assert told("--file", path, "--pack", "takaful")["state"] == "NOTHING_TO_DO"
    assert EntryHeader.objects.count() == 100


def test_a_file_that_was_loaded_but_never_posted_is_posted_by_the_next_call(tmp_path: Path) -> None:
    path = written(tmp_path, takaful_rows(100))
    tried = told("--file", path, "--pack", "takaful", "--dry-run")
    assert (tried["state"], tried["dry_run"], EntryHeader.objects.count()) == ("VALIDATED", True, 0)
    posted = told("--file", path, "--pack", "takaful")
    assert (posted["state"], posted["entries"], posted["effect"]) == ("POSTED", 100, tried["effect"])
    assert ImportBatch.objects.filter(accepted__gt=0).count() == 1


def test_a_file_with_wrong_rows_posts_nothing_and_shows_them_or_the_rest_alone(tmp_path: Path) -> None:
    path = written(tmp_path, unbalanced(1_000, 10))
    text = said("--file", path, "--pack", "takaful", code=2)
    assert "10 of 1000 rows of rows.csv were rejected" in text
    assert "gross_amount" in text
    assert EntryHeader.objects.count() == 0
    result = told("--file", path, "--pack", "takaful", "--accept-valid")
    assert (result["state"], result["entries"]) == ("POSTED", 990)


def test_rows_that_no_template_takes_end_it_with_code_2_and_the_first_of_them(tmp_path: Path) -> None:
    path = written(tmp_path, unroutable(200, 15))
    text = said("--file", path, "--pack", "takaful", code=2)
    assert "did not post anything: 15 rows were rejected" in text
    assert text.count("template.none") == 10
    assert "and 5 more: all are kept with run" in text
    tried = told("--month", "2019-03", "--pack", "takaful", "--dry-run", code=2)
    assert "it would post nothing" in str(tried["message"])
    rest = told("--month", "2019-03", "--pack", "takaful", "--accept-valid")
    assert (rest["state"], rest["entries"], rest["rejected"]) == ("POSTED", 185, 15)


def test_a_run_is_reversed_and_discarded_with_a_reason_or_refused_with_a_sentence() -> None:
    story.takaful(50)
    run = str(told("--month", "2019-03", "--pack", "takaful")["run"])
    assert "characters" in said("--reverse", run, code=1)
    assert f"took back run {run}" in said("--reverse", run, "--reason", WHY)
    assert "reversed already" in said("--reverse", run, "--reason", WHY, code=1)
    assert "nothing to resume" in said("--resume", run, code=1)
    assert "cannot be discarded" in said("--discard", run, "--reason", WHY, code=1)
    assert set(story.fund_balances().values()) == {0}
    left = plan_run(pack="takaful", actor=system_user(), month=story.MARCH)
    assert "Resume it, or discard it" in said("--month", "2019-03", "--pack", "takaful", code=1)
    assert f"was discarded: {WHY}" in said("--discard", str(left.pk), "--reason", WHY)
    assert told("--month", "2019-03", "--pack", "takaful")["entries"] == 50
    assert JournalRun.objects.count() == 4


def test_what_is_meant_has_to_be_said() -> None:
    with pytest.raises(CommandError, match="month"):
        call_command("post_batch", "--pack", "takaful")
    with pytest.raises(CommandError, match="Say which pack"):
        call_command("post_batch", "--month", "2019-03")
    with pytest.raises(CommandError, match="chosen when a run starts"):
        call_command("post_batch", "--reverse", "1", "--reason", WHY, "--dry-run")
    with pytest.raises(CommandError, match="not a month"):
        call_command("post_batch", "--month", "March")
    assert "There is no pack zakat" in said("--month", "2019-03", "--pack", "zakat", code=1)
    assert "no templates in force" in said("--month", "2019-03", "--pack", "takaful", code=1)
    assert "There is no run 77" in said("--resume", "77", code=1)
