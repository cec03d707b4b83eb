"""The journal over HTTP: any entry by its number, and manual journals from being written to being entered."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.errors import NotFound
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.schema import Error
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer

from ..models import EntryHeader, ManualJournal
from ..selectors import journal
from ..services import journals
from . import journal_schemas as schemas


class Journal(ApiView):
    permissions = {"POST": "ledger.enter_journal"}

    @extend_schema(
        tags=["ledger"],
        operation_id="submit_journal",
        parameters=[KEY_PARAMETER],
        request=schemas.JournalRequest,
        responses={201: schemas.ManualJournalAnswer},
    )
    def post(self, request: Request) -> Response:
        """Write a journal of any number of lines; it becomes an entry when somebody else approves it."""
        body = self.body(schemas.JournalRequest)

        def effect() -> Answer:
            submitted = journals.submit_journal(
                lines=body["lines"],
                description=body["description"],
                reference=body["reference"],
                je_date=body.get("je_date"),
                metadata=body.get("metadata"),
                actor=self.actor,
                on=today(),
            )
            return Answer(201, shown_journal(submitted))

        return once(request, body, effect)


class JournalDetail(ApiView):
    permissions = {"GET": "ledger.view_entryheader"}

    @extend_schema(
        tags=["ledger"],
        operation_id="show_journal",
        responses={
            200: schemas.JournalAnswer,
            409: OpenApiResponse(Error, description="Its month is archived."),
        },
    )
    def get(self, request: Request, je_number: str) -> Response:
        """Show an entry of the journal (JE-…), whatever made it, or a manual journal (MJ-…)."""
        if je_number.startswith("MJ-"):
            return Response(shown_journal(_manual(je_number)))
        entry = journal.entry_numbered(je_number)
        if entry is None:
            raise NotFound(kind="journal entry", key=je_number)
        return Response(shown_entry(entry))


class Approve(ApiView):
    permissions = {"POST": "ledger.approve_journal"}

    @extend_schema(
        tags=["ledger"],
        operation_id="approve_journal",
        parameters=[KEY_PARAMETER],
        request=schemas.ApprovalRequest,
        responses={200: schemas.ManualJournalAnswer},
    )
    def post(self, request: Request, mj_number: str) -> Response:
        """Approve a journal that somebody else wrote: it is entered."""
        body = self.body(schemas.ApprovalRequest)

        def effect() -> Answer:
            approved = journals.approve_journal(number=mj_number, note=body["note"], actor=self.actor)
            return Answer(200, shown_journal(approved))

        return once(request, body, effect)


class Reject(ApiView):
    permissions = {"POST": "ledger.approve_journal"}

    @extend_schema(
        tags=["ledger"],
        operation_id="reject_journal",
        parameters=[KEY_PARAMETER],
        request=schemas.RejectionRequest,
        responses={200: schemas.ManualJournalAnswer},
    )
    def post(self, request: Request, mj_number: str) -> Response:
        """Turn down a journal that somebody else wrote; nothing is entered."""
        body = self.body(schemas.RejectionRequest)

        def effect() -> Answer:
            rejected = journals.reject_journal(number=mj_number, note=body["note"], actor=self.actor)
            return Answer(200, shown_journal(rejected))

        return once(request, body, effect)


class Reverse(ApiView):
    permissions = {"POST": "ledger.enter_journal"}

    @extend_schema(
        tags=["ledger"],
        operation_id="reverse_journal",
        parameters=[KEY_PARAMETER],
        request=schemas.JournalReversalRequest,
        responses={201: schemas.ManualJournalAnswer},
    )
    def post(self, request: Request, je_number: str) -> Response:
        """Write the reversal of a manual journal's entry; it takes effect when somebody else approves it."""
        body = self.body(schemas.JournalReversalRequest)

        def effect() -> Answer:
            submitted = journals.reverse_journal(
                je_number=je_number,
                reason=body["reason"],
                je_date=body.get("je_date"),
                actor=self.actor,
                on=today(),
            )
            return Answer(201, shown_journal(submitted))

        return once(request, body, effect)


def shown_journal(record: ManualJournal) -> dict[str, Any]:
    """A manual journal, as `ManualJournalAnswer`."""
    names = journal.account_names(line["account"] for line in record.lines)
    return {
        "number": record.number,
        "status": record.status,
        "je_number": journal.je_number(record.entry_id, record.je_date) if record.entry_id else None,
        "je_date": record.je_date,
        "description": record.description,
        "reference": record.reference,
        "reason": record.reason,
        "reverses": journal.je_number(record.reverses_id, record.reverses_date)
        if record.reverses_id and record.reverses_date
        else None,
        **_lines(
            [{**line, "account_name": names.get(line["account"], "")} for line in record.lines],
        ),
        "metadata": record.metadata,
        "created_at": timezone.localtime(record.created_at),
        "created_by_name": record.created_by.username,
        "decided_at": timezone.localtime(record.decided_at) if record.decided_at else None,
        "decided_by_name": record.decided_by.username if record.decided_by else None,
        "decision_note": record.decision_note,
    }


def shown_entry(entry: EntryHeader) -> dict[str, Any]:
    """An entry with its lines and what it comes from, as `JournalEntry`."""
    source = journal.provenance(entry)
    row = source.source_row
    return {
        "je_number": entry.je_number,
        "je_date": entry.je_date,
        "event_on": entry.event_on,
        "origin": entry.origin,
        "description": entry.description,
        "reference": entry.reference,
        "template": str(entry.template) if entry.template else None,
        "posting_id": entry.posting_id,
        "posting_reference": f"{source.posting.category}:{source.posting.reference_id}"
        if source.posting
        else None,
        "source_row": row
        and {
            "id": row.pk,
            "source": row.source,
            "source_rowid": row.source_rowid,
            "file_name": row.batch.file_name,
            "row_number": row.row_number,
        },
        "dtr_number": source.dtr_number,
        "manual_journal": source.manual_journal.number if source.manual_journal else None,
        "reverses": source.reverses,
        "reversed_by": source.reversed_by,
        "reversal_waiting": source.reversal_waiting.number if source.reversal_waiting else None,
        **_lines(
            [
                {
                    "account": line.account.code,
                    "account_name": line.account.name,
                    "side": line.side,
                    "amount": str(journal.exactly(line.amount, line.currency)),
                    "currency": line.currency_id,
                    "fund": line.fund,
                }
                for line in journal.lines_of(entry)
            ]
        ),
        "metadata": entry.metadata,
        "created_at": timezone.localtime(entry.created_at),
        "created_by_name": entry.created_by.username,
    }


def _lines(lines: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Lines numbered from 1, and their totals per currency and fund."""
    totals: dict[tuple[str, str], dict[str, Decimal]] = {}
    for line in lines:
        amount = Decimal(line["amount"])
        both = totals.setdefault((line["currency"], line["fund"]), {"DR": amount * 0, "CR": amount * 0})
        both[line["side"]] += amount
    return {
        "lines": [{"line_number": number, **line} for number, line in enumerate(lines, 1)],
        "totals": [
            {"currency": currency, "fund": fund, "debits": str(both["DR"]), "credits": str(both["CR"])}
            for (currency, fund), both in totals.items()
        ],
    }


def _manual(number: str) -> ManualJournal:
    found = ManualJournal.objects.select_related("created_by", "decided_by").filter(number=number).first()
    if found is None:
        raise NotFound(kind="manual journal", key=number)
    return found
