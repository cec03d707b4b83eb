"""Two months of a hard public set through the whole app: posted, reconciled, a model learned, tried and used."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from batconnect.common.audit import system_user
from ledger.models import Account, Origin
from ledger.services.entries import NewEntry, NewLine, enter
from recon.models import ReconLog, ReconMatch
from recon.services import rules
from recon.services.files import Given

from .stories import key_of, make_source, reconcile

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.thorough]
ON = date(2022, 12, 31)
AT_ONCE = 5_000


def test_a_learned_model_finds_what_belongs_together(shared_data: Path, tmp_path: Path) -> None:
    """F1 of matched and suggested together at least 0.95, of what is matched by itself 99 % right."""
    ledger = pl.read_csv(shared_data / "recon_ledger.csv", infer_schema=False).filter(
        pl.col("date") < "2022-03"
    )
    keys = _post(ledger)
    file = tmp_path / "external.csv"
    external = pl.read_csv(shared_data / "recon_external.csv", infer_schema=False)
    external = external.filter(pl.col("date") < "2022-03-22")
    external.with_columns(currency=pl.lit("USD")).write_csv(file)
    source = make_source(accounts=["1010"], reaches_back=400, mapping={"columns": {"id": "txn_id"}})
    given = Given(file, file.name)
    first = reconcile(source, given, on=ON)
    model = rules.learn_model(source=source, actor=system_user())
    rules.activate_model(
        source=source, model=model, replayed=rules.replay(source=source, model=model), actor=system_user()
    )
    source.refresh_from_db()
    job = reconcile(source, given, on=ON)
    assert job.counts["new_rows"] == 0 and job != first

    truth = pl.read_csv(shared_data / "recon_truth.csv")
    right = {
        (row["external_txn_id"], keys[row["ledger_txn_id"]])
        for row in truth.iter_rows(named=True)
        if row["ledger_txn_id"] in keys
    }
    logs = ReconLog.objects.filter(job=job, side="external", outcome__in=["matched", "suggested"])
    found = {
        (log.key, partner): log.outcome for log in logs if len(log.partners) == 1 for partner in log.partners
    }
    alone = [pair for pair, outcome in found.items() if outcome == "matched"]
    hits = sum(pair in right for pair in found)
    assert 2 * hits / (len(found) + len(right)) >= 0.95
    assert sum(pair in right for pair in alone) / len(alone) >= 0.99
    assert ReconMatch.objects.filter(source=source, status="ACTIVE").count() == len(alone)
    assert reconcile(source, given, on=ON) == job  # a second run writes nothing


def _post(ledger: pl.DataFrame) -> dict[str, str]:
    """The set's ledger as journal entries, without its ids; what each line is called."""
    ids = dict(Account.objects.filter(code__in=["1010", "4900"]).values_list("code", "pk"))
    names: dict[str, str] = {}
    for part in ledger.iter_slices(AT_ONCE):
        rows = list(part.iter_rows(named=True))
        entries = [
            NewEntry(
                je_date=date.fromisoformat(row["date"]),
                description=row["description"].strip(),
                lines=[
                    NewLine(ids["1010"], Decimal(row["amount"])),
                    NewLine(ids["4900"], -Decimal(row["amount"])),
                ],
            )
            for row in rows
        ]
        made = enter(entries, origin=Origin.MANUAL, actor_id=system_user().pk)
        names |= {row["txn_id"]: key_of(entry) for row, entry in zip(rows, made, strict=True)}
    return names
