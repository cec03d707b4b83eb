"""What the card processor sends: fetches of trips, and settlements beside the trips of their days."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from batconnect.api.idempotency import KEY_PARAMETER, once
from batconnect.api.pagination import by_key, paginate
from batconnect.api.views import ApiView, today
from batconnect.common.idempotency import Answer

from ..models import CurbFetch, CurbSettlement
from ..selectors.fetches import fetch_answer
from ..selectors.settlements import settlement_answers
from ..services import settlements
from ..services.curb_fetches import check_window
from ..tasks import start_fetch
from . import answers, schemas

TAG = ["card processor"]


class Fetches(ApiView):
    permissions = {"GET": "recon.view_curbfetch", "POST": "recon.fetch_curb"}
    query_class = schemas.FetchesQuery

    @extend_schema(tags=TAG, operation_id="list_curb_fetches", responses=schemas.FetchPage)
    def get(self, request: Request) -> Response:
        """List fetches of trips, the newest first, and how each went."""
        found = CurbFetch.objects.all()
        if "status" in self.query:
            found = found.filter(status=self.query["status"])

        def rows(keys: Any) -> list[Mapping[str, Any]]:
            some = CurbFetch.objects.filter(pk__in=keys).select_related("batch")
            return by_key(keys, [fetch_answer(fetch) for fetch in some], "fetch_id")

        return Response(paginate(found, self.query, schemas.FetchesQuery.sorts, rows))

    @extend_schema(
        tags=TAG,
        operation_id="fetch_curb",
        parameters=[KEY_PARAMETER],
        request=schemas.FetchRequest,
        responses={202: schemas.FetchStarted},
    )
    def post(self, request: Request) -> Response:
        """Fetch trips in the background. What was loaded before is ignored."""
        body = self.body(schemas.FetchRequest)
        begin, end = body.get("from"), body.get("to")

        def effect() -> Answer:
            check_window(now=timezone.now(), begin=begin, end=end)
            job = start_fetch(actor=self.actor, begin=begin, end=end)
            return Answer(202, {"message": "Trips are being fetched.", "job_id": str(job.pk)})

        return once(request, body, effect)


class Settlements(ApiView):
    permissions = {"GET": "recon.view_curbsettlement"}
    query_class = schemas.SettlementsQuery

    @extend_schema(tags=TAG, operation_id="list_card_settlements", responses=schemas.SettlementPage)
    def get(self, request: Request) -> Response:
        """List card settlements, each beside the trips of its day."""
        found: Any = CurbSettlement.objects.with_status()
        paths = {"source": "source__name", "status": "status", "trip_date": "trip_date"}
        found = found.filter(**{path: self.query[name] for name, path in paths.items() if name in self.query})

        def rows(keys: Any) -> list[Mapping[str, Any]]:
            return by_key(keys, settlement_answers(keys), "settlement_pk")

        return Response(paginate(found, self.query, schemas.SettlementsQuery.sorts, rows))


class _Decision(ApiView):
    permissions = {"POST": "recon.decide_settlement"}

    def decided(
        self, request: Request, settlement_pk: int, decide: Callable[..., CurbSettlement]
    ) -> Response:
        body = self.body(schemas.SettlementDecision)

        def effect() -> Answer:
            done = decide(settlement_id=settlement_pk, reason=body["reason"], actor=self.actor)
            return Answer(200, settlement_answers([done.pk])[0])

        return once(request, body, effect)


class Enter(_Decision):
    @extend_schema(
        tags=TAG,
        operation_id="enter_card_settlement",
        parameters=[KEY_PARAMETER],
        request=schemas.SettlementDecision,
        responses={200: schemas.SettlementRow},
    )
    def post(self, request: Request, settlement_pk: int) -> Response:
        """Enter a settlement that was held: it is money of its own."""
        return self.decided(request, settlement_pk, settlements.enter_held)


class Dismiss(_Decision):
    @extend_schema(
        tags=TAG,
        operation_id="dismiss_card_settlement",
        parameters=[KEY_PARAMETER],
        request=schemas.SettlementDecision,
        responses={200: schemas.SettlementRow},
    )
    def post(self, request: Request, settlement_pk: int) -> Response:
        """Dismiss a settlement that was held: the same money told twice."""
        return self.decided(request, settlement_pk, settlements.dismiss)


class TakeBack(_Decision):
    @extend_schema(
        tags=TAG,
        operation_id="take_back_card_settlement",
        parameters=[KEY_PARAMETER],
        request=schemas.SettlementDecision,
        responses={200: schemas.SettlementRow},
    )
    def post(self, request: Request, settlement_pk: int) -> Response:
        """Reverse the entry of a settlement that is not matched."""

        def take_back(**asked: Any) -> CurbSettlement:
            return settlements.take_back(**asked, on=today())

        return self.decided(request, settlement_pk, take_back)


class MatchDay(ApiView):
    permissions = {"POST": "recon.decide_settlement"}

    @extend_schema(
        tags=TAG,
        operation_id="match_card_settlement",
        parameters=[KEY_PARAMETER],
        request=schemas.SettlementDecision,
        responses={200: schemas.MatchAnswer},
    )
    def post(self, request: Request, settlement_pk: int) -> Response:
        """Match what is left of the day's trips with what is left of its settlements; the difference is kept."""
        body = self.body(schemas.SettlementDecision)

        def effect() -> Answer:
            match = settlements.match_day(
                settlement_id=settlement_pk, reason=body["reason"], actor=self.actor
            )
            return Answer(200, answers.match_answer(match))

        return once(request, body, effect)
