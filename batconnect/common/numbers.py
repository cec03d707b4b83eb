"""Numbers people read aloud: `DTR-2019-00001`, `INTPAY-2025-00007`. Gaps are allowed, duplicates never."""

from collections.abc import Sequence

from django.db import connection

_RESERVE = """
INSERT INTO number_counter (prefix, year, last_value) VALUES (%(prefix)s, %(year)s, %(count)s)
ON CONFLICT (prefix, year) DO UPDATE SET last_value = number_counter.last_value + excluded.last_value
RETURNING last_value
"""


def reserve_numbers(*, prefix: str, year: int, count: int) -> Sequence[str]:
    """Take the next `count` numbers of a prefix and year; they are never given out again.

    Holds the counter's row until the caller's transaction ends, so a caller with a long one reserves first,
    in a transaction of its own.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RESERVE, {"prefix": prefix, "year": year, "count": count})
        last = cursor.fetchone()[0]
    return [f"{prefix}-{year}-{value:05}" for value in range(last - count + 1, last + 1)]


def reserve_case_number(*, prefix: str) -> str:
    """The next number of a kind of case, which knows no years: `MISCEXP000001`. Counted as the year 0."""
    with connection.cursor() as cursor:
        cursor.execute(_RESERVE, {"prefix": prefix, "year": 0, "count": 1})
        return f"{prefix}{cursor.fetchone()[0]:06}"


def reserve_values(*, prefix: str, year: int, count: int) -> range:
    """The next `count` values of a counter, for numbers that are written in another way."""
    with connection.cursor() as cursor:
        cursor.execute(_RESERVE, {"prefix": prefix, "year": year, "count": count})
        last = cursor.fetchone()[0]
    return range(last - count + 1, last + 1)
