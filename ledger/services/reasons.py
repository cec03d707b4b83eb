"""Why somebody did what he did: the sentence that stays beside what cannot be taken back."""

from .errors import LedgerError

SHORTEST_REASON = 10
LONGEST_REASON = 500


class ReasonLength(LedgerError):
    code, status = "reason.length", 400
    message = "Say why in {shortest} to {longest} characters; the next reader has only this sentence."


def checked_reason(reason: str) -> str:
    """The reason without blanks around it; raises ReasonLength."""
    reason = reason.strip()
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        raise ReasonLength(shortest=SHORTEST_REASON, longest=LONGEST_REASON)
    return reason
