"""The weekly reports over HTTP."""

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.errors import NotFound
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import by_key, paginate
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer

from ..models import DTR, DriverAccount, LedgerPosting
from ..selectors import dtrs
from ..services.voids import reverse_settlement
from . import queries, schemas


class DTRs(ApiView):
    permissions = {"GET": "ledger.view_dtr"}
    query_class = queries.DTRsQuery

    @extend_schema(tags=["ledger"], operation_id="list_dtrs", responses=schemas.DTRPage)
    def get(self, request: Request) -> Response:
        """List weekly reports, the newest first."""
        found = dtrs.filtered_dtrs(self.query)
        sorts = queries.DTRsQuery.sorts
        return Response(
            paginate(
                found,
                self.query,
                sorts,
                lambda ids: [_row(row) for row in by_key(ids, dtrs.rows_of_dtrs(ids), "id")],
            )
        )


class DTRDetail(ApiView):
    permissions = {"GET": "ledger.view_dtr"}

    @extend_schema(tags=["ledger"], operation_id="show_dtr", responses=schemas.DTRDetail)
    def get(self, request: Request, number: str) -> Response:
        """Show one weekly report with everything on it."""
        report = _report(number)
        (row,) = dtrs.rows_of_dtrs([report.pk])
        frozen_at = timezone.localtime(report.frozen_at)
        return Response({**_row(row), "frozen_at": frozen_at, "data": report.data, "trips": report.trips})


class DTRPdf(ApiView):
    permissions = {"GET": "ledger.view_dtr"}

    @extend_schema(
        tags=["ledger"],
        operation_id="print_dtr",
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, number: str) -> HttpResponse:
        """Print one weekly report."""
        from ..services.dtr_pdf import render_dtr_pdf  # loads Pango: only who prints needs it

        report = _report(number)
        answer = HttpResponse(render_dtr_pdf(report), content_type="application/pdf")
        answer.headers["Content-Disposition"] = f'inline; filename="{report.number}.pdf"'
        return answer


class ReverseSettlement(ApiView):
    permissions = {"POST": "ledger.reverse_settlement"}

    @extend_schema(
        tags=["ledger"],
        operation_id="reverse_settlement",
        parameters=[KEY_PARAMETER],
        request=schemas.ReversalRequest,
        responses={200: schemas.ReversalAnswer},
    )
    def post(self, request: Request, number: str) -> Response:
        """Reverse a weekly report's settlement: its earnings, taxes and unpaid payout; the trips go to the next run.

        A payout that was paid stands, and is owed back from then on.
        """
        body = self.body(schemas.ReversalRequest)

        def effect() -> Answer:
            report = _report(number)
            reversals = reverse_settlement(
                account=report.account, week=report.week, reason=body["reason"], actor=self.actor, on=today()
            )
            return Answer(200, _reversed(report, reversals))

        return once(request, body, effect)


def _report(number: str) -> DTR:
    report = DTR.objects.filter(number=number).first()
    if report is None:
        raise NotFound(kind="DTR", key=number)
    return report


def _reversed(report: DTR, reversals: list[LedgerPosting]) -> dict[str, Any]:
    account = DriverAccount.objects.get(pk=report.account_id)
    return {
        "message": f"The settlement of {report.number} is reversed. Its trips go to the next run.",
        "dtr_number": report.number,
        "week": report.week,
        "reversals": [
            {
                "category": reversal.category,
                "amount": reversal.amount,
                "original_posting_id": reversal.reversal_for_id,
                "reversal_posting_id": reversal.pk,
            }
            for reversal in reversals
        ],
        "balance_after": account.balance,
    }


def _row(row: Any) -> dict[str, Any]:
    """The row without its key, with the last day of its week."""
    shown = {name: value for name, value in row.items() if name != "id"}
    return {**shown, "week_end": row["week"] + timedelta(days=6)}
