"""Files of takaful rows as people send them, sound and not; and the jobs that load and post them, run at once."""

import io

import polars as pl

from batconnect.jobs.models import JobRun
from batconnect.jobs.services import run_job
from benchmarks.takaful_rows import takaful_rows
from ledger import batch_jobs

WHY = "It was the file of another year."


def as_csv(frame: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.write_csv(file)
    return file.getvalue()


def as_parquet(frame: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


def sound(rows: int = 20, *, first: int = 1) -> pl.DataFrame:
    return takaful_rows(rows, first=first)


def unbalanced(rows: int = 20, bad: int = 3) -> pl.DataFrame:
    """The first few do not add up."""
    wrong = pl.when(pl.int_range(pl.len()) < bad).then(pl.col("gross_amount") + 1).otherwise("gross_amount")
    return takaful_rows(rows).with_columns(wrong.alias("gross_amount"))


def unroutable(rows: int = 20, bad: int = 3) -> pl.DataFrame:
    """No template takes the first few."""
    product = pl.when(pl.int_range(pl.len()) < bad).then(pl.lit("HOME01")).otherwise("product_code")
    return takaful_rows(rows).with_columns(product.alias("product_code"))


def work() -> list[JobRun]:
    """Do what a worker would: every bulk job that waits, and those it starts; all of them as they ended."""
    done = []
    kinds = (batch_jobs.BULK_FILE, batch_jobs.BULK_RUN)
    while (
        job := JobRun.objects.filter(kind__in=kinds, status="PENDING").order_by("created_at").first()
    ) is not None:
        run_job(job_id=job.pk)
        job.refresh_from_db()
        done.append(job)
    return done
