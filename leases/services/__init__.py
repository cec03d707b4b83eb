"""Every change of a lease or of which vehicle carries which medallion, one function per change.

`fleet` keeps drivers, medallions and vehicles; `agreements` makes leases and lets them run out; `terms` reprices,
suspends and renews them; `endings` ends them early; `assignments` puts vehicles on medallions; `caps` knows what a week
may cost. What all that does to installments is `billing`'s, and `previewed` tells it beforehand.
"""

from .agreements import add_driver, checked_fee, create_lease, end_lease
from .assignments import Swap, assign_vehicle, end_assignment, swap_vehicle
from .billing import Effect, Line, previewed
from .caps import check_related_charge
from .endings import check_waiver, default_cancellation_fee, terminate_lease
from .fleet import change_record, enter_record
from .terms import change_fee, follow_lease, renew_lease, resume_lease, suspend_lease

__all__ = [
    "Effect",
    "Line",
    "Swap",
    "add_driver",
    "assign_vehicle",
    "change_fee",
    "change_record",
    "check_related_charge",
    "check_waiver",
    "checked_fee",
    "create_lease",
    "default_cancellation_fee",
    "end_assignment",
    "end_lease",
    "enter_record",
    "follow_lease",
    "previewed",
    "renew_lease",
    "resume_lease",
    "suspend_lease",
    "swap_vehicle",
    "terminate_lease",
]
