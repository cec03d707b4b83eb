"""Errors a person can cause: typed, coded, and told in a sentence that says what to do.

Each is defined beside the code that raises it; the API and the admin only translate.
"""

from typing import Any, ClassVar


class BatConnectError(Exception):
    """Base of every foreseen failure. `details` are the facts the sentence was made of."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    message: ClassVar[str] = "The request could not be carried out."

    def __init__(self, **details: Any) -> None:
        self.details = details
        super().__init__(self.message.format(**details))

    def __reduce__(self) -> tuple[Any, ...]:
        # Details are keywords, which pickling does not pass by itself; worker processes send errors home.
        return _rebuild, (type(self), self.details)


class ConflictingState(BatConnectError):
    """The request is well-formed, but the thing is not in a state that allows it."""

    code, status = "conflict", 409


def _rebuild(kind: type[BatConnectError], details: dict[str, Any]) -> BatConnectError:
    return kind(**details)
