"""Who is told, and when: after a job that passed one of its source's thresholds. Once committed, never before."""

import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.core.mail import send_mail
from django.db import transaction

from batconnect.common.errors import BatConnectError

from ..models import ReconJob
from ..selectors.summaries import money_text
from ..sources.http_client import post_json

logger = logging.getLogger(__name__)


def alert_after(job: ReconJob) -> None:
    """Tell once the transaction is through, if there is something to tell."""
    passed = thresholds_passed(job)
    if passed:
        transaction.on_commit(lambda: _tell(job, passed))


def thresholds_passed(job: ReconJob) -> list[str]:
    """Sentences, one for each threshold of the source that this job passed."""
    source, found = job.source, []
    late = sum(
        job.counts[side][outcome] - (job.counts[side]["waiting"] if outcome == "unmatched" else 0)
        for side in ("external", "ledger")
        for outcome in ("unmatched", "ambiguous")
    )
    if source.alert_unmatched is not None and late > source.alert_unmatched:
        found.append(f"Rows without a partner: {late}; the threshold is {source.alert_unmatched}.")
    variance = abs(job.variance or Decimal(0))
    if source.alert_variance is not None and variance > source.alert_variance:
        found.append(
            f"The sides differ by {money_text(job.variance)}; the threshold is {source.alert_variance}."
        )
    if source.alert_days_old is not None and job.oldest_unmatched is not None:
        age = (job.date - job.oldest_unmatched).days
        if age > source.alert_days_old:
            found.append(f"The oldest is {age} days old; the threshold is {source.alert_days_old}.")
    return found


def _tell(job: ReconJob, passed: Sequence[str]) -> None:
    """By mail and webhook, as the source says. What cannot be sent is logged: the reconciliation stands."""
    source = job.source
    to = [address.strip() for address in source.alert_emails.split(",") if address.strip()]
    if to:
        try:
            send_mail(f"Reconciliation of {source} for {job.date}", "\n".join(passed), None, to)
        except OSError:
            logger.warning("the mail about reconciliation %s could not be sent", job.pk, exc_info=True)
    if source.alert_webhook:
        body: dict[str, Any] = {
            "source": source.name, "date": str(job.date), "job_id": job.pk, "alerts": list(passed),
            "variance": str(job.variance), "counts": job.counts,
        }  # fmt: skip
        try:
            post_json(source.alert_webhook, body)
        except BatConnectError:
            logger.warning("the webhook of reconciliation %s could not be called", job.pk, exc_info=True)
