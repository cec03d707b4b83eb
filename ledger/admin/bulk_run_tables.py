"""The tables on the pages of bulk runs: effect, checksums, rejects, timings, shards; and what was wrong with a file."""

from decimal import Decimal
from typing import Any

from django.urls import reverse

from batconnect.common.screens import Action, Cell, Table, list_url, moment
from ledger.models import ImportBatch, JournalRun, ParkedRow
from ledger.selectors.batch_rejects import count_rejects, rejects, rejects_of_import
from ledger.selectors.batches import run_effect, run_timings

from .journal_parts import total_text

SHARDS_SHOWN = 200
REJECTS_SHOWN = 20
# What becomes of rejected rows: those of a file never came in, those no template took are there without an entry.
CORRECT_THE_FILE = (
    "Wrong values are corrected in the file: send it again, and rows that were loaded before are recognised."
)
ENTER_LATER = (
    "Rows that no template took keep waiting: change the templates, then start a run over their month."
)
SHARD_STATES = {
    "PENDING": "to be staged",
    "STAGED": "staged",
    "VALIDATED": "validated",
    "POSTED": "in the ledger",
}
LAYERS = (("source", "Source rows"), ("frame", "Expanded"), ("staging", "Staged"), ("ledger", "Ledger"))
# What the layers are compared by: label, its name in the source layer, and in the others.
TOTALS = (
    ("Rows, entries", "rows", "entries"),
    ("Lines", "", "lines"),
    ("Amounts, debits", "gross", "debits"),
    ("Hash total of ids, keys", "ids", "keys_total"),
    ("Hash total of weighted amounts", "", "weighted_total"),
)
STEPS = {
    "load": "Read source rows",
    "expand": "Expand by templates",
    "stage": "Copy to staging",
    "validate": "Validate",
    "post": "Move to the ledger",
    "index_1": "Index the headers",
    "index_2": "Index the lines",
    "index_3": "Index by account",
    "attach": "Attach, claim, total",
}


def number(value: int | None) -> Cell:
    return Cell("–" if value is None else f"{value:,}", look="money")


def effect_table(run: JournalRun, *, tried: bool) -> Table:
    """A trial balance of what the run brings, and each fund's sums."""
    rows = run_effect(run)
    sums: dict[tuple[str, str], list[Decimal]] = {}
    for row in rows:
        both = sums.setdefault((row["fund"], row["currency"]), [Decimal(0), Decimal(0)])
        both[0] += row["debits"]
        both[1] += row["credits"]
    shown = [
        [
            Cell(row["account"], look="strong"),
            Cell(row["name"]),
            Cell(row["fund"]),
            Cell(row["currency"]),
            Cell(total_text(row["debits"]), look="money"),
            Cell(total_text(row["credits"]), look="money"),
            Cell(total_text(row["debits"] - row["credits"]), look="money"),
        ]
        for row in rows
    ]
    for (fund, currency), (debits, credits) in sorted(sums.items()):
        balanced = "in balance" if debits == credits else "not in balance"
        shown.append(
            [
                Cell("Sum", look="strong"),
                Cell(balanced, look="muted" if debits == credits else "warn"),
                Cell(fund, look="strong"),
                Cell(currency, look="strong"),
                *(
                    Cell(total_text(value), look="money strong")
                    for value in (debits, credits, debits - credits)
                ),
            ]
        )
    return Table(
        "What it would bring" if tried else "What it brought: trial balance of its effect",
        ["Account", "Name", "Fund", "Currency", "#Debits", "#Credits", "#Net"],
        shown,
        empty="Nothing: no row became an entry.",
        note="Nothing of this is in the ledger." if tried else "",
    )


def layers_table(run: JournalRun) -> Table:
    """The same figures counted in each layer by itself; those of the last three have to agree."""
    present = [(layer, label) for layer, label in LAYERS if layer in run.layers]
    rows = []
    agree = True
    for label, in_source, in_others in TOTALS:
        values = [
            run.layers[layer].get(in_source if layer == "source" else in_others) for layer, _ in present
        ]
        made = {
            Decimal(str(value))
            for value, (layer, _) in zip(values, present, strict=True)
            if layer != "source"
        }
        agree = agree and len(made) <= 1
        rows.append(
            [
                Cell(label),
                *(_total_cell(value) for value in values),
                Cell("agree" if len(made) <= 1 else "differ", look="muted" if len(made) <= 1 else "warn"),
            ]
        )
    compared = len(present) > 2
    return Table(
        "Checksums, layer by layer",
        ["", *(f"#{label}" for _, label in present), *([""] if compared else [])],
        rows if compared else [row[:-1] for row in rows],
        note="Each layer was counted by itself; they agree." if agree and "ledger" in run.layers else "",
    )


