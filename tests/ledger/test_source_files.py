"""Files of a pack's source rows: loaded once and whole, or refused with every wrong value named."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from django.db import connection

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry
from ledger.engine.data_loader import FileRefused
from ledger.models import ImportBatch, SourceReject, SourceRowSeen, SourceTransaction
from ledger.services.source_files import NoSourceFormat, SourceLoad, load_source_file
from ledger.services.trips import FileUnreadable

from .factories import drive, make_account
from .takaful_rows import BAD_VALUES, COLUMNS, MONTH, claim, load, premium, takaful_rows, with_bad_rows

pytestmark = pytest.mark.django_db


def loaded(source: Path | pl.DataFrame, **more: bool) -> SourceLoad:
    given = {"frame": source} if isinstance(source, pl.DataFrame) else {"path": source}
    return load_source_file(pack="takaful", actor=system_user(), **given, **more)


def faults(load: SourceLoad) -> list[tuple[int, str, str]]:
    return list(load.import_batch.rejects.values_list("row_number", "column", "code"))


def nothing_was_written() -> bool:
    return not (SourceTransaction.objects.exists() or SourceRowSeen.objects.exists())


# --- what is loaded -----------------------------------------------------------------------------------------


def test_a_premium_and_a_claim_are_kept_as_they_came(tmp_path: Path) -> None:
    result = load(premium(tabarru_amount="299.996", invest_amount="600.004"), claim(), folder=tmp_path)
    first, second = SourceTransaction.objects.order_by("id")
    assert (result.rows, result.accepted, result.rejected, result.duplicates) == (2, 2, 0, 0)
    assert (result.first_source_id, result.last_source_id) == (first.pk, second.pk)
    assert result.months == (MONTH,)
    assert (first.batch, first.row_number, first.source, first.source_rowid) == (
        result.import_batch,
        2,
        "takaful",
        "P-1",
    )
    assert (first.txn_type, first.product_code, first.channel) == ("PREMIUM_RECEIPT", "LIFE01", "AGENCY")
    assert (first.gross_amount, first.tabarru_amount, first.invest_amount, first.ujroh_amount) == (
        Decimal("1000"), Decimal("299.996"), Decimal("600.004"), Decimal("100"),
    )  # fmt: skip
    assert (first.policy_no, str(first.bank_value_date), first.txn_month) == ("LP-1", "2019-03-15", MONTH)
    assert (second.txn_type, second.gross_amount, second.admin_amount) == (
        "CLAIM_PAID",
        Decimal(780),
        Decimal(20),
    )
    assert (first.account, first.week, first.fare) == (None, None, None)
    batch = ImportBatch.objects.get()
    assert (batch.source, batch.file_name, batch.accepted, batch.withheld) == ("takaful", "rows.csv", 2, 0)
    assert (batch.first_source_id, batch.last_source_id) == (first.pk, second.pk)
    assert AuditEntry.objects.get(action="source.loaded").subject == f"import_batch:{batch.pk}"


def test_csv_parquet_and_a_frame_give_the_same_rows(tmp_path: Path) -> None:
    typed = takaful_rows(2_500)
    typed.write_csv(tmp_path / "rows.csv")
    typed.write_parquet(tmp_path / "rows.any-name")
    figures = "source_rowid", *(name for name in COLUMNS if name.endswith("_amount"))
    first = loaded(tmp_path / "rows.csv")
    assert first.accepted == 2_500
    assert (
        list(SourceTransaction.objects.order_by("id").values_list(*figures)) == typed.select(figures).rows()
    )
    assert first.last_source_id - first.first_source_id == 2_499, "their ids are one block"
    for same in (tmp_path / "rows.any-name", typed):
        again = loaded(same)
        assert (again.accepted, again.duplicates, again.rejected) == (0, 2_500, 0)
        assert (again.first_source_id, again.months) == (None, ())


def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    load(premium(), claim(), folder=tmp_path)
    before = list(SourceTransaction.objects.values()), list(SourceRowSeen.objects.values())
    again = load(premium(gross_amount="1000.0000"), claim(), folder=tmp_path)
    assert (again.accepted, again.duplicates, again.refused) == (0, 2, False)
    assert (list(SourceTransaction.objects.values()), list(SourceRowSeen.objects.values())) == before


def test_an_overlapping_file_brings_its_new_rows_alone(tmp_path: Path) -> None:
    load(premium("P-1"), premium("P-2"), folder=tmp_path)
    result = load(premium("P-2"), premium("P-3"), folder=tmp_path)
    assert (result.accepted, result.duplicates) == (1, 1)
    assert sorted(SourceTransaction.objects.values_list("source_rowid", flat=True)) == ["P-1", "P-2", "P-3"]


def test_a_months_partition_is_made_when_it_is_missing(tmp_path: Path) -> None:
    row = premium(bank_value_date="2018-11-30", txn_month="2018-11-01")
    assert load(row, premium("P-2"), folder=tmp_path).months == (row_month := MONTH.replace(2018, 11), MONTH)
    assert SourceTransaction.objects.get(source_rowid="P-1").txn_month == row_month


def test_row_ids_of_other_packs_are_their_own(tmp_path: Path) -> None:
    SourceRowSeen.objects.create(source="curb", source_rowid="P-1", figures_hash=b"\0" * 32, transaction_id=1)
    assert load(premium("P-1"), folder=tmp_path).accepted == 1


def test_a_file_without_rows_is_a_load_of_nothing(tmp_path: Path) -> None:
    result = load(folder=tmp_path)
    assert (result.rows, result.accepted, result.refused) == (0, 0, False)


# --- what is not --------------------------------------------------------------------------------------------


def test_one_wrong_value_keeps_a_whole_file_out_and_is_kept_itself(tmp_path: Path) -> None:
    result = load(premium("P-1"), premium("P-2", gross_amount="1,000"), premium("P-3"), folder=tmp_path)
    assert nothing_was_written()
    assert (result.refused, result.rows, result.accepted, result.rejected, result.withheld) == (
        True,
        3,
        0,
        1,
        2,
    )
    assert (result.first_source_id, result.months) == (None, ())
    kept = SourceReject.objects.get()
    assert (kept.batch, kept.row_number, kept.column) == (result.import_batch, 3, "gross_amount")
    assert (kept.code, kept.message) == (
        "amount.thousands_separator", "'1,000' has a thousands separator; write it like 1234.50",
    )  # fmt: skip
    assert kept.raw == premium("P-2", gross_amount="1,000")
    assert [(row.row_number, row.message) for row in result.rejects] == [(3, kept.message)]
    batch = ImportBatch.objects.get()
    assert (batch.accepted, batch.rejected, batch.withheld, batch.first_source_id) == (0, 1, 2, None)
    assert AuditEntry.objects.filter(action="source.refused", subject=f"import_batch:{batch.pk}").exists()


def test_a_refused_file_loads_once_it_is_corrected(tmp_path: Path) -> None:
    assert load(premium("P-1"), premium("P-2", channel=""), folder=tmp_path).refused
    assert load(premium("P-1"), premium("P-2"), folder=tmp_path).accepted == 2


def test_accept_valid_loads_the_rest(tmp_path: Path) -> None:
    rows = premium("P-1"), premium("P-2", gross_amount="999"), premium("P-3", currency="EURO"), premium("P-4")
    result = load(*rows, folder=tmp_path, accept_valid=True)
    assert (result.refused, result.accepted, result.rejected, result.withheld) == (False, 2, 2, 0)
    assert sorted(SourceTransaction.objects.values_list("source_rowid", flat=True)) == ["P-1", "P-4"]
    assert faults(result) == [(3, "gross_amount", "row.does_not_add_up"), (4, "currency", "currency.unknown")]


def test_other_figures_under_an_id_loaded_before_are_a_revision_for_a_person(tmp_path: Path) -> None:
    load(premium("P-1"), folder=tmp_path)
    kept = SourceTransaction.objects.get()
    revised = premium("P-1", gross_amount="1100", invest_amount="700")
    for accept_valid, accepted in ((False, 0), (True, 1)):
        result = load(revised, premium("P-2"), folder=tmp_path, accept_valid=accept_valid)
        assert (result.refused, result.accepted, faults(result)) == (
            not accept_valid, accepted, [(2, "source_rowid", "row.revision")],
        )  # fmt: skip
    assert f"as source row {kept.pk}, with other figures" in result.rejects[0].message
    assert SourceTransaction.objects.get(source_rowid="P-1").gross_amount == Decimal(1000)


def test_of_a_row_id_that_comes_twice_the_first_row_is_loaded(tmp_path: Path) -> None:
    rows = premium("P-1"), premium("P-1"), premium("P-1", gross_amount="1100", invest_amount="700")
    result = load(*rows, folder=tmp_path, accept_valid=True)
    assert (result.accepted, faults(result)) == (
        1, [(3, "source_rowid", "row.repeated"), (4, "source_rowid", "row.repeated")],
    )  # fmt: skip
    again = load(*rows, folder=tmp_path, accept_valid=True)
    assert (again.accepted, again.duplicates, again.rejected) == (0, 1, 2)


@pytest.mark.parametrize("way", ["csv", "parquet", "frame"])
def test_a_file_with_every_kind_of_wrong_value_has_each_of_them_told(tmp_path: Path, way: str) -> None:
    text, expected = with_bad_rows(9_000)
    assert expected.height >= len(BAD_VALUES)
    if way == "csv":
        text.write_csv(tmp_path / "rows")
    elif way == "parquet":
        text.write_parquet(tmp_path / "rows")
    source = text if way == "frame" else tmp_path / "rows"
    found = [
        (row + (way == "csv"), column, code) for row, column, code in expected.rows()
    ]  # a header is row 1

    strict = loaded(source)
    assert nothing_was_written()
    assert (strict.refused, strict.rejected, strict.withheld) == (
        True,
        expected.height,
        9_000 - expected.height,
    )
    assert faults(strict) == found

    rest = loaded(source, accept_valid=True)
    assert faults(rest) == found
    sound = text.with_row_index("row", offset=1).join(expected, on="row", how="anti")
    assert (rest.refused, rest.accepted) == (False, sound.height)
    assert set(SourceTransaction.objects.values_list("source_rowid", flat=True)) == set(sound["source_rowid"])
    assert len(rest.rejects) == 20, "a result names the first; all are kept"
    corrected = takaful_rows(9_000)
    assert loaded(corrected).accepted == expected.height


def test_a_refusal_late_in_a_file_takes_back_what_was_written_and_still_tells_the_rest(
    tmp_path: Path,
) -> None:
    """Three frames: the first is written before the second turns out to be wrong."""
    wrong = {150_000: "", 199_000: "no", 220_000: "-1.00"}
    frame = takaful_rows(230_000).with_columns(pl.col("admin_amount").cast(pl.String))
    frame = (
        frame.with_row_index()
        .with_columns(
            pl.col("index")
            .cast(pl.Int64)
            .replace_strict(wrong, default=pl.col("admin_amount"))
            .alias("admin_amount")
        )
        .drop("index")
    )
    result = loaded(frame)
    assert nothing_was_written()
    assert (result.rows, result.rejected, result.withheld) == (230_000, 3, 229_997)
    assert Counter(code for _, _, code in faults(result)) == Counter(
        ["value.empty", "amount.not_a_number", "amount.negative"]
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file is empty"),
        (b"source_rowid,txn_type\nP-1,PREMIUM_RECEIPT\n", "missing 'product_code'"),
        (b"PAR1 and then no Parquet", "not a whole Parquet file"),
        ((",".join(COLUMNS) + "\nP-1,short\n").encode(), "Row 2 has 2 fields instead of 14"),
        (
            (",".join(COLUMNS) + "\nP-\xff\n").encode("latin-1"),
            "Row 2, column source_rowid: this is not UTF-8",
        ),
    ],
)
def test_a_file_of_another_shape_is_refused_and_leaves_nothing(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "rows").write_bytes(content)
    with pytest.raises(FileRefused, match=said):
        loaded(tmp_path / "rows", accept_valid=True)
    assert nothing_was_written() and not ImportBatch.objects.exists()


def test_a_parquet_file_with_floats_is_refused_by_the_columns_name(tmp_path: Path) -> None:
    takaful_rows(5).with_columns(pl.col("invest_amount").cast(pl.Float64)).write_parquet(tmp_path / "rows")
    with pytest.raises(FileRefused, match="Column invest_amount is Float64; it has to be Decimal"):
        loaded(tmp_path / "rows")


def test_a_pack_without_such_files_and_a_path_without_a_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(
        NoSourceFormat, match="Pack taxi has no files of source rows to load; these have: takaful"
    ):
        load_source_file(pack="taxi", path=tmp_path, actor=system_user())
    for path in (tmp_path, tmp_path / "missing", Path("/dev/null")):
        with pytest.raises(FileUnreadable):
            loaded(path)


# --- what else reads source rows ----------------------------------------------------------------------------


def test_rows_without_an_account_do_not_disturb_trips(tmp_path: Path) -> None:
    from ledger.selectors.proofs import run_proofs

    account = make_account()
    drive(account, "50.00", {"MTA": "0.50"})
    load(premium(), claim(), folder=tmp_path)
    failed = [proof for proof in run_proofs() if not proof.ok]
    assert failed == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(account_id) FROM txn_source_parent")
        assert cursor.fetchone() == (3, 1)
