"""Which lease and which vehicle: from a plate and a moment to the lease, and from a lease to what its cab was."""

from datetime import datetime, time

from django.db.models import Q, QuerySet

from batconnect.common.weeks import NEW_YORK, local_date

from .models import Lease, VehicleAssignment
from .schedule import DAY


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


def vehicles_of(lease: Lease) -> QuerySet[VehicleAssignment]:
    """The vehicles that the lease's medallion carried on its days, in order."""
    first = datetime.combine(lease.starts_on, time.min, tzinfo=NEW_YORK)
    found = VehicleAssignment.objects.select_related("vehicle").filter(
        Q(ended_at__isnull=True) | Q(ended_at__gt=first), medallion_id=lease.medallion_id
    )
    if lease.ends_on is not None:
        found = found.filter(started_at__lt=datetime.combine(lease.ends_on + DAY, time.min, tzinfo=NEW_YORK))
    return found.order_by("started_at")
