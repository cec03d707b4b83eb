"""Parts of the demo that belong to apps above this one: each tells its own story once the six weeks are run.

register_part(settle_cards)     # in the app's `ready`
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

Call = Callable[..., dict[str, Any]]
Say = Callable[[str], None]


class Part(Protocol):
    def __call__(self, *, out: Path, call: Call, say: Say) -> int:
        """Do what is not done yet, and return how many things were new.

        out: the demo's folder, for files. call: runs a command as typed and gives its JSON. say: a line for the reader.
        """


_parts: list[Part] = []


def register_part(part: Part) -> None:
    """Have a part told, after those registered before."""
    if part not in _parts:
        _parts.append(part)


def parts() -> tuple[Part, ...]:
    return tuple(_parts)
