"""What is done with bulk runs: post a month or a file, resume, reverse, discard."""

from datetime import date
from pathlib import Path

from django.db import connection, transaction

from batconnect.common import audit
from batconnect.common.models import User
from ledger.engine import ledger_poster
from ledger.engine.template_loader import policy_version
from ledger.models import ImportBatch, JournalRun, Origin, RunState

from ..accounting_policy import FLEET_PACK
from ..errors import translated
from ..reasons import checked_reason
from ..source_files import load_source_file
from ..trips import import_trips
from .errors import FileRejected, NotDiscardable, NotResumable, UnknownRun
from .open_days import first_open_day
from .outcomes import STARTS_OVER, has_ended
from .plan import plan_run
from .processes import work_together
from .reversals import plan_reversal
from .work import Progress


def post_batch(
    *,
    pack: str,
    actor: User,
    month: date | None = None,
    file: Path | None = None,
    file_name: str = "",
    dry_run: bool = False,
    accept_valid: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> JournalRun:
    """Journalise the rows of a pack's month, or of a file that is loaded first, and say how it went.

    Strict unless `accept_valid`: a rejected row, and nothing is posted. A dry run posts nothing; its effect is
    `selectors.batches.run_effect`. The run is POSTED, FAILED, tried, or waits to be resumed with an `error_code`.
    Raises FileRejected, as load_source_file and import_trips, and as plan_run.
    """
    batch = None
    if file is not None:
        batch = load_file(pack=pack, file=file, file_name=file_name, actor=actor, accept_valid=accept_valid)
    run = plan_run(
        pack=pack,
        actor=actor,
        month=month,
        import_batch=batch,
        dry_run=dry_run,
        accept_valid=accept_valid,
    )
    return work_together(run_id=run.pk, workers=workers, progress=progress)


def resume_run(*, run_id: int, actor: User, workers: int = 1, progress: Progress | None = None) -> JournalRun:
    """Go on with a run that was killed or has stopped, from wherever it is. Raises as `reopen_run`."""
    run = reopen_run(run_id=run_id, actor=actor)
    return work_together(run_id=run.pk, workers=workers, progress=progress)


@transaction.atomic
def reopen_run(*, run_id: int, actor: User) -> JournalRun:
    """Let workers go on with a run; the work is theirs.

    One that stopped because templates or days changed starts over by what is in force now. Raises UnknownRun,
    NotResumable.
    """
    run = _run(run_id)
    if has_ended(run):
        raise NotResumable(run=run.pk, state=run.state)
    with translated(), connection.cursor() as cursor:
        if run.error_code in STARTS_OVER:
            ledger_poster.restart_run(cursor, run.pk)
            floor = {"floor_date": first_open_day()} if run.origin == Origin.TRIP else {}
            JournalRun.objects.filter(pk=run.pk).update(policy_version=policy_version(cursor), **floor)
        JournalRun.objects.filter(pk=run.pk).update(error_code="", error="")
    audit.record(
        actor=actor,
        action="batch.resumed",
        subject=f"journal_run:{run.pk}",
        after={"state": run.state, "after": run.error_code},
    )
    return run


def reverse_run(
    *,
    run_id: int,
    actor: User,
    reason: str,
    on: date | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> JournalRun:
    """Take back a posted run by a mirrored one; its source rows may be journalised anew. Returns the mirrored run.

    on: the accounting date of what is no trip, by default today. Raises as plan_reversal.
    """
    run = plan_reversal(run_id=run_id, actor=actor, reason=reason, on=on)
    return work_together(run_id=run.pk, workers=workers, progress=progress)


def discard_run(*, run_id: int, actor: User, reason: str) -> JournalRun:
    """Give up a run that is not posted: what it staged is dropped, and its rows are free for another.

    reason: 10 to 500 characters. Raises UnknownRun, NotDiscardable, ReasonLength.
    """
    reason = checked_reason(reason)
    run = _run(run_id)
    if run.state == RunState.POSTED or (has_ended(run) and run.state != RunState.FAILED):
        raise NotDiscardable(run=run.pk, state=run.state)
    with translated(), transaction.atomic(), connection.cursor() as cursor:
        ledger_poster.discard_run(cursor, run.pk, reason)
        audit.record(
            actor=actor,
            action="batch.discarded",
            subject=f"journal_run:{run.pk}",
            before={"state": run.state},
            after={"reason": reason},
        )
    run.refresh_from_db()
    return run


def _run(run_id: int) -> JournalRun:
    run = JournalRun.objects.filter(pk=run_id).first()
    if run is None:
        raise UnknownRun(run=run_id)
    return run


def load_file(
    *, pack: str, file: Path, actor: User, file_name: str = "", accept_valid: bool = False
) -> ImportBatch:
    """Load a file's rows; the import that has them: this one, or, where all were loaded before, the one from then.

    Raises FileRejected, and as load_source_file and import_trips.
    """
    if pack == FLEET_PACK:
        loaded = import_trips(path=file, actor=actor, file_name=file_name, journalise=False)
        batch = ImportBatch.objects.get(pk=loaded.batch_id)
    else:
        load = load_source_file(
            pack=pack, path=file, actor=actor, accept_valid=accept_valid, file_name=file_name
        )
        batch = load.import_batch
        if load.refused:
            raise FileRejected(file=batch.file_name, rejected=load.rejected, rows=load.rows, batch=batch.pk)
    if batch.accepted:
        return batch
    before = (
        ImportBatch.objects.filter(source=batch.source, sha256=batch.sha256, accepted__gt=0)
        .order_by("-id")
        .first()
    )
    return before or batch
