"""Every change of a lease or of which vehicle carries which medallion, one function per change.

`agreements` makes, reprices and ends leases; `assignments` puts vehicles on medallions.
"""

from .agreements import add_driver, change_fee, checked_fee, create_lease, end_lease
from .assignments import assign_vehicle, end_assignment

__all__ = [
    "add_driver",
    "assign_vehicle",
    "change_fee",
    "checked_fee",
    "create_lease",
    "end_assignment",
    "end_lease",
]
