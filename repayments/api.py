"""What the endpoints of repairs and loans share: rows, filters, and an endpoint for each thing to do."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.http.response import HttpResponseBase
from django.urls import URLPattern, register_converter
from django.urls.converters import StringConverter
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.fields import AmountField, DateField, IdField, TextField
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import bounded_time
from batconnect.api.routes import route
from batconnect.api.schema import Error
from batconnect.api.views import ApiView, Query, today
from batconnect.common.idempotency import Answer
from batconnect.exports import Column, ExporterFactory, Table
from batconnect.exports.download import as_download
from ledger.models import InstallmentStatus

from . import reading
from .acts import Act
from .models import Because, Kind, Repayment, Status
from .services.plans import find_plan

EXPORTED = {
    (200, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"): OpenApiTypes.BINARY,
    (200, "text/csv"): OpenApiTypes.BINARY,
    (200, "application/pdf"): OpenApiTypes.BINARY,
}
NOT_NOW = "Nothing of it can be paid off now."
SORTS = {
    "created_at": "pk",
    "amount": "amount",
    "starts_on": "starts_on",
    "driver_name": "driver__name",
    "number": "number",
}


class RepaymentNumber(StringConverter):
    regex = "(?:RPR|DLN)-[0-9]{4}-[0-9]{5,10}"


register_converter(RepaymentNumber, "repayment_no")


class PlannedRow(serializers.Serializer[Any]):
    due_on = serializers.DateField(help_text="A Saturday.")
    principal = AmountField()
    interest = AmountField()
    amount = AmountField(help_text="Principal and interest.")
    left = AmountField(help_text="The principal that is owed after it.")


class ChargeRow(PlannedRow):
    reference_id = serializers.CharField(help_text="Empty for one that is only made when it is carried out.")


class RepaymentInstallmentRow(PlannedRow):
    position = serializers.IntegerField()
    reference_id = serializers.CharField()
    status = serializers.ChoiceField(choices=InstallmentStatus.choices, help_text="Follows the ledger.")
    charged = AmountField(help_text="As it stands after corrections.")
    open_amount = AmountField(help_text="What of it is still owed.")
    posting_id = serializers.UUIDField(allow_null=True, help_text="Its latest posting.")
    cancelled_because = serializers.ChoiceField(choices=Because.choices, allow_blank=True)


class RepaymentRow(serializers.Serializer[Any]):
    number = serializers.CharField()
    driver_id = serializers.IntegerField()
    driver_name = serializers.CharField()
    tlc_license = serializers.CharField()
    lease_id = serializers.IntegerField()
    lease_number = serializers.CharField()
    medallion_no = serializers.CharField()
    amount = AmountField()
    billed = AmountField(help_text="What the driver repays: all of it, or 0.00.")
    starts_on = serializers.DateField(help_text="The invoice date, or the loan date.")
    weekly_principal = AmountField()
    status = serializers.ChoiceField(choices=Status.choices, help_text="Follows the ledger.")
    state_reason = serializers.CharField(help_text="Why it is on hold or cancelled.")
    scheduled = AmountField(help_text="Principal not posted yet.")
    posted = AmountField(help_text="Principal that is posted, corrections counted.")
    adrift = AmountField(help_text="Principal of voided installments, charged no more and not forgiven.")
    open_amount = AmountField(help_text="What of it the driver owes now.")
    next_due_on = serializers.DateField(allow_null=True)
    case_no = serializers.CharField()
    created_by_name = serializers.CharField()
    created_at = serializers.DateTimeField()


class EffectAnswer(serializers.Serializer[Any]):
    number = serializers.CharField()
    status = serializers.ChoiceField(choices=Status.choices)
    charged_at_once = AmountField()
    charges = ChargeRow(many=True)
    cancels = serializers.ListField(
        child=serializers.CharField(), help_text="Installments that are cancelled."
    )
    schedules = ChargeRow(many=True, help_text="Installments that are made instead.")


class Filters(Query):
    driver_name = TextField(max_length=120, required=False, help_text="A part of the name, in any case.")
    driver_id = IdField(required=False)
    tlc_license = TextField(max_length=20, required=False)
    lease_id = IdField(required=False)
    medallion_no = TextField(max_length=10, required=False, help_text="Whole, in any case.")
    status = serializers.ChoiceField(choices=Status.choices, required=False)
    start_date = DateField(required=False, help_text="First date of the invoice or loan, included.")
    end_date = DateField(required=False, help_text="Last date of the invoice or loan, included.")
    case_no = TextField(max_length=20, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "start_date" in attrs and "end_date" in attrs and attrs["start_date"] > attrs["end_date"]:
            raise serializers.ValidationError({"end_date": ["This is before start_date."]})
        return attrs


def exported(
    *,
    title: str,
    model: type[Repayment],
    filters: Mapping[str, Any],
    export_format: str,
    columns: Sequence[Column],
    paths: Mapping[str, str],
    fields: Sequence[str],
    names: Mapping[str, Any],
) -> HttpResponseBase:
    """A filtered list as a file, oldest first."""
    exporter = ExporterFactory.get(export_format)
    found = reading.filtered(model, filters, paths)
    if exporter.most_rows is not None:
        with bounded_time(60_000):
            exporter.check_size(found[: exporter.most_rows + 1].count())
    notes = [f"As of {today()}", *(f"{name}: {value}" for name, value in filters.items())]
    table = Table(title, columns, reading.stream(found, fields, names), notes)
    return as_download(table, export_format, f"{title.lower().replace(' ', '-')}-{today()}")


Show = Callable[[str], Mapping[str, Any]]


def act_routes(
    acts: Sequence[Act],
    *,
    base: str,
    noun: str,
    kind: Kind,
    view_permission: str,
    answer: type[serializers.Serializer[Any]],
    show: Show,
) -> list[URLPattern]:
    """An endpoint for each act: `POST /repairs/{number}/hold`; for the payoff, GET says what it would do."""
    views = [
        (act, _act_view(act, base=base, noun=noun, kind=kind, view=view_permission, answer=answer, show=show))
        for act in acts
    ]
    return [
        route(f"{base}/<repayment_no:repayment_no>/{act.name}", view.as_view(), name=f"{noun}-{act.name}")
        for act, view in views
    ]


def _act_view(
    act: Act,
    *,
    base: str,
    noun: str,
    kind: Kind,
    view: str,
    answer: type[serializers.Serializer[Any]],
    show: Show,
) -> type[ApiView]:
    name = act.name.replace("-", "_")

    class ActView(ApiView):
        permissions = {"POST": act.permission}

        @extend_schema(
            tags=[base],
            parameters=[KEY_PARAMETER],
            responses={200: answer},
            operation_id=f"{name}_{noun}",
            description=act.about,
            request=act.fields if act.fields().fields else None,
        )
        def post(self, request: Request, repayment_no: str) -> Response:
            body = self.body(act.fields)

            def effect() -> Answer:
                act.carry_out(repayment_no, body, self.actor, today())
                return Answer(200, show(repayment_no))

            return once(request, body, effect)

    if act.name != "payoff":
        return ActView

    class PayoffView(ActView):
        permissions = {**ActView.permissions, "GET": view}

        @extend_schema(
            tags=[base],
            operation_id=f"preview_payoff_{noun}",
            description="Say what a payoff today would charge and cancel; changes nothing.",
            responses={200: EffectAnswer, 409: OpenApiResponse(Error, description=NOT_NOW)},
        )
        def get(self, request: Request, repayment_no: str) -> Response:
            plan = find_plan(kind=kind, number=repayment_no)
            return Response(reading.effect_of(plan, act.decide(plan, {}, today())))

    return PayoffView
