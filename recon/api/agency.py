"""Tolls (E-ZPass) and violations (PVB, TLC) over HTTP: load a file, list, look at one, decide."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.http import HttpRequest, QueryDict
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import by_key, paginate
from batconnect.api.schema import Error
from batconnect.api.uploads import limited, parts_of, was_too_large
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer
from ledger.selectors.journal import je_number
from ledger.services.batch_uploads import forget_upload, receive_upload, too_large

from ..agency_command import import_answer
from ..models import AgencyItem, AgencyKind, Payer
from ..models.agency import TICKETS
from ..selectors.agency import decisions_of, filtered_items, whole_item
from ..services.agency import deciding, revising
from ..services.agency.errors import UnknownItem
from ..services.agency.holding import is_pending_revision, why_not
from ..services.agency.importing import import_file
from . import agency_schemas as schemas

TAG = ["tolls and violations"]
LARGEST_FILE = 50 * 1024 * 1024
TOO_LARGE = OpenApiResponse(Error, description="The file is larger than 50 MB.")


def item_row(item: Any) -> dict[str, Any]:
    """An item with its decision's names, as `whole_item` and `item_rows` bring it."""
    last = item.decision
    account = last.account
    return {
        "item_id": item.pk,
        **{
            name: getattr(item, name)
            for name in (
                "kind", "nature", "number", "version", "plate", "plate_state", "tag", "occurred_at", "event_on",
                "place", "description", "amount", "paid", "due", "state", "score", "money",
            )
        },
        "reasons": last.reasons,
        "payer": last.payer,
        "decision_id": last.pk,
        "suggested_lease_id": last.suggested.lease_id if last.suggested else None,
        "lease_id": account.lease_id if account else None,
        "driver_id": account.driver_id if account else None,
        "driver_name": account.driver.name if account else None,
        "charged_amount": item.charged,
        "open_amount": item.open_amount,
        "posting_id": item.posting_now,
        "je_number": je_number(last.entry_id, last.entry_date) if last.entry_id else None,
    }  # fmt: skip


def item_rows(keys: Sequence[int]) -> list[Mapping[str, Any]]:
    rows = AgencyItem.objects.with_money().select_related("decision__account__driver", "decision__suggested")
    return by_key(keys, [item_row(item) for item in rows.filter(pk__in=keys)], "item_id")


def item_detail(item: Any) -> dict[str, Any]:
    possible = [
        action
        for action in schemas.ACTIONS
        if (is_pending_revision(item) if action == "revision" else not why_not(item, action))
    ]
    return {
        **item_row(item),
        "candidates": item.decision.candidates,
        "decisions": [
            {
                "decision_id": one.pk,
                "action": one.action,
                "state": one.state,
                "score": one.score,
                "reasons": one.reasons,
                "amount": one.amount,
                "posting_id": one.posting_id,
                "counterpart_id": one.counterpart_id,
                "counterpart_number": one.counterpart.number if one.counterpart else None,
                "decided_by": one.decided_by.username,
                "decided_at": one.decided_at,
            }
            for one in decisions_of(item)
        ],
        "raw": item.raw,
        "possible": possible,
    }


