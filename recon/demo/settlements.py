"""Six weeks of card settlements: one day short, one late, one told twice; the first three matched.

The processor settles each day two days later and keeps 3 %. Gross is what the ledger has of the day, so everything is
in cents that the demo's trips came to.
"""

import csv
import io
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from batconnect.common.models import User
from batconnect.exports.pdf_files import write_whole
from leases.demo.parts import Call, Say
from leases.demo.trips import WEEKS
from ledger.models import Account

from ..models import CurbSettlement, Outcome, ReconJob, ReconLog, ReconSource
from ..selectors.settlements import trips_of_days
from ..services import decisions
from ..sources.settlements import FIELDS

SOURCE = "curb_cards"
ACCOUNTANT = "demo-books"
DAYS = tuple(WEEKS[0] + timedelta(days=n) for n in range(7 * len(WEEKS)))
SETTLES_AFTER = timedelta(days=2)
RECONCILED_ON = DAYS[-1] + SETTLES_AFTER
FEE = Decimal("0.03")
SHORT, MISSING = date(2026, 10, 14), Decimal("23.40")  # the processor lost a trip
LATE = date(2026, 10, 22)  # and is late with a day
TWICE = date(2026, 10, 8)  # and tells one twice
MATCHED_UNTIL = WEEKS[3]  # what came later is left for whoever looks at the demo to accept


def settle_cards(*, out: Path, call: Call, say: Say) -> int:
    """The processor's file, reconciled with account 1100, and what the accountant accepted; once, ever."""
    source = _source()
    if ReconJob.objects.filter(source=source, date=RECONCILED_ON, status=ReconJob.Status.COMPLETED).exists():
        say("  Card settlements were reconciled already")
        return 0
    path = out / "curb_settlements.csv"
    write_whole(path, settlements_csv(source).encode())
    found = call("run_recon", "--source", SOURCE, "--date", str(RECONCILED_ON), "--file-path", str(path))
    accepted = _accept(found["job_id"])
    counts = found["counts"]["external"]
    say(
        f"  {counts['rows']} settlements: {accepted} days matched by the accountant, "
        f"{counts['suggested'] - accepted} suggested, {counts['unmatched']} that need a person"
    )
    return int(counts["rows"]) + accepted


def settlements_csv(source: ReconSource) -> str:
    """The processor's file, from what the ledger has of each day."""
    driven = trips_of_days(source, DAYS)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for day in DAYS:
        trips, gross = driven.get(day, (0, Decimal(0)))
        if day == LATE or not gross:
            continue
        if day == SHORT:
            trips, gross = trips - 1, gross - MISSING
        fees = (gross * FEE).quantize(Decimal("0.01"), ROUND_HALF_UP)
        for name in (f"CS-{day:%m%d}", f"CS-{day:%m%d}-2")[: 2 if day == TWICE else 1]:
            writer.writerow([name, day + SETTLES_AFTER, day, gross, fees, gross - fees, trips])
    return text.getvalue()


def _source() -> ReconSource:
    source, made = ReconSource.objects.get_or_create(
        name=SOURCE,
        defaults={
            "title": "Card settlements", "adapter": "curb_settlement", "file_pattern": "curb/{date}.csv",
            "write_off_limit": Decimal("50.00"), "alert_days_old": 10,
        },
    )  # fmt: skip
    if made:
        source.accounts.set(Account.objects.filter(code="1100"))
    return source


def _accept(job_id: int) -> int:
    """What an accountant did so far: accepted what adds up."""
    accountant, made = User.objects.get_or_create(
        username=ACCOUNTANT, defaults={"first_name": "Demo", "last_name": "Books"}
    )
    if made:
        accountant.set_unusable_password()
        accountant.save()
    rows = CurbSettlement.objects.filter(source__name=SOURCE, trip_date__lt=MATCHED_UNTIL)
    suggested = ReconLog.objects.filter(
        job_id=job_id,
        side="external",
        outcome=Outcome.SUGGESTED,
        external_row_id__in=rows.values("external_row_id"),
    )
    ready = list(suggested.order_by("occurred_at", "key").values_list("pk", flat=True))
    for log_id in ready:
        decisions.accept(log_id=log_id, actor=accountant, note="Adds up to the day's card trips")
    return len(ready)
