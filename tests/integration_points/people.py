"""The people of the office, each in one role as it is seeded, and in no other."""

from batconnect.common.models import User
from batconnect.jobs.models import JobRun
from batconnect.jobs.services import run_job
from tests.common.test_staff_roles import in_role


class Office:
    """Who works here: one of each role, hired when first asked for."""

    def __init__(self) -> None:
        self._staff: dict[str, User] = {}

    def __getitem__(self, role: str) -> User:
        if role not in self._staff:
            self._staff[role] = in_role(role)
        return self._staff[role]


def work() -> None:
    """What a worker would do: every job that waits, each to its good end."""
    for job in JobRun.objects.filter(status="PENDING").order_by("created_at"):
        assert run_job(job_id=job.pk)
        job.refresh_from_db()
        assert job.status == "SUCCEEDED", job.error