class _Kinds(ApiView):
    """Which items the endpoints are about."""

    kinds: ClassVar[Sequence[str]] = ()

    def found(self, item_id: int) -> AgencyItem:
        item = whole_item(item_id)
        if item is None or item.kind not in self.kinds:
            raise UnknownItem
        return item

    def listed(self, query_class: type[schemas._ItemsQuery]) -> Response:
        return Response(
            paginate(filtered_items(self.kinds, self.query), self.query, query_class.sorts, item_rows)
        )

    def decided(self, request: Request, item_id: int) -> Response:
        body = self.body(schemas.DecideRequest)

        def effect() -> Answer:
            self.found(item_id)
            self._carry_out(item_id, body)
            return Answer(200, item_detail(self.found(item_id)))

        return once(request, body, effect)

    def _carry_out(self, item_id: int, body: dict[str, Any]) -> None:
        payer = "" if body.get("payer") == Payer.UNKNOWN else body.get("payer", "")
        common: dict[str, Any] = {
            "item_id": item_id, "reason": body["reason"], "actor": self.actor, "on": today(), "seen": body.get("seen"),
        }  # fmt: skip
        action = body["action"]
        if action == "accept":
            seen = [body["seen"]] if "seen" in body else []
            deciding.accept(item_ids=[item_id], actor=self.actor, on=today(), payer=payer, seen=seen)
        elif action in ("assign", "reassign"):
            also = {"payer": payer} if action == "assign" else {}
            getattr(deciding, action)(**common, **also, lease_id=body["lease_id"])
        elif action == "reduce":
            deciding.reduce(**common, amount=body["amount"])
        elif action == "credit":
            deciding.give_credit(**common, toll_number=body["toll_number"])
        elif action == "fleet-cost":
            deciding.take_as_fleet_cost(**common, payer=payer)
        elif action == "revision":
            revising.accept_revision(**common, payer=payer)
        else:
            {"dispute": deciding.dispute, "dismiss": deciding.dismiss, "undo": deciding.undo}[action](
                **common
            )

    def accepted(self, request: Request) -> Response:
        body = self.body(schemas.AcceptManyRequest)
        ids = [one["item_id"] for one in body["items"]]

        def effect() -> Answer:
            if AgencyItem.objects.filter(pk__in=ids, kind__in=self.kinds).count() != len(set(ids)):
                raise UnknownItem
            seen = [one["seen"] for one in body["items"] if "seen" in one]
            payer = "" if body.get("payer") == Payer.UNKNOWN else body.get("payer", "")
            deciding.accept(item_ids=ids, actor=self.actor, on=today(), payer=payer, seen=seen)
            return Answer(200, {"accepted": len(set(ids)), "items": sorted(set(ids))})

        return once(request, body, effect)


class _Import(ApiView):
    permissions = {"POST": "recon.import_agencyfile"}
    parser_classes = [MultiPartParser]
    kind: ClassVar[str] = ""

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        # Before the log-in is checked, for which a form may be read.
        whole: Request = super().initialize_request(limited(request, LARGEST_FILE), *args, **kwargs)
        return whole

    def loaded(self, request: Request) -> Response:
        # A request without a body has no parts at all.
        parts = parts_of(request) if isinstance(request.data, QueryDict) else {}
        if was_too_large(request._request):
            raise too_large()
        file = self.checked(schemas.UploadRequest, parts)["file"]
        upload = receive_upload(chunks=file.chunks(), name=file.name)
        asked = {"name": upload.name, "size": upload.size, "sha256": upload.sha256}

        def effect() -> Answer:
            result = import_file(
                kind=self.kind, path=upload.path, actor=self.actor, on=today(), file_name=upload.name
            )
            return Answer(201, import_answer(result))

        try:
            return once(request, asked, effect)
        finally:
            forget_upload(upload.token)


class TollsImport(_Import):
    kind = AgencyKind.EZPASS

    @extend_schema(
        tags=TAG,
        operation_id="import_tolls",
        parameters=[KEY_PARAMETER],
        request={"multipart/form-data": schemas.UploadRequest},
        responses={201: schemas.ImportAnswer, 413: TOO_LARGE},
    )
    def post(self, request: Request) -> Response:
        """Load an E-ZPass statement: what is certain is charged at once, the rest waits for a person."""
        return self.loaded(request)


class ViolationsImport(_Import):
    kind = AgencyKind.PVB

    @extend_schema(
        tags=TAG,
        operation_id="import_violations",
        parameters=[KEY_PARAMETER],
        request={"multipart/form-data": schemas.UploadRequest},
        responses={201: schemas.ImportAnswer, 413: TOO_LARGE},
    )
    def post(self, request: Request) -> Response:
        """Load parking violations: what is certain is charged at once, the rest waits for a person."""
        return self.loaded(request)


