"""Paths of the ledger, as clients know them."""

from django.urls import register_converter
from django.urls.converters import StringConverter

from batconnect.api.routes import route

from . import dtrs, exports, views


class DTRNumber(StringConverter):
    regex = "[A-Z]{2,12}-[0-9]{4}-[0-9]{5,10}"


register_converter(DTRNumber, "dtr_number")

urlpatterns = [
    route("postings", views.Postings.as_view(), name="ledger-postings"),
    route("postings/<uuid:posting_id>/void", views.Void.as_view(), name="ledger-void"),
    route("balances", views.Balances.as_view(), name="ledger-balances"),
    route("export", exports.Export.as_view(), name="ledger-export"),
    route("interim-payment", views.Payments.as_view(), name="ledger-interim-payment"),
    route("drivers/<id:driver_id>/balance", views.DriverBalance.as_view(), name="ledger-driver-balance"),
    route("aging", views.Aging.as_view(), name="ledger-aging"),
    route("dtrs", dtrs.DTRs.as_view(), name="ledger-dtrs"),
    route("dtrs/<dtr_number:number>", dtrs.DTRDetail.as_view(), name="ledger-dtr"),
    route("dtrs/<dtr_number:number>/pdf", dtrs.DTRPdf.as_view(), name="ledger-dtr-pdf"),
]
