"""Fetches of trips as the API, the command line, jobs and screens tell them."""

from typing import Any

from ..models import CurbFetch


def fetch_answer(fetch: CurbFetch) -> dict[str, Any]:
    """A fetch as JSON-ready values; `imported` is what became of its rows."""
    batch = fetch.batch
    return {
        "fetch_id": fetch.pk,
        "from": fetch.window_from.isoformat(),
        "to": fetch.window_to.isoformat(),
        "status": fetch.status,
        "pages": fetch.pages,
        "rows": fetch.rows,
        "sha256": fetch.sha256,
        "imported": {
            "batch_id": batch.pk,
            "accepted": batch.accepted,
            "rejected": batch.rejected,
            "duplicates": batch.duplicates,
            "card_earnings": str(batch.card_earnings),
            "taxes": str(batch.taxes),
        }
        if batch is not None
        else None,
        "error": {"code": fetch.error_code, "message": fetch.error} if fetch.error else None,
        "started_at": fetch.started_at.isoformat(),
        "ended_at": fetch.ended_at.isoformat() if fetch.ended_at else None,
    }
