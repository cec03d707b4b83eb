"""Whose lease it was: from a plate and a moment, through the vehicle's medallion at that minute."""

from datetime import datetime

from batconnect.common.weeks import local_date

from .models import Lease, VehicleAssignment


def lease_carrying(*, plate: str, at: datetime) -> Lease | None:
    """The lease whose cab bore this plate at that moment, if there was one."""
    assignment = (
        VehicleAssignment.objects.filter(vehicle__plate__iexact=plate, started_at__lte=at)
        .exclude(ended_at__lte=at)
        .order_by("-started_at")
        .first()
    )
    if assignment is None:
        return None
    return Lease.objects.on(local_date(at)).filter(medallion_id=assignment.medallion_id).first()
