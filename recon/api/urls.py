"""Routes of reconciliation."""

from datetime import date

from django.urls import register_converter
from django.urls.converters import StringConverter

from batconnect.api.routes import route

from . import agency, curb, exceptions, runs


class Day(StringConverter):
    """A date as 2025-07-13; another text is no address."""

    regex = "[0-9]{4}-[0-9]{2}-[0-9]{2}"

    def to_python(self, value: str) -> date:  # type: ignore[override]
        return date.fromisoformat(value)

    def to_url(self, value: object) -> str:
        return str(value)


class SourceName(StringConverter):
    regex = "[a-z0-9][a-z0-9_.-]{0,39}"


register_converter(Day, "day")
register_converter(SourceName, "recon_source")

_ONE = "recon/exceptions/<id:log_id>"
_SETTLEMENT = "recon/curb/settlements/<id:settlement_pk>"
urlpatterns = [
    route("recon/run", runs.Run.as_view(), name="recon-run"),
    route("recon/status/<day:on>", runs.Status.as_view(), name="recon-status"),
    route("recon/logs", runs.Logs.as_view(), name="recon-logs"),
    route("recon/summary/<day:on>", runs.DaySummary.as_view(), name="recon-day"),
    route("recon/summary/<day:on>/<recon_source:source>", runs.SourceSummary.as_view(), name="recon-summary"),
    route("recon/exceptions", exceptions.Exceptions.as_view(), name="recon-exceptions"),
    route("recon/exceptions/match", exceptions.MatchByHand.as_view(), name="recon-match"),
    route("recon/exceptions/undo", exceptions.Undo.as_view(), name="recon-undo"),
    route(_ONE, exceptions.ExceptionPage.as_view(), name="recon-exception"),
    route(f"{_ONE}/accept", exceptions.Accept.as_view(), name="recon-accept"),
    route(f"{_ONE}/reject", exceptions.Reject.as_view(), name="recon-reject"),
    route(f"{_ONE}/write-off", exceptions.WriteOff.as_view(), name="recon-write-off"),
    route("recon/curb/fetches", curb.Fetches.as_view(), name="curb-fetches"),
    route("recon/curb/settlements", curb.Settlements.as_view(), name="curb-settlements"),
    route(f"{_SETTLEMENT}/enter", curb.Enter.as_view(), name="curb-settlement-enter"),
    route(f"{_SETTLEMENT}/dismiss", curb.Dismiss.as_view(), name="curb-settlement-dismiss"),
    route(f"{_SETTLEMENT}/take-back", curb.TakeBack.as_view(), name="curb-settlement-take-back"),
    route(f"{_SETTLEMENT}/match", curb.MatchDay.as_view(), name="curb-settlement-match"),
    route(f"{_ONE}/comment", exceptions.Comment.as_view(), name="recon-comment"),
    route("recon/tolls", agency.Tolls.as_view(), name="recon-tolls"),
    route("recon/tolls/import", agency.TollsImport.as_view(), name="recon-tolls-import"),
    route("recon/tolls/accept", agency.TollsAccept.as_view(), name="recon-tolls-accept"),
    route("recon/tolls/<id:item_id>", agency.TollPage.as_view(), name="recon-toll"),
    route("recon/tolls/<id:item_id>/decide", agency.TollDecide.as_view(), name="recon-toll-decide"),
    route("recon/violations", agency.Violations.as_view(), name="recon-violations"),
    route("recon/violations/import", agency.ViolationsImport.as_view(), name="recon-violations-import"),
    route("recon/violations/accept", agency.ViolationsAccept.as_view(), name="recon-violations-accept"),
    route("recon/violations/<id:item_id>", agency.ViolationPage.as_view(), name="recon-violation"),
    route(
        "recon/violations/<id:item_id>/decide",
        agency.ViolationDecide.as_view(),
        name="recon-violation-decide",
    ),
]
