"""The cashier's drawer over HTTP: what it should hold, its close, the closes; checks that bounced; decided credits."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.errors import NotFound
from batconnect.api.fields import AmountField, CountedAmountField, DateField, PositiveAmountField, TextField
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import PageQuery, Sorts, page_schema, paginate
from batconnect.api.views import ApiView, today
from batconnect.common.errors import BatConnectError
from batconnect.common.idempotency import Answer
from batconnect.common.models import User
from batconnect.common.money import ZERO

from ..models import CreditDecision, DrawerClose
from ..selectors.drawers import drawer_held, drawer_now
from ..services import drawers
from ..services.reasons import LONGEST_REASON
from . import schemas

_REASON = "Why, in 10 characters or more."


class NotYours(BatConnectError):
    code, status = "drawer.not_yours", 403
    message = "Your account may close its own drawer only."


class DrawerCheckRow(serializers.Serializer[Any]):
    payment = serializers.CharField(help_text="The receipt, INTPAY-…")
    number = serializers.CharField(help_text="The check's number.")
    amount = AmountField(help_text="Below zero: voided after it was banked.")
    driver = serializers.CharField()


class DrawerAnswer(serializers.Serializer[Any]):
    cashier = serializers.CharField()
    day = serializers.DateField()
    closed = serializers.BooleanField(help_text="The figures are then those of the next day's drawer.")
    last_close = serializers.CharField(help_text="Its number; empty before the first.")
    kept = AmountField(help_text="Cash left in at the last close.")
    expected_cash = AmountField()
    expected_checks = AmountField()
    checks = DrawerCheckRow(many=True)
    movements = serializers.DictField(help_text="Sums since the last close, by kind and medium.")


class DrawerCloseRow(serializers.Serializer[Any]):
    number = serializers.CharField()
    cashier = serializers.CharField()
    day = serializers.DateField()
    expected_cash = AmountField()
    expected_checks = AmountField()
    counted_cash = AmountField()
    counted_checks = AmountField()
    difference = AmountField(help_text="Counted less expected; below zero is short.")
    banked = AmountField()
    kept = AmountField()
    checks = serializers.ListField(child=serializers.DictField())
    reason = serializers.CharField()
    closed_by = serializers.CharField()
    closed_at = serializers.DateTimeField()


@extend_schema_serializer(component_name="DrawerCloseRequest")
class CloseRequest(serializers.Serializer[Any]):
    counted_cash = CountedAmountField()
    checks_present = serializers.ListField(
        child=TextField(max_length=20),
        max_length=1000,
        required=False,
        default=list,
        help_text="The receipts (INTPAY-…) whose checks are in the drawer.",
    )
    kept = CountedAmountField(
        required=False, default=ZERO, help_text="Cash that stays in as the next float; the rest is banked."
    )
    reason = TextField(
        max_length=LONGEST_REASON,
        required=False,
        allow_blank=True,
        default="",
        help_text="Needed when something is over, short or missing.",
    )
    cashier = TextField(
        max_length=150, required=False, default="", allow_blank=True, help_text="Empty: the own drawer."
    )


@extend_schema_serializer(component_name="DrawerFloatRequest")
class FloatRequest(serializers.Serializer[Any]):
    cashier = TextField(max_length=150, help_text="User name.")
    amount = PositiveAmountField()


class FloatAnswer(serializers.Serializer[Any]):
    number = serializers.CharField()
    cashier = serializers.CharField()
    amount = AmountField()
    expected_cash = AmountField(help_text="What the drawer should hold now.")


@extend_schema_serializer(component_name="CheckBouncedRequest")
class BouncedRequest(serializers.Serializer[Any]):
    reason = TextField(max_length=LONGEST_REASON, help_text=_REASON)


class ClosesQuery(PageQuery):
    sorts: Sorts = {"closed_at": "pk", "day": "day", "difference": "difference", "banked": "banked"}
    cashier = TextField(max_length=150, required=False, help_text="User name.")
    start_date = DateField(required=False)
    end_date = DateField(required=False)


class CreditRow(serializers.Serializer[Any]):
    number = serializers.CharField()
    kind = serializers.ChoiceField(choices=CreditDecision.Kind.choices)
    driver_id = serializers.IntegerField()
    driver_name = serializers.CharField()
    lease_id = serializers.IntegerField()
    lease_number = serializers.CharField()
    amount = AmountField()
    reason = serializers.CharField()
    method = serializers.CharField(help_text="Of a refund.")
    allocations = serializers.ListField(child=serializers.DictField())
    posting_id = serializers.UUIDField()
    status = serializers.CharField(help_text="POSTED or VOIDED.")
    asked_by = serializers.CharField()
    approved_by = serializers.CharField(help_text="Empty where one person was enough.")
    decided_on = serializers.DateField()
    case_no = serializers.CharField()


class CreditsQuery(PageQuery):
    sorts: Sorts = {"created_at": "pk", "decided_on": "decided_on", "amount": "amount"}
    kind = serializers.ChoiceField(choices=CreditDecision.Kind.choices, required=False)
    start_date = DateField(required=False)
    end_date = DateField(required=False)


class TodaysDrawer(ApiView):
    permissions = {"GET": "ledger.close_drawer"}

    @extend_schema(tags=["ledger"], operation_id="show_drawer", responses=DrawerAnswer)
    def get(self, request: Request) -> Response:
        """Show what the own drawer should hold now, and everything since its last close."""
        on = today()
        held, closed = drawer_now(self.actor.pk, on=on)
        return Response(
            {
                "cashier": self.actor.username,
                "day": on,
                "closed": closed,
                "last_close": held.last.number if held.last else "",
                "kept": str(held.kept),
                "expected_cash": str(held.cash),
                "expected_checks": str(held.in_checks),
                "checks": [
                    {
                        "payment": check.payment,
                        "number": check.number,
                        "amount": str(check.amount),
                        "driver": check.driver,
                    }
                    for check in held.checks
                ],
                "movements": {
                    f"{kind}:{medium}": str(amount) for (kind, medium), amount in sorted(held.sums.items())
                },
            }
        )


class Close(ApiView):
    permissions = {"POST": "ledger.close_drawer"}

    @extend_schema(
        tags=["ledger"],
        operation_id="close_drawer",
        parameters=[KEY_PARAMETER],
        request=CloseRequest,
        responses={201: DrawerCloseRow},
    )
    def post(self, request: Request) -> Response:
        """Close a drawer for today: what is over or short is booked, and the rest goes to the bank."""
        body = self.body(CloseRequest)
        cashier = self.actor
        if body["cashier"] not in ("", cashier.username):
            if not cashier.has_perm("ledger.close_other_drawer"):
                raise NotYours
            cashier = _user(body["cashier"])

        def effect() -> Answer:
            close = drawers.close_drawer(
                cashier=cashier,
                counted_cash=body["counted_cash"],
                checks_present=body["checks_present"],
                kept=body["kept"],
                reason=body["reason"],
                actor=self.actor,
                on=today(),
            )
            return Answer(201, _close_rows([close.pk])[0])

        return once(request, body, effect)


class Float(ApiView):
    permissions = {"POST": "ledger.fund_drawer"}

    @extend_schema(
        tags=["ledger"],
        operation_id="fund_drawer",
        parameters=[KEY_PARAMETER],
        request=FloatRequest,
        responses={201: FloatAnswer},
    )
    def post(self, request: Request) -> Response:
        """Put cash from the bank into a cashier's drawer."""
        body = self.body(FloatRequest)
        cashier = _user(body["cashier"])

        def effect() -> Answer:
            moved = drawers.fund_drawer(cashier=cashier, amount=body["amount"], actor=self.actor, on=today())
            held = drawer_held(cashier.pk, through=moved.day)
            return Answer(
                201,
                {
                    "number": moved.reference,
                    "cashier": cashier.username,
                    "amount": str(moved.amount),
                    "expected_cash": str(held.cash),
                },
            )

        return once(request, body, effect)


