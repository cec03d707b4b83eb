"""What a new bulk run was asked to be, and what will happen then, in sentences."""

from datetime import date
from typing import Any

from django.conf import settings
from django.http import Http404
from django.template.defaultfilters import filesizeformat
from django.urls import reverse

from batconnect.common.screens import Cell, admin_url, moment, money
from ledger import batch_jobs
from ledger.models import ImportBatch
from ledger.services import batches
from ledger.services.accounting_policy import FLEET_PACK
from ledger.services.batch_uploads import find_upload

TRY, POST = "try", "post"
MODES = [
    (TRY, "Try it: check everything and show the effect, post nothing"),
    (POST, "Post it"),
]
STRICT, VALID = "strict", "valid"
REJECTED = [
    (STRICT, "If any row is rejected, nothing is posted"),
    (VALID, "Leave rejected rows out, and post the rest"),
]


class Asked:
    """What the first page was told, as the second carries it in its address."""

    def __init__(self, query: Any) -> None:
        self.pack = query.get("pack", "")
        self.dry_run = query.get("mode") != POST
        self.accept_valid = query.get("rejected") == VALID
        self.month = _month(query.get("month", ""))
        self.token = query.get("upload", "")
        if (self.month is None) == (not self.token):
            raise Http404

    def parameters(self) -> dict[str, Any]:
        return {
            "pack": self.pack,
            "month": self.month,
            "upload": self.token,
            "dry_run": self.dry_run,
            "accept_valid": self.accept_valid,
        }

    @property
    def title(self) -> str:
        return "Try this run?" if self.dry_run else "Post this run?"

    @property
    def subject(self) -> str:
        return f"{self.pack}, {self.month:%B %Y}" if self.month else f"{self.pack}, from a file"

    @property
    def label(self) -> str:
        if self.month:
            return "Try it" if self.dry_run else "Post it"
        return "Load and try it" if self.dry_run else "Load and post it"

    def preview(self) -> tuple[list[tuple[str, Cell]], list[tuple[str, Cell]]]:
        """Figures and facts of what it is about. Raises what keeps it from being started."""
        if self.month:
            planned = batches.preview_run(pack=self.pack, month=self.month)
            return [
                ("Source rows", Cell(f"{planned.rows:,}")),
                ("Their amounts", Cell(money(planned.gross))),
                ("Shards to share", Cell(f"{planned.shards:,}")),
            ], []
        upload = find_upload(self.token)
        before = ImportBatch.objects.filter(source__in=(self.pack, "curb"), sha256=upload.sha256).first()
        known = [("Loaded before", Cell(moment(before.created_at), admin_url(before)))] if before else []
        return [], [
            ("File", Cell(upload.name)),
            ("Size", Cell(filesizeformat(upload.size))),
            ("Fingerprint (SHA-256)", Cell(upload.sha256)),
            *known,
        ]

    def consequences(self) -> list[str]:
        """What will happen, in the order in which it does."""
        told = []
        if not self.month:
            told.append(
                "The file's rows are loaded, those that are new; rows that were loaded before stay as they are."
            )
            if self.pack == FLEET_PACK:
                told.append("Trips that cannot be accepted wait for a person, among the parked rows.")
        told.append(
            "Each row without an entry gets one, by the template in force on its day, and everything is checked: "
            "that debits are credits, accounts, dates, and the totals of every step."
        )
        told.append(
            "Rows that are rejected are listed with the reason and left out; the others go on."
            if self.accept_valid
            else "One row that is rejected is enough, and nothing is posted; all of them are listed with the reason."
        )
        told.append(
            "Then it ends, and shows what it would bring to each account. Nothing is posted."
            if self.dry_run
            else "Then all of it comes into the ledger at once. It can be taken back by a mirrored run, never deleted."
        )
        told.append(
            f"It runs in the background, shared by up to {settings.BATCH_WORKERS} workers. You can leave the page."
        )
        return told

    def start(self, actor: Any) -> str:
        """Start it; the page of what was started."""
        how: dict[str, Any] = {"dry_run": self.dry_run, "accept_valid": self.accept_valid, "actor": actor}
        if self.month:
            return admin_url(batch_jobs.start_month(pack=self.pack, month=self.month, **how).run)
        job = batch_jobs.start_file(upload=self.token, pack=self.pack, **how)
        return reverse("admin:ledger_journalrun_file", args=[job.pk])


def _month(named: str) -> date | None:
    if not named:
        return None
    try:
        return date.fromisoformat(f"{named}-01")
    except ValueError:
        raise Http404 from None