def _total_cell(value: Any) -> Cell:
    if value is None:
        return Cell("–", look="money muted")
    plain = Decimal(str(value))
    places = 0 if plain == plain.to_integral_value() and "." not in str(value) else 2
    return Cell(f"{plain:,.{places}f}".replace("-", "\N{MINUS SIGN}"), look="money")


def rejects_table(run: JournalRun) -> Table:
    total = count_rejects(run)
    parked = (
        ParkedRow.objects.filter(batch=run.import_batch).exists() if run.import_batch and not total else False
    )
    notes = [f"The first {REJECTS_SHOWN} of {total:,}."] if total > REJECTS_SHOWN else []
    if run.import_batch and not run.reverses_run_id and rejects_of_import(run.import_batch).exists():
        notes.append(CORRECT_THE_FILE)
    if run.rejects:
        notes.append(ENTER_LATER)
    more = None
    if parked and run.import_batch:
        more = Cell("Rows of the file that wait for a person", _parked_url(run.import_batch))
    return Table(
        "Rejected rows",
        ["#Row", "What is wrong", "Column", "Value", "Row id"],
        [
            [
                number(row["row_number"]),
                Cell(row["message"], look="long"),
                Cell(row["column"] or "–"),
                Cell(row["value"] or "–"),
                Cell(row["source_rowid"] or "–"),
            ]
            for row in rejects(run, 0, REJECTS_SHOWN)
        ],
        empty="None.",
        note=" ".join(notes),
        more=more,
    )


def _parked_url(batch: ImportBatch) -> str:
    return list_url(ParkedRow, f"batch__exact={batch.pk}")


def timings_table(run: JournalRun) -> Table:
    """Seconds per step, summed over workers: with several at once they exceed the time it took."""
    timings = run_timings(run)
    rows = [
        [Cell(label), Cell(f"{timings[step]:,.2f} s", look="money")]
        for step, label in STEPS.items()
        if step in timings
    ]
    memory = timings.get("peak_mib")
    return Table(
        "Time by step",
        ["Step", "#Seconds of work"],
        rows,
        empty="Nothing was measured yet.",
        note=f"Most memory in one process: {memory:,.0f} MiB." if memory else "",
        footer=[Cell("From planning to the end"), Cell(f"{timings['wall']:,.2f} s", look="money")]
        if rows and timings["wall"]
        else (),
    )


def shards_table(run: JournalRun) -> Table:
    shards = list(run.shards.order_by("number")[:SHARDS_SHOWN])
    return Table(
        "Shards",
        ["#Shard", "Month", "#Source rows", "#Entries", "#Rejected", "State", "Worker", "Taken"],
        [
            [
                number(shard.number),
                Cell(f"{shard.txn_month:%B %Y}"),
                number(shard.source_rows),
                number(shard.entries),
                number(shard.rejects),
                Cell(SHARD_STATES[shard.state], look="" if shard.state == "POSTED" else "muted"),
                Cell(shard.worker or "–"),
                Cell(moment(shard.taken_at)),
            ]
            for shard in shards
        ],
        note="Any worker takes the next shard that nobody holds."
        if len(shards) < SHARDS_SHOWN
        else f"The first {SHARDS_SHOWN}.",
    )


def reject_table(batch: ImportBatch) -> Table:
    """What was wrong with the values of a pack's file."""
    rows = rejects_of_import(batch)
    shown = list(rows[:REJECTS_SHOWN])
    total = rows.count() if len(shown) == REJECTS_SHOWN else len(shown)
    return Table(
        "Rejected values",
        ["#Row", "What is wrong", "Column", "Value"],
        [
            [
                Cell(f"{row.row_number:,}", look="money"),
                Cell(row.message, look="long"),
                Cell(row.column),
                Cell(str(row.raw.get(row.column) or "–")),
            ]
            for row in shown
        ],
        empty="None.",
        note=" ".join(
            [
                *([f"The first {REJECTS_SHOWN} of {total:,}."] if total > REJECTS_SHOWN else []),
                *([CORRECT_THE_FILE] if total else []),
            ]
        ),
    )


def import_files(batch: ImportBatch) -> list[Action]:
    """Its rejects as files, if it has any."""
    if not rejects_of_import(batch).exists():
        return []
    return [
        Action(label, reverse("admin:ledger_importbatch_rejects", args=[batch.pk, file_format]))
        for label, file_format in (("Rejects as Excel", "xlsx"), ("Rejects as CSV", "csv"))
    ]
