"""The fleet over HTTP: `fleet` lists it and makes leases, `terms` changes what was agreed about one, `drivers` says who
else drives on it, `caps` what it may cost, `deposits` what was left for it.
"""

from . import caps, deposits, drivers, fleet, terms

urlpatterns = [
    *caps.urlpatterns,
    *fleet.urlpatterns,
    *terms.urlpatterns,
    *drivers.urlpatterns,
    *deposits.urlpatterns,
]

__all__ = ["urlpatterns"]
