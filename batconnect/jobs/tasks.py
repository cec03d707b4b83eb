"""What Celery runs: one job, and the sweep for jobs nobody runs."""

from uuid import UUID

from celery import shared_task

from . import services


@shared_task(name=services.RUN_TASK)
def run_job(job_id: str) -> None:
    """Run one job if it is still there to take."""
    services.run_job(job_id=UUID(job_id))


@shared_task(name="batconnect.jobs.tasks.sweep_jobs")
def sweep_jobs() -> int:
    """Every minute, by the schedule: take up again what waits or lost its worker."""
    return services.sweep_jobs()
