"""Reconcile a source for a date, from the terminal."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from batconnect.common.audit import system_user
from batconnect.common.commands import ReportingCommand, iso_date
from recon.selectors.summaries import job_answer
from recon.services.files import local_file
from recon.services.runs import find_source, run_recon


class Command(ReportingCommand):
    help = "Reconcile a source for a date: what the outside says against what is posted."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--source", required=True, help="the source's name, e.g. bank_csv")
        parser.add_argument("--date", required=True, type=iso_date, help="the day, e.g. 2025-07-13")
        parser.add_argument(
            "--file-path",
            "--file_path",
            default="",
            help="the file to read; else the source's usual one, or its API",
        )

    def report(self, **options: Any) -> dict[str, Any]:
        file = local_file(Path(options["file_path"])) if options["file_path"] else None
        source = find_source(options["source"])
        job = run_recon(source=source, on=options["date"], actor=system_user(), file=file)
        return job_answer(job)

    def describe(self, result: dict[str, Any]) -> None:
        self.stdout.write(
            f"{result['source']} for {result['date']}: {result['status']} (job {result['job_id']})"
        )
        for side, name in (("external", "Outside"), ("ledger", "Ledger")):
            counts = result["counts"][side]
            told = ", ".join(
                f"{counts[part]} {part}" for part in ("matched", "suggested", "ambiguous", "unmatched")
            )
            waiting = f" ({counts['waiting']} may still come)" if counts["waiting"] else ""
            self.stdout.write(f"{name}: {counts['rows']} rows: {told}{waiting}")
        self.stdout.write(
            f"Outside {result['external_total']}, ledger {result['ledger_total']}, difference {result['variance']}"
        )
