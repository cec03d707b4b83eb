"""The fleet over HTTP: `fleet` lists it and makes leases, `terms` changes what was agreed about one, `deposits` what
was left for it.
"""

from . import deposits, fleet, terms

urlpatterns = [*fleet.urlpatterns, *terms.urlpatterns, *deposits.urlpatterns]

__all__ = ["urlpatterns"]