class Closes(ApiView):
    permissions = {"GET": "ledger.view_drawerclose"}
    query_class = ClosesQuery

    @extend_schema(
        tags=["ledger"],
        operation_id="list_drawer_closes",
        responses=page_schema(DrawerCloseRow, "DrawerClosePage"),
    )
    def get(self, request: Request) -> Response:
        """List the drawers that were closed, the newest first."""
        found = DrawerClose.objects.all()
        if "cashier" in self.query:
            found = found.filter(drawer__cashier__username=self.query["cashier"])
        found = _between(found, "day", self.query)
        return Response(paginate(found, self.query, ClosesQuery.sorts, _close_rows))


class CheckBounced(ApiView):
    permissions = {"POST": "ledger.bounce_check"}

    @extend_schema(
        tags=["ledger"],
        operation_id="bounce_check",
        parameters=[KEY_PARAMETER],
        request=BouncedRequest,
        responses={200: schemas.VoidAnswer},
    )
    def post(self, request: Request, payment_number: str) -> Response:
        """Record that a banked check came back: its payment is voided, and what it paid is owed again."""
        body = self.body(BouncedRequest)

        def effect() -> Answer:
            reversal = drawers.bounce_check(
                payment_number=payment_number, reason=body["reason"], actor=self.actor, on=today()
            )
            return Answer(
                200,
                {
                    "message": f"The check of {payment_number} bounced; its payment is voided.",
                    "original_posting_id": reversal.reversal_for_id,
                    "reversal_posting_id": reversal.pk,
                },
            )

        return once(request, body, effect)


