"""Every change of a lease or of which vehicle carries which medallion, one function per change.

`fleet` keeps drivers, medallions and vehicles; `agreements` makes leases and lets them run out; `terms` reprices,
suspends and renews them; `endings` ends them early, `cancellations` before they begin; `drivers` says who else drives;
`assignments` puts vehicles on medallions; `caps` knows what a week may cost, and `cap_entries` enters that. What all
that does to installments is `billing`'s, and `previewed` tells it beforehand.
"""

from .agreements import checked_fee, create_lease, end_lease
from .assignments import Swap, assign_vehicle, end_assignment, swap_vehicle
from .billing import Effect, Line, previewed
from .cancellations import cancel_lease
from .cap_entries import CapEffect, Overtaken, add_cap, correct_cap, overtaken
from .caps import check_related_charge
from .drivers import add_driver, end_driver
from .endings import check_waiver, default_cancellation_fee, terminate_lease
from .fleet import change_record, enter_record
from .terms import change_fee, follow_lease, renew_lease, resume_lease, suspend_lease

__all__ = [
    "CapEffect",
    "Effect",
    "Line",
    "Overtaken",
    "Swap",
    "add_cap",
    "add_driver",
    "assign_vehicle",
    "cancel_lease",
    "change_fee",
    "change_record",
    "check_related_charge",
    "check_waiver",
    "checked_fee",
    "correct_cap",
    "create_lease",
    "default_cancellation_fee",
    "end_assignment",
    "end_driver",
    "end_lease",
    "enter_record",
    "follow_lease",
    "overtaken",
    "previewed",
    "renew_lease",
    "resume_lease",
    "suspend_lease",
    "swap_vehicle",
    "terminate_lease",
]
