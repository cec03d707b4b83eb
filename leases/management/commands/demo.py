"""`demo`: an invented fleet and six weeks of its life, through the commands a person would type."""

import io
import json
import time
from argparse import ArgumentParser
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from batconnect.common.errors import BatConnectError, ConflictingState
from batconnect.exports.pdf_files import make_folder, write_whole
from leases.demo import caps, fleet, parts, report, story, trips
from ledger.models import WeeklyRun

WEEKLY_FEE = "450.00"


class NotADemoLedger(ConflictingState):
    code = "demo.other_weeks"
    message = (
        "This ledger's first week is {week}, so it is not the demo's. Run the demo on an empty database: "
        "set DATABASE_URL, or BATCONNECT_HOME for another embedded one."
    )


class Command(BaseCommand):
    help = (
        "Make an invented fleet and its trips, run six weeks, and show what each driver earned, owed and was "
        "paid. A second run changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--out", type=Path, metavar="DIR", help="folder for files and PDFs (default: .local/demo)"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object only")

    def handle(self, *args: Any, **options: Any) -> None:
        self.quiet = options["json"]
        self.changes = 0
        started = time.monotonic()
        try:
            result = self._run(options["out"] or Path(settings.LOCAL_DIR) / "demo")
        except BatConnectError as error:
            raise CommandError(str(error)) from error
        if self.quiet:
            self.stdout.write(json.dumps(result))
        else:
            self._show(result, time.monotonic() - started)

    # --- six weeks --------------------------------------------------------------------------------------

    def _run(self, out: Path) -> dict[str, Any]:
        self._check_ledger()
        out = make_folder(out.resolve())
        self._import_fleet(out)
        weeks = [
            self._week(index, out / f"curb_trips_{week}.csv", text)
            for index, (week, text) in enumerate(trips.trip_files())
        ]
        last_week = str(trips.WEEKS[-1])
        pdfs = self._call("export_dtrs", "--week", last_week, "--out", str(out / f"dtrs-{last_week}"))
        self._say(f"  {pdfs['dtrs']} DTRs as PDF")
        for part in parts.parts():
            self.changes += part(out=out, call=self._call, say=self._say)
        proofs = self._call("verify_ledger")
        self._say(f"  {len(proofs['checks'])} proofs hold")
        lines = report.lines()
        return {
            "changed": self.changes > 0,
            "weeks": weeks,
            "drivers": [line.as_dict() for line in lines],
            "totals": {name: str(amount) for name, amount in report.together(lines).items()},
            "proofs": proofs,
            "pdfs": {"files": pdfs["files"], "out": pdfs["out"]},
        }

    def _check_ledger(self) -> None:
        first = WeeklyRun.objects.order_by("week").first()
        if first is not None and first.week != trips.FIRST_WEEK:
            raise NotADemoLedger(week=first.week)

    def _import_fleet(self, out: Path) -> None:
        medallions, drivers = out / "medallions.csv", out / "drivers.csv"
        write_whole(medallions, fleet.medallions_csv().encode())
        write_whole(drivers, fleet.drivers_csv().encode())
        imported = self._call(
            "import_fleet", "--medallions", str(medallions), "--drivers", str(drivers),
            "--lease-from", str(trips.FIRST_WEEK), "--weekly-fee", WEEKLY_FEE,
        )  # fmt: skip
        self.changes += sum(kind["created"] + kind["updated"] for kind in imported.values())
        self._say(f"  {len(fleet.CABS)} drivers, each with a cab and a lease at {WEEKLY_FEE} a week")
        entered = caps.enter_caps()
        if entered:
            self._say(f"  {entered} caps of what a week may cost, as examples")
        self.changes += entered

    def _week(self, index: int, file: Path, text: str) -> dict[str, Any]:
        week = trips.WEEKS[index]
        write_whole(file, text.encode())
        loaded = self._call("import_trips", str(file))
        self._say(
            f"  {loaded['rows']:,} rows: {loaded['accepted']:,} new, {loaded['duplicates']:,} known, "
            f"{loaded['rejected']} parked"
        )
        closed_before = WeeklyRun.objects.filter(week=week, status=WeeklyRun.Status.CLOSED).exists()
        result = self._call("run_week", "--week", str(week))
        self._say(
            f"  earned {_shown(result['earnings'])}, put to debts {_shown(result['allocated'])}, "
            f"net pay {_shown(result['net_pay'])}, still owed {_shown(result['open_receivables'])}"
        )
        told = story.tell(after=index)
        if told:
            self._say(f"  at the desk: {told} charges, payments, voids and payouts")
        self.changes += loaded["accepted"] + (not closed_before) + told
        return result

    def _call(self, name: str, *arguments: str) -> dict[str, Any]:
        """Run a command as typed and read its JSON; its failure is the demo's."""
        self._say(f"manage.py {name} {' '.join(arguments)}".rstrip())
        output = io.StringIO()
        try:
            call_command(name, *arguments, "--json", stdout=output)
        except SystemExit:
            raise CommandError(f"{name} failed: {output.getvalue().strip()}") from None
        result: dict[str, Any] = json.loads(output.getvalue().splitlines()[-1])
        return result

    # --- what people see --------------------------------------------------------------------------------

    def _say(self, line: str) -> None:
        if not self.quiet:
            self.stdout.write(line)

    def _show(self, result: dict[str, Any], seconds: float) -> None:
        heads = ("earned", "charged", "at the desk", "paid out", "to pay", "owed")
        width = max(len(line["driver"]) for line in result["drivers"])
        self._say(f"\n{'driver':<{width}}  cab   " + "".join(f"{head:>14}" for head in heads))
        for line in result["drivers"]:
            amounts = "".join(f"{_shown(line[name]):>14}" for name in report.AMOUNTS)
            self._say(f"{line['driver']:<{width}}  {line['medallion']:<6}{amounts}")
        totals = "".join(f"{_shown(result['totals'][name]):>14}" for name in report.AMOUNTS)
        self._say(f"{'together':<{width}}  {'':<6}{totals}")
        self._say("\ncharged + paid out + to pay - earned - at the desk = owed\n")
        for check in result["proofs"]["checks"]:
            self._say(f"{'ok  ' if check['ok'] else 'FAIL'}  {check['name']}: {check['detail']}")
        self._say(f"\nThe DTRs of the last week, {result['pdfs']['files']} PDFs: {result['pdfs']['out']}")
        if not result["changed"]:
            self._say("Everything was there already: nothing was changed.")
        self._say(f"{seconds:.0f} seconds")
        self._say(
            "\nSee it in a browser: `.venv/bin/python manage.py createsuperuser` for a login, then `make serve`."
        )


def _shown(amount: str) -> str:
    return f"{Decimal(amount):,.2f}"