class Tolls(_Kinds):
    permissions = {"GET": "recon.view_agencyitem"}
    query_class = schemas.TollsQuery
    kinds = (AgencyKind.EZPASS,)

    @extend_schema(tags=TAG, operation_id="list_tolls", responses=schemas.TollPage)
    def get(self, request: Request) -> Response:
        """List tolls, credits and tag fees, with how each stands."""
        return self.listed(schemas.TollsQuery)


class Violations(_Kinds):
    permissions = {"GET": "recon.view_agencyitem"}
    query_class = schemas.ViolationsQuery
    kinds = TICKETS

    @extend_schema(tags=TAG, operation_id="list_violations", responses=schemas.ViolationPage)
    def get(self, request: Request) -> Response:
        """List parking violations and TLC summonses, with how each stands."""
        return self.listed(schemas.ViolationsQuery)


class TollPage(_Kinds):
    permissions = {"GET": "recon.view_agencyitem"}
    kinds = (AgencyKind.EZPASS,)

    @extend_schema(tags=TAG, operation_id="show_toll", responses=schemas.ItemDetail)
    def get(self, request: Request, item_id: int) -> Response:
        """Show one beside the trips it may have been made on, with its history and what may be decided."""
        return Response(item_detail(self.found(item_id)))


class ViolationPage(_Kinds):
    permissions = {"GET": "recon.view_agencyitem"}
    kinds = TICKETS

    @extend_schema(tags=TAG, operation_id="show_violation", responses=schemas.ItemDetail)
    def get(self, request: Request, item_id: int) -> Response:
        """Show one beside the trips it may have been written on, with its history and what may be decided."""
        return Response(item_detail(self.found(item_id)))


class TollDecide(_Kinds):
    permissions = {"POST": "recon.decide_agencyitem"}
    kinds = (AgencyKind.EZPASS,)

    @extend_schema(
        tags=TAG,
        operation_id="decide_toll",
        parameters=[KEY_PARAMETER],
        request=schemas.DecideRequest,
        responses={200: schemas.ItemDetail},
    )
    def post(self, request: Request, item_id: int) -> Response:
        """Decide about a toll: accept, assign, reassign, reduce, dispute, dismiss, fleet cost, credit, undo."""
        return self.decided(request, item_id)


class ViolationDecide(_Kinds):
    permissions = {"POST": "recon.decide_agencyitem"}
    kinds = TICKETS

    @extend_schema(
        tags=TAG,
        operation_id="decide_violation",
        parameters=[KEY_PARAMETER],
        request=schemas.DecideRequest,
        responses={200: schemas.ItemDetail},
    )
    def post(self, request: Request, item_id: int) -> Response:
        """Decide about a ticket; where something was paid already, `payer` says by whom."""
        return self.decided(request, item_id)


class TollsAccept(_Kinds):
    permissions = {"POST": "recon.decide_agencyitem"}
    kinds = (AgencyKind.EZPASS,)

    @extend_schema(
        tags=TAG,
        operation_id="accept_tolls",
        parameters=[KEY_PARAMETER],
        request=schemas.AcceptManyRequest,
        responses={200: schemas.AcceptedAnswer},
    )
    def post(self, request: Request) -> Response:
        """Charge several tolls to whom they are suggested: all, or none."""
        return self.accepted(request)


class ViolationsAccept(_Kinds):
    permissions = {"POST": "recon.decide_agencyitem"}
    kinds = TICKETS

    @extend_schema(
        tags=TAG,
        operation_id="accept_violations",
        parameters=[KEY_PARAMETER],
        request=schemas.AcceptManyRequest,
        responses={200: schemas.AcceptedAnswer},
    )
    def post(self, request: Request) -> Response:
        """Charge several tickets to whom they are suggested: all, or none."""
        return self.accepted(request)
