"""Accounts that clients open, transfers between them, and the lines that moved them."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.errors import NotFound
from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import bounded_time
from batconnect.api.schema import Error
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer

from ..models import Account
from ..selectors import client_accounts
from ..services.chart import open_account
from ..services.transfers import parse_amount, transfer
from . import account_schemas as schemas


class Accounts(ApiView):
    permissions = {"POST": "ledger.open_account"}

    @extend_schema(
        tags=["accounts"],
        operation_id="open_account",
        parameters=[KEY_PARAMETER],
        request=schemas.NewAccountRequest,
        responses={201: schemas.AccountAnswer},
    )
    def post(self, request: Request) -> Response:
        """Open an account: a user's or a merchant's, which cannot be overdrawn, or one of the house."""
        body = self.body(schemas.NewAccountRequest)

        def effect() -> Answer:
            account = open_account(
                kind=body["type"],
                currency=body["currency"],
                metadata=body.get("metadata"),
                actor=self.actor,
            )
            return Answer(201, _account_row(account))

        return once(request, body, effect)


class AccountDetail(ApiView):
    permissions = {"GET": "ledger.view_account"}

    @extend_schema(tags=["accounts"], operation_id="show_account", responses=schemas.AccountAnswer)
    def get(self, request: Request, account_id: UUID) -> Response:
        """Show an account and its rules."""
        return Response(_account_row(_account(account_id)))


class AccountBalance(ApiView):
    permissions = {"GET": "ledger.view_account"}
    query_class = schemas.AccountBalanceQuery

    @extend_schema(tags=["accounts"], operation_id="account_balance", responses=schemas.BalanceAnswer)
    def get(self, request: Request, account_id: UUID) -> Response:
        """Show what an account has, now, at the end of a day, or at a moment."""
        account = _account(account_id)
        as_of = self.query.get("as_of")
        with client_accounts.one_moment(), bounded_time():
            balance = client_accounts.balance_of(account, as_of=as_of)
        return Response(
            {
                "account_id": account.uid,
                "code": account.code,
                "currency": account.currency_id,
                "balance": balance,
                "as_of": request.query_params.get("as_of"),
            }
        )


class Transfers(ApiView):
    permissions = {"POST": "ledger.open_account"}

    @extend_schema(
        tags=["accounts"],
        operation_id="transfer",
        parameters=[KEY_PARAMETER],
        request=schemas.TransferRequest,
        responses={201: schemas.TransferAnswer},
    )
    def post(self, request: Request) -> Response:
        """Move an amount from one account to another: an entry of two lines, dated today."""
        body = self.body(schemas.TransferRequest)
        amount = parse_amount(body["amount"])

        def effect() -> Answer:
            made = transfer(
                source=body["source_account_id"],
                destination=body["destination_account_id"],
                amount=amount,
                currency=body["currency"],
                metadata=body.get("metadata"),
                actor=self.actor,
                on=today(),
            )
            return Answer(
                201,
                {
                    "je_number": made.je_number,
                    "je_date": made.je_date,
                    "source_account_id": body["source_account_id"],
                    "destination_account_id": body["destination_account_id"],
                    "amount": _text(made.amount),
                    "currency": body["currency"],
                    "metadata": body.get("metadata", {}),
                    "source_balance": _text(made.source_balance),
                    "destination_balance": _text(made.destination_balance),
                },
            )

        return once(request, body, effect)


class Events(ApiView):
    permissions = {"GET": "ledger.view_account"}
    query_class = schemas.EventsQuery

    @extend_schema(
        tags=["accounts"],
        operation_id="list_events",
        responses={200: schemas.EventPage, 404: Error},
    )
    def get(self, request: Request) -> Response:
        """List an account's journal lines, the newest first, each with the balance after it."""
        account = _account(self.query["account_id"])
        with client_accounts.one_moment(), bounded_time():
            found = client_accounts.events_of(
                account, limit=self.query["limit"], cursor=self.query.get("cursor")
            )
        return Response(
            {
                "items": [_event_row(row, account) for row in found.items],
                "next_cursor": found.next_cursor,
            }
        )


def _account(uid: UUID) -> Account:
    account = Account.objects.select_related("currency", "kind").filter(uid=uid).first()
    if account is None:
        raise NotFound(kind="account", key=uid)
    return account


def _account_row(account: Account) -> dict[str, Any]:
    unit = Decimal(1).scaleb(-account.currency.exponent)
    limits = {
        "overdraft_limit": account.overdraft_limit,
        "transfer_limit": account.kind.transfer_limit if account.kind else None,
    }
    return {
        "account_id": account.uid,
        "code": account.code,
        "name": account.name,
        "type": account.kind_id and account.kind_id.lower(),
        "account_type": account.type,
        "currency": account.currency_id,
        "active": account.active,
        **{name: None if limit is None else str(limit.quantize(unit)) for name, limit in limits.items()},
        "metadata": account.metadata,
        "created_at": account.created_at,
    }


def _event_row(row: dict[str, Any], account: Account) -> dict[str, Any]:
    told = {name: value for name, value in row.items() if name != "entry_id"}
    return {**told, "currency": account.currency_id}


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
