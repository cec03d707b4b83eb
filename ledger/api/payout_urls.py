"""Paths of paying drivers, as clients know them: `/payments/…`."""

from django.urls import register_converter
from django.urls.converters import StringConverter

from batconnect.api.routes import route

from . import payout_batches as batches
from . import payout_methods as methods
from . import payout_papers as papers
from . import payout_returns as returns


class BatchNumber(StringConverter):
    regex = "[0-9]{4}-[0-9]{3,4}"


class CashReceiptNumber(StringConverter):
    regex = "CASHPAY-[0-9]{4}-[0-9]{5,10}"


register_converter(BatchNumber, "batch_number")
register_converter(CashReceiptNumber, "cash_receipt")

_BATCH = "payments/batches/<batch_number:batch_number>"
_CHECK = "payments/checks/<id:check_number>"
_METHOD = "payments/methods/<uuid:instruction_id>"
_RETURN = "payments/returns/<id:return_id>"
_STEPS = {
    "approve": batches.Approve,
    "file": batches.File,
    "sent": batches.Sent,
    "settled": batches.Settled,
    "reverse": batches.Reverse,
    "take-out": batches.TakeOut,
}

urlpatterns = [
    route("payments/pay-list", batches.PayList.as_view(), name="pay-list"),
    route("payments/holds", batches.Holds.as_view(), name="payout-holds"),
    route("payments/holds/release", batches.Release.as_view(), name="payout-release"),
    route("payments/batches", batches.Batches.as_view(), name="payout-batches"),
    route(_BATCH, batches.BatchDetail.as_view(), name="payout-batch"),
    *(
        route(f"{_BATCH}/{name}", view.as_view(), name=f"payout-batch-{name}")
        for name, view in _STEPS.items()
    ),
    route("payments/drivers/<id:driver_id>/methods", methods.Methods.as_view(), name="payout-methods"),
    route(
        "payments/drivers/<id:driver_id>/method",
        methods.RequestMethod.as_view(),
        name="payout-method-request",
    ),
    route(f"{_METHOD}/approve", methods.ApproveMethod.as_view(), name="payout-method-approve"),
    route(f"{_METHOD}/reject", methods.RejectMethod.as_view(), name="payout-method-reject"),
    route("payments/checks", papers.Checks.as_view(), name="payout-checks"),
    route(f"{_CHECK}/pdf", papers.CheckPdf.as_view(), name="payout-check-pdf"),
    route(f"{_CHECK}/void", papers.VoidCheck.as_view(), name="payout-check-void"),
    route(f"{_CHECK}/reissue", papers.ReissueCheck.as_view(), name="payout-check-reissue"),
    route(f"{_CHECK}/cleared", papers.ClearCheck.as_view(), name="payout-check-cleared"),
    route("payments/checkbooks", papers.Checkbooks.as_view(), name="payout-checkbooks"),
    route("payments/cash", papers.Cash.as_view(), name="payout-cash"),
    route(
        "payments/cash/<cash_receipt:receipt_number>/pdf", papers.CashPdf.as_view(), name="payout-cash-pdf"
    ),
    route("payments/returns", returns.Returns.as_view(), name="payout-returns"),
    route("payments/returns/files", returns.ReturnFiles.as_view(), name="payout-return-files"),
    route(f"{_RETURN}/apply", returns.ApplyReturn.as_view(), name="payout-return-apply"),
    route(f"{_RETURN}/handle", returns.HandleReturn.as_view(), name="payout-return-handle"),
]
