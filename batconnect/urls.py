"""Every address of the site. API routes take an optional trailing slash; whatever is left answers 404 in JSON."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from batconnect.api import errors
from batconnect.api.routes import urlpatterns as shared_routes
from batconnect.cases.api import urlpatterns as case_routes
from leases.api import urlpatterns as fleet_routes
from ledger.api.payout_urls import urlpatterns as payout_routes
from loans.api import urlpatterns as loan_routes
from misc_expenses.api import urlpatterns as expense_routes
from recon.api.urls import urlpatterns as recon_routes
from repairs.api import urlpatterns as repair_routes

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("ledger/", include("ledger.api.urls")),
    *fleet_routes,
    *expense_routes,
    *repair_routes,
    *loan_routes,
    *payout_routes,
    *case_routes,
    *recon_routes,
    *shared_routes,
    # Last, and not for the admin and its assets: `DEBUG` would answer with a page of its own.
    re_path(r"^(?!admin/|static/)", errors.unknown_route),
]
handler400 = errors.handler400
handler403 = errors.handler403
handler404 = errors.handler404
handler500 = errors.handler500
