"""Sources, ledger lines and files that stories about reconciliation start from."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from django.conf import settings

from batconnect.common.audit import system_user
from ledger.models import Account, Origin
from ledger.services.entries import Entered, NewEntry, NewLine, enter
from recon.models import ReconJob, ReconLog, ReconSource
from recon.services.files import Given
from recon.services.runs import run_recon

DAY = date(2025, 7, 13)
NOON = "2025-07-13T12:00:00-04:00"
HEADER = "txn_id,timestamp,amount,currency,reference,description"
_numbers = count(1)


def make_source(**fields: Any) -> ReconSource:
    """A bank CSV beside account 1100, by the default model."""
    accounts = fields.pop("accounts", ["1100"])
    values = {"name": f"bank_{next(_numbers)}", "adapter": "bank_csv", **fields}
    values["currency_id"] = values.pop("currency", "USD")
    source = ReconSource.objects.create(**values)
    source.accounts.set(Account.objects.filter(code__in=accounts))
    return ReconSource.objects.select_related("currency", "model").get(pk=source.pk)


def post(
    amount: str,
    *,
    at: str = "",
    reference: str = "",
    description: str = "",
    on: date = DAY,
    account: str = "1100",
) -> Entered:
    """An entry that debits the account (or credits it, below zero) against 4900; `at` is when it happened."""
    value = Decimal(amount)
    ids = dict(Account.objects.filter(code__in=[account, "4900"]).values_list("code", "pk"))
    entry = NewEntry(
        je_date=on,
        reference=reference,
        description=description,
        metadata={"occurred_at": at} if at else None,
        lines=[NewLine(ids[account], value), NewLine(ids["4900"], -value)],
    )
    return enter([entry], origin=Origin.MANUAL, actor_id=system_user().pk)[0]


def key_of(entered: Entered, line: int = 1) -> str:
    return f"{entered.je_number}/{line}"


def bank_file(folder: Path, rows: Sequence[str], *, name: str = "bank.csv", header: str = HEADER) -> Given:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return Given(path, name)


def import_root(folder: Path) -> Path:
    settings.RECON_IMPORT_ROOT = folder
    return folder


def reconcile(source: ReconSource, file: Given | None = None, *, on: date = DAY) -> ReconJob:
    return run_recon(source=source, on=on, actor=system_user(), file=file)


def ends(job: ReconJob, side: str = "external") -> Mapping[str, tuple[str, str]]:
    """How each row ended: outcome and rule, by key."""
    logs = ReconLog.objects.filter(job=job, side=side)
    return {log.key: (log.outcome, log.rule) for log in logs}


def log_of(job: ReconJob, key: str) -> ReconLog:
    return ReconLog.objects.get(job=job, key=key)


# The seed's: three outside, three in the ledger; two are told alike, one is not quite.
SEED_ROWS = [
    "T1,2025-07-13T09:00:00-04:00,100.00,USD,T1,CURB CARD",
    "T2,2025-07-13T10:00:00-04:00,60.50,USD,T2,CURB CARD",
    "B-77,2025-07-13T11:01:00-04:00,25.00,USD,B-77,CURB TAXI",
]


def post_seed() -> list[Entered]:
    return [
        post("100.00", at="2025-07-13T09:00:00-04:00", reference="T1", description="CURB CARD"),
        post("60.50", at="2025-07-13T10:00:00-04:00", reference="T2", description="CURB CARD"),
        post("25.00", at="2025-07-13T11:00:00-04:00", reference="T3", description="CURB CARD"),
    ]
