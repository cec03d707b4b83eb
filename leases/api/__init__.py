"""The fleet over HTTP: `fleet` lists it and makes leases, `terms` changes what was agreed about one."""

from . import fleet, terms

urlpatterns = [*fleet.urlpatterns, *terms.urlpatterns]

__all__ = ["urlpatterns"]