class Credits(ApiView):
    permissions = {"GET": "ledger.view_creditdecision"}
    query_class = CreditsQuery

    @extend_schema(
        tags=["ledger"], operation_id="list_credits", responses=page_schema(CreditRow, "CreditPage")
    )
    def get(self, request: Request) -> Response:
        """List adjustments, write-offs and refunds, the newest first. They are made by cases (ADJ, WOFF, REFUND)."""
        found = CreditDecision.objects.all()
        if "kind" in self.query:
            found = found.filter(kind=self.query["kind"])
        found = _between(found, "decided_on", self.query)
        return Response(paginate(found, self.query, CreditsQuery.sorts, _credit_rows))


def _between(found: Any, column: str, query: Mapping[str, Any]) -> Any:
    if "start_date" in query:
        found = found.filter(**{f"{column}__gte": query["start_date"]})
    if "end_date" in query:
        found = found.filter(**{f"{column}__lte": query["end_date"]})
    return found


def _user(username: str) -> User:
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise NotFound(kind="user", key=username)
    return user


def _close_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    rows = DrawerClose.objects.select_related("drawer__cashier", "closed_by").in_bulk(ids)
    return [
        {
            "number": close.number,
            "cashier": close.drawer.cashier.username,
            "day": close.day,
            **{
                name: str(getattr(close, name))
                for name in (
                    "expected_cash",
                    "expected_checks",
                    "counted_cash",
                    "counted_checks",
                    "difference",
                    "banked",
                    "kept",
                )
            },
            "checks": close.checks,
            "reason": close.reason,
            "closed_by": close.closed_by.username,
            "closed_at": timezone.localtime(close.closed_at),
        }
        for close in (rows[key] for key in ids)
    ]


def _credit_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    rows = CreditDecision.objects.select_related(
        "account__driver", "account__lease", "posting", "asked_by", "approved_by"
    ).in_bulk(ids)
    return [
        {
            "number": row.number,
            "kind": row.kind,
            "driver_id": row.account.driver_id,
            "driver_name": row.account.driver.name,
            "lease_id": row.account.lease_id,
            "lease_number": row.account.lease.number,
            "amount": str(row.amount),
            "reason": row.reason,
            "method": row.method,
            "allocations": row.parts,
            "posting_id": row.posting_id,
            "status": row.posting.status,
            "asked_by": row.asked_by.username,
            "approved_by": row.approved_by.username if row.approved_by else "",
            "decided_on": row.decided_on,
            "case_no": row.case_no,
        }
        for row in (rows[key] for key in ids)
    ]
