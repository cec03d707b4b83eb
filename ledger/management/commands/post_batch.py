"""`post_batch`: a month of source rows, or a file of them, into the journal in bulk; and what runs are taken back.

Exit codes: 0 posted, tried or discarded as asked, or nothing to do; 1 refused, with the reason; 2 the run ended or
stopped without posting, for its rejects or for what is told.
"""

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from batconnect.common.audit import system_user
from batconnect.common.commands import ReportingCommand, iso_date, iso_month, worker_count
from ledger.models import JournalRun, RunState, SourceReject
from ledger.selectors.batches import run_effect, run_timings
from ledger.services import batches
from ledger.services.batches.errors import FileRejected, NothingToDo

SHOWN = 10  # rejects that are printed
NOT_POSTED = 2
STEP_NAMES = {
    "load": "read source rows",
    "expand": "expand by templates",
    "stage": "copy to staging",
    "validate": "validate",
    "post": "move to the ledger",
    "index_1": "index headers",
    "index_2": "index lines",
    "index_3": "index by account",
    "attach": "attach",
    "wall": "in all",
}


class Command(ReportingCommand):
    help = (
        "Journalise a pack's source rows in bulk: those of a month, or of a file that is loaded first. Safe to kill "
        "at any moment: a run goes on with --resume, and no row is entered twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--month", type=iso_month, help="post the rows of this month that have no entry: 2019-03"
        )
        what.add_argument("--file", type=Path, help="load this file (CSV or Parquet), then post its rows")
        what.add_argument(
            "--resume", type=int, metavar="RUN", help="go on with a run that was killed or stopped"
        )
        what.add_argument(
            "--reverse", type=int, metavar="RUN", help="take a posted run back, by a mirrored run"
        )
        what.add_argument("--discard", type=int, metavar="RUN", help="give up a run that is not posted")
        parser.add_argument("--pack", help="whose templates: taxi, takaful")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="do everything but post: validation and effect. The rows of a --file are loaded all the same",
        )
        parser.add_argument(
            "--accept-valid", action="store_true", help="leave rejected rows out and post the rest"
        )
        parser.add_argument(
            "--reason", default="", help="why, for --reverse and --discard (10 characters or more)"
        )
        parser.add_argument(
            "--on", type=iso_date, help="with --reverse: its accounting date, if it is no trips' run"
        )
        parser.add_argument(
            "--workers",
            type=worker_count,
            default=1,
            metavar="N",
            help="processes that share the work (default: 1)",
        )

    def report(self, **options: Any) -> dict[str, Any]:
        self.said = ""
        try:
            run = self._run(options)
        except NothingToDo as nothing:
            return {"state": "NOTHING_TO_DO", "message": str(nothing)}
        except FileRejected as refused:
            self.exit_code = NOT_POSTED
            return _of_file(refused)
        result = _of_run(run)
        if (result["state"] == RunState.FAILED and options["discard"] is None) or result.get("held_up"):
            self.exit_code = NOT_POSTED
        return result

    def _run(self, options: dict[str, Any]) -> JournalRun:
        actor = system_user()
        new = options["month"] is not None or options["file"] is not None
        if not new and (options["dry_run"] or options["accept_valid"]):
            raise CommandError(
                "--dry-run and --accept-valid are chosen when a run starts, with --month or --file."
            )
        how: dict[str, Any] = {
            "workers": options["workers"],
            "progress": None if self.quiet else self.show,
        }
        if options["resume"] is not None:
            return batches.resume_run(run_id=options["resume"], actor=actor, **how)
        if options["discard"] is not None:
            return batches.discard_run(run_id=options["discard"], actor=actor, reason=options["reason"])
        if options["reverse"] is not None:
            return batches.reverse_run(
                run_id=options["reverse"], actor=actor, reason=options["reason"], on=options["on"], **how
            )
        if not options["pack"]:
            raise CommandError("Say which pack: --pack taxi, or --pack takaful.")
        return batches.post_batch(
            pack=options["pack"],
            actor=actor,
            month=options["month"],
            file=options["file"],
            dry_run=options["dry_run"],
            accept_valid=options["accept_valid"],
            **how,
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.exit_code = 0
        super().handle(*args, **options)
        if self.exit_code:
            sys.exit(self.exit_code)

    def show(self, step: str, done: int, total: int) -> None:
        line = f"  {step}: {done:,} of {total:,} rows"
        if line != self.said:
            self.stdout.write(line)
            self.said = line

    def describe(self, result: dict[str, Any]) -> None:
        self.stdout.write(result["message"])
        for label, name in (
            ("Source rows", "source_rows"),
            ("Entries", "entries"),
            ("Lines", "lines"),
            ("Not for the journal", "skipped"),
            ("Rejected", "rejected"),
        ):
            if name in result:
                self.stdout.write(f"  {label:<22} {result[name]:>16,}")
        if "debits" in result:
            self.stdout.write(f"  {'Debits = credits':<22} {Decimal(result['debits']):>16,.2f}")
        self._rejects(result)
        self._effect(result.get("effect", []))
        self._times(result.get("timings", {}))

    def _rejects(self, result: dict[str, Any]) -> None:
        listed = result.get("rejects", [])
        if not listed:
            return
        self.stdout.write(f"\n{'row':>9}  {'column':<16}  {'code':<26}  what is wrong")
        for row in listed:
            self.stdout.write(
                f"{row['row_number'] or '':>9}  {row['column']:<16}  {row['code']:<26}  {row['message']}"
            )
        if result["rejected"] > len(listed):
            self.stdout.write(f"and {result['rejected'] - len(listed):,} more: {result['rejects_in']}")

    def _effect(self, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        self.stdout.write(f"\n  {'account':<34} {'fund':<5} {'debits':>18} {'credits':>18}")
        sums: dict[tuple[str, str], list[Decimal]] = {}
        for row in rows:
            debits, credits = Decimal(row["debits"]), Decimal(row["credits"])
            name = f"{row['account']} {row['name']}"[:34]
            self.stdout.write(f"  {name:<34} {row['fund']:<5} {debits:>18,.2f} {credits:>18,.2f}")
            total = sums.setdefault((row["fund"], row["currency"]), [Decimal(0), Decimal(0)])
            total[0], total[1] = total[0] + debits, total[1] + credits
        for (fund, currency), (debits, credits) in sums.items():
            self.stdout.write(f"  {'in all, ' + currency:<34} {fund:<5} {debits:>18,.2f} {credits:>18,.2f}")

    def _times(self, timings: dict[str, Any]) -> None:
        known = {STEP_NAMES[step]: seconds for step, seconds in timings.items() if step in STEP_NAMES}
        if known:
            self.stdout.write("\n" + ", ".join(f"{step} {seconds:.2f} s" for step, seconds in known.items()))
            self.stdout.write(f"most memory in one process: {timings.get('peak_mib', 0):,.0f} MiB")


def _of_run(run: JournalRun) -> dict[str, Any]:
    """A run as the final object: its counts, rejects, effect and timings."""
    tried = run.dry_run and run.state == RunState.VALIDATED
    rejects = run.reject_rows.order_by("id")[:SHOWN]
    return {
        "run": run.pk,
        "pack": run.pack,
        "state": run.state,
        "dry_run": run.dry_run,
        "held_up": bool(run.error_code) or (tried and run.rejects > 0 and not run.accept_valid),
        "message": _told(run),
        "error": run.error_code,
        "source_rows": run.source_rows,
        "entries": run.entries,
        "lines": run.lines,
        "skipped": run.skipped,
        "rejected": run.rejects,
        "debits": str(run.debits),
        "rejects": [
            {
                "row_number": row.row_number,
                "source_id": row.source_id,
                "column": row.column,
                "code": row.code,
                "message": row.message,
            }
            for row in rejects
        ],
        "rejects_in": f"all are kept with run {run.pk}",
        "effect": [
            {**row, "debits": str(row["debits"]), "credits": str(row["credits"])}
            for row in ([] if run.state == RunState.FAILED else run_effect(run))
        ],
        "layers": {name: totals for name, totals in run.layers.items() if name != "effect"},
        "timings": run_timings(run),
    }


def _told(run: JournalRun) -> str:
    scope = f"{run.month:%B %Y}" if run.month else f"import {run.import_batch_id}"
    name = f"Run {run.pk} ({run.pack}, {scope})"
    if run.state == RunState.POSTED:
        what = f"took back run {run.reverses_run_id}" if run.reverses_run_id else "is posted"
        return f"{name} {what}."
    if run.error_code:
        return f"{name} did not post anything: {run.error}"
    if run.state == RunState.FAILED:
        return f"{name} was discarded: {run.reason}"
    if run.rejects and not run.accept_valid:
        return f"{name} was tried: it would post nothing, for {run.rejects:,} rows are rejected."
    return f"{name} was tried and is sound; nothing was posted."


def _of_file(refused: FileRejected) -> dict[str, Any]:
    """A file that was refused for its rejects, as the final object."""
    rejects = SourceReject.objects.filter(batch_id=refused.details["batch"]).order_by("id")
    return {
        "state": "REJECTED",
        "error": refused.code,
        "message": str(refused),
        "source_rows": refused.details["rows"],
        "rejected": refused.details["rejected"],
        "rejects": list(rejects.values("row_number", "column", "code", "message")[:SHOWN]),
        "rejects_in": f"all are kept with import {refused.details['batch']}",
    }
