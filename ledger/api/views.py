"""The ledger's endpoints over postings, balances and payments."""

from typing import Any
from uuid import UUID

from django.apps import apps
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.errors import NotFound
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import bounded_time, by_key, page_bounds, page_of, paginate
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer

from ..models import DriverAccount, InterimPayment
from ..selectors import aging, balances, postings
from ..services.accounts import open_account
from ..services.payments import apply_interim_payment
from ..services.void_approval import check_alone
from ..services.voids import void_posting
from . import queries, schemas, stubs


class Postings(ApiView):
    permissions = {"GET": "ledger.view_ledgerposting"}
    query_class = queries.PostingsQuery

    @extend_schema(tags=["ledger"], operation_id="list_postings", responses=schemas.PostingPage)
    def get(self, request: Request) -> Response:
        """List postings, the newest first."""
        if self.query.get("use_stubs"):
            return Response(stubs.postings_page(self.query))
        found = postings.filtered_postings(self.query)
        return Response(
            paginate(
                found,
                self.query,
                queries.POSTING_SORTS,
                lambda ids: by_key(ids, postings.rows_of_postings(ids), "posting_id"),
            )
        )


class Balances(ApiView):
    permissions = {"GET": "ledger.view_ledgerbalance"}
    query_class = queries.BalancesQuery

    @extend_schema(tags=["ledger"], operation_id="list_balances", responses=schemas.BalancePage)
    def get(self, request: Request) -> Response:
        """List open items (the balance of each posting), the newest first."""
        if self.query.get("use_stubs"):
            return Response(stubs.balances_page(self.query))
        found = balances.filtered_balances(self.query)
        return Response(
            paginate(
                found,
                self.query,
                queries.BALANCE_SORTS,
                lambda ids: by_key(ids, balances.rows_of_balances(ids), "posting_id"),
            )
        )


class Void(ApiView):
    permissions = {"POST": "ledger.void_posting"}

    @extend_schema(
        tags=["ledger"],
        operation_id="void_posting",
        parameters=[KEY_PARAMETER],
        request=schemas.VoidRequest,
        responses={200: schemas.VoidAnswer},
    )
    def post(self, request: Request, posting_id: UUID) -> Response:
        """Void a posting: a reversal is posted today, and what it was allocated to is undone.

        A large one is refused with `void.needs_approval`: it takes a VOID case and two people.
        """
        body = self.body(schemas.VoidRequest)

        def effect() -> Answer:
            check_alone(posting_id)
            reversal = void_posting(
                posting_id=posting_id, reason=body["reason"], actor=self.actor, on=today()
            )
            return Answer(
                200,
                {
                    "message": f"{reversal.get_category_display()} {reversal.reference_id} is voided.",
                    "original_posting_id": posting_id,
                    "reversal_posting_id": reversal.pk,
                },
            )

        return once(request, body, effect)


class Payments(ApiView):
    permissions = {"POST": "ledger.take_payment"}

    @extend_schema(
        tags=["ledger"],
        operation_id="take_interim_payment",
        parameters=[KEY_PARAMETER],
        request=schemas.InterimPaymentRequest,
        responses={201: schemas.Receipt},
    )
    def post(self, request: Request) -> Response:
        """Take a payment at the desk, and put it where the cashier says."""
        body = self.body(schemas.InterimPaymentRequest)

        def effect() -> Answer:
            payment = apply_interim_payment(
                account=_account(body["driver_id"], body["lease_id"]),
                amount=body["total_payment_amount"],
                allocations=body["allocations"],
                method=body["payment_method"],
                method_reference=body["method_reference"],
                actor=self.actor,
                on=today(),
            )
            return Answer(201, _receipt(payment))

        return once(request, body, effect)


class DriverBalance(ApiView):
    permissions = {"GET": "ledger.view_ledgerbalance"}
    query_class = queries.AsOfQuery

    @extend_schema(tags=["ledger"], operation_id="driver_balance", responses=schemas.DriverBalance)
    def get(self, request: Request, driver_id: int) -> Response:
        """Show what one driver owes and has in hand, by lease and category, now or as of a day."""
        driver = apps.get_model("leases", "Driver").objects.filter(pk=driver_id).values("name").first()
        if driver is None:
            raise NotFound(kind="driver", key=driver_id)
        as_of = self.query.get("as_of")
        return Response(
            {
                "driver_id": driver_id,
                "driver_name": driver["name"],
                "as_of": as_of,
                **balances.driver_balance(driver_id=driver_id, as_of=as_of),
            }
        )


class Aging(ApiView):
    permissions = {"GET": "ledger.view_ledgerbalance"}
    query_class = queries.AgingQuery

    @extend_schema(tags=["ledger"], operation_id="aging", responses=schemas.AgingPage)
    def get(self, request: Request) -> Response:
        """Age receivables: everyone's open debits by days past due, open credits in a column of their own."""
        start, end = page_bounds(self.query)
        as_of = self.query.get("as_of")
        with bounded_time(30_000):  # it reads every open item
            count, totals, rows = aging.aging(
                today=today(),
                as_of=as_of,
                sort_by=self.query["sort_by"],
                descending=self.query["sort_order"] == "desc",
                offset=start,
                limit=end - start,
            )
        page = page_of(rows, self.query, count)
        return Response({"as_of": as_of or today(), "totals": totals, **page})


def _account(driver_id: int, lease_id: int) -> DriverAccount:
    account = DriverAccount.objects.filter(driver_id=driver_id, lease_id=lease_id).first()
    if account is not None:
        return account
    if not apps.get_model("leases", "Lease").objects.filter(pk=lease_id, driver_id=driver_id).exists():
        raise NotFound(kind="lease of that driver:", key=lease_id)
    return open_account(driver_id=driver_id, lease_id=lease_id)


def _receipt(payment: InterimPayment) -> dict[str, Any]:
    account = DriverAccount.objects.get(pk=payment.account_id)
    open_credit = balances.open_amount(payment.posting_id)
    return {
        "receipt_number": payment.number,
        "posting_id": payment.posting_id,
        "driver_id": account.driver_id,
        "lease_id": account.lease_id,
        "payment_method": payment.method,
        "method_reference": payment.method_reference,
        "total_payment_amount": payment.amount,
        "received_on": payment.received_on,
        "allocations": payment.allocations,
        "unallocated_amount": -open_credit,
        "balance_after": account.balance,
    }
