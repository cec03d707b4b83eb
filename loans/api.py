"""Loans over HTTP: list, show with the schedule, draft, export, and an endpoint for each thing to do."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.fields import AmountField, BodyIdField, DateField, PositiveAmountField, TextField
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import PageQuery, Sorts, by_key, page_schema, paginate
from batconnect.api.routes import route
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer
from batconnect.exports import EXPORT_FORMATS, Column
from batconnect.exports import Kind as Shown
from ledger.models import OutgoingMethod
from repayments import api as shared
from repayments import reading
from repayments.models import Kind
from repayments.services.plans import find_plan

from . import services
from .acts import ACTS
from .models import DriverLoan, LoanMovement

_FIELDS = ("method", "method_reference", "purpose")
_PATHS = {"method": "method"}
_COLUMNS = (
    Column("number", "Loan", width=16),
    Column("starts_on", "Loan date", Shown.DATE, 12),
    Column("rate", "Rate %", Shown.MONEY, 8),
    *reading.COLUMNS,
    Column("forgiven", "Forgiven", Shown.MONEY, 12),
)


class RateField(PositiveAmountField):
    """Per cent a year: as money is written, and 0 is a rate too."""

    def to_internal_value(self, data: Any) -> Any:
        if data in ("0", "0.0", "0.00", 0) and not isinstance(data, bool):
            return services.NO_INTEREST
        return super().to_internal_value(data)


class LoanData(serializers.Serializer[Any]):
    """What is entered for a loan; also the data of the step DLN-001."""

    driver_id = BodyIdField()
    lease_id = BodyIdField()
    amount = PositiveAmountField(help_text="0.01 to 99,999.99")
    rate = RateField(help_text="Interest in per cent a year, 0.00 to 25.00.")
    loan_date = DateField(help_text="When the money is handed over; not ahead of today.")
    first_due_on = DateField(help_text="A Saturday.")
    method = serializers.ChoiceField(choices=OutgoingMethod.choices)
    method_reference = TextField(
        max_length=services.LONGEST_REFERENCE,
        required=False,
        allow_blank=True,
        default="",
        help_text="The check's number, or the ACH payment's reference.",
    )
    purpose = TextField(max_length=services.LONGEST_PURPOSE, required=False, allow_blank=True, default="")


class MovementRow(serializers.Serializer[Any]):
    movement = serializers.ChoiceField(choices=LoanMovement.Movement.choices)
    amount = AmountField()
    je_date = serializers.DateField()
    je_number = serializers.CharField(help_text="Its entry in the journal.")
    reason = serializers.CharField()
    approved_by = serializers.CharField(allow_null=True)


class LoanRow(shared.RepaymentRow):
    rate = AmountField(help_text="Interest in per cent a year.")
    forgiven = AmountField()
    method = serializers.ChoiceField(choices=OutgoingMethod.choices)
    method_reference = serializers.CharField()
    purpose = serializers.CharField()


class LoanAnswer(LoanRow):
    installments = shared.RepaymentInstallmentRow(many=True)
    movements = MovementRow(many=True)


class _Filters(shared.Filters):
    method = serializers.ChoiceField(choices=OutgoingMethod.choices, required=False)


class LoansQuery(_Filters, PageQuery):
    sorts: Sorts = shared.SORTS


class LoanExportQuery(_Filters):
    format = serializers.ChoiceField(choices=EXPORT_FORMATS, default="excel")


def shown(number: str) -> dict[str, Any]:
    """One loan with its installments and movements, as the API answers it. Raises UnknownRepayment."""
    plan = find_plan(kind=Kind.LOAN, number=number)
    (row,) = _rows([plan.repayment.pk])
    movements = LoanMovement.objects.filter(loan_id=plan.repayment.pk).select_related("approved_by")
    return {
        **row,
        "installments": reading.installments_of(plan),
        "movements": [
            {
                "movement": one.movement,
                "amount": str(one.amount),
                "je_date": one.je_date.isoformat(),
                "je_number": one.je_number,
                "reason": one.reason,
                "approved_by": one.approved_by and one.approved_by.username,
            }
            for one in movements
        ],
    }


class Loans(ApiView):
    permissions = {"GET": "loans.view_driverloan", "POST": "loans.add_driverloan"}
    query_class = LoansQuery

    @extend_schema(tags=["loans"], operation_id="list_loans", responses=page_schema(LoanRow, "LoanPage"))
    def get(self, request: Request) -> Response:
        """List loans, the newest first."""
        found = reading.filtered(DriverLoan, self.query, _PATHS)
        return Response(paginate(found, self.query, LoansQuery.sorts, _rows))

    @extend_schema(
        tags=["loans"],
        operation_id="create_loan",
        parameters=[KEY_PARAMETER],
        request=LoanData,
        responses={201: LoanAnswer},
    )
    def post(self, request: Request) -> Response:
        """Draft a loan with its schedule. Nothing moves before it is paid out."""
        body = self.body(LoanData)

        def effect() -> Answer:
            loan = services.create_loan(**body, actor=self.actor, on=today())
            return Answer(201, shown(loan.number))

        return once(request, body, effect)


class LoanDetail(ApiView):
    permissions = {"GET": "loans.view_driverloan"}

    @extend_schema(tags=["loans"], operation_id="show_loan", responses=LoanAnswer)
    def get(self, request: Request, repayment_no: str) -> Response:
        """Show a loan with every installment, and what the books say of it besides."""
        return Response(shown(repayment_no))


class LoanExport(ApiView):
    permissions = {"GET": "loans.export_driverloan"}
    query_class = LoanExportQuery

    @extend_schema(tags=["loans"], operation_id="export_loans", responses=shared.EXPORTED)
    def get(self, request: Request) -> HttpResponseBase:
        """Export the filtered list to a file, oldest first. PDF takes up to 5,000 rows."""
        return exported(
            {name: value for name, value in self.query.items() if name != "format"}, self.query["format"]
        )


def exported(filters: Mapping[str, Any], export_format: str) -> HttpResponseBase:
    """The filtered list as a file; the screen offers the same."""
    return shared.exported(
        title="Loans",
        model=DriverLoan,
        filters=filters,
        export_format=export_format,
        columns=_COLUMNS,
        paths=_PATHS,
        fields=_FIELDS,
        names={},
    )


def _rows(ids: Sequence[Any]) -> list[Mapping[str, Any]]:
    rows = by_key(ids, reading.rows_of(DriverLoan, ids, _FIELDS, {}), "id")
    return [{name: value for name, value in row.items() if name != "id"} for row in rows]


_BASE = "loans"
urlpatterns = [
    route(_BASE, Loans.as_view(), name="loans"),
    route(f"{_BASE}/export", LoanExport.as_view(), name="loan-export"),
    route(f"{_BASE}/<repayment_no:repayment_no>", LoanDetail.as_view(), name="loan"),
    *shared.act_routes(
        ACTS,
        base=_BASE,
        noun="loan",
        kind=Kind.LOAN,
        view_permission="loans.view_driverloan",
        answer=LoanAnswer,
        show=shown,
    ),
]
