"""Files of packs, and where their rows lead: the runs over a file, what is wrong with it, the entry of a row."""

from django.http import HttpRequest

from batconnect.common.screens import Cell, Detail, Table, admin_url, list_url, moment
from ledger.models import ImportBatch, JournalRun, SourceTransaction
from ledger.selectors.batches import entry_of_row

from .bulk_run_tables import import_files, reject_table
from .journal_parts import entry_cell


def pack_file(record: ImportBatch) -> Detail:
    """A file of a pack's rows: what is wrong with one is listed, for the file to be corrected."""
    rows = list_url(SourceTransaction, f"batch__exact={record.pk}")
    return Detail(
        title=record.file_name,
        subtitle=f"Source rows of {record.source}",
        figures=[
            ("Rows", Cell(f"{record.rows:,}")),
            ("Accepted", Cell(f"{record.accepted:,}", rows)),
            ("Rejected", Cell(f"{record.rejected:,}")),
            ("Known before", Cell(f"{record.duplicates:,}")),
        ],
        facts=[
            ("Loaded", Cell(f"{moment(record.created_at)} by {record.created_by}")),
            ("Fingerprint (SHA-256)", Cell(record.sha256)),
            *(
                [("Not loaded, for others were rejected", Cell(f"{record.withheld:,}"))]
                if record.withheld
                else []
            ),
        ],
        tables=[
            runs_table(record),
            reject_table(record),
        ],
        actions=import_files(record),
    )


def runs_table(record: ImportBatch) -> Table:
    """The bulk runs that journalised, or tried to, what a file brought."""
    runs = JournalRun.objects.filter(import_batch=record).order_by("-id")
    return Table(
        "Bulk runs over this file",
        ["Run", "State", "#Entries", "Started"],
        [
            [
                Cell(f"Run {run.pk}", admin_url(run)),
                Cell(f"{run.get_state_display()}{' (dry run)' if run.dry_run else ''}"),
                Cell(f"{run.entries:,}", look="money"),
                Cell(moment(run.created_at)),
            ]
            for run in runs
        ],
        empty="None yet.",
    )


def entry_facts(request: HttpRequest, row: SourceTransaction) -> list[tuple[str, Cell]]:
    """The journal entry that the row has, for who may see entries."""
    if not request.user.has_perm("ledger.view_entryheader"):
        return []
    number = entry_of_row(row)
    return [("Journal entry", entry_cell(number) if number else Cell("none yet", look="muted"))]
