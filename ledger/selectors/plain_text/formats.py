"""How hledger and beancount write a journal. Debits are positive in both. Nothing here reads the database."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Protocol

OPENING = "Opening balances"


@dataclass(frozen=True)
class Sum:
    """An amount on an account, debits positive, with the decimals of its currency."""

    account: str
    amount: Decimal
    currency: str
    fund: str = ""


@dataclass(frozen=True)
class Entry:
    """One journal entry. `facts` are names and values that are written beside it."""

    je_number: str
    on: date
    narration: str
    facts: Sequence[tuple[str, str]]
    lines: Sequence[Sum]


class Format(Protocol):
    """Each method gives one whole part of the file, lines with their ends."""

    def beginning(self, title: str) -> str: ...

    def commodity(self, currency: str, places: int, on: date) -> str: ...

    def account(self, name: str, currency: str, on: date) -> str: ...

    def opening(self, on: date, balances: Sequence[Sum]) -> Iterator[str]: ...

    def entry(self, entry: Entry) -> str: ...

    def balances(self, on: date, balances: Sequence[Sum]) -> Iterator[str]: ...


class Hledger:
    """hledger 1.25 and later: `hledger -f FILE check --strict`."""

    def beginning(self, title: str) -> str:
        return f"; {_one_line(title)}\ndecimal-mark .\n\n"

    def commodity(self, currency: str, places: int, on: date) -> str:
        return f"commodity 1000.{'0' * places} {currency}\n"

    def account(self, name: str, currency: str, on: date) -> str:
        return f"account {name}\n"

    def opening(self, on: date, balances: Sequence[Sum]) -> Iterator[str]:
        yield f"\n{on} * {OPENING}\n"
        for held in balances:
            yield f"    {held.account}  {held.amount} {held.currency}\n"

    def entry(self, entry: Entry) -> str:
        parts = [f"\n{entry.on} * ({entry.je_number}) {self._text(entry.narration)}\n"]
        parts += [f"    ; {name}:{self._tag(value)}\n" for name, value in entry.facts]
        for line in entry.lines:
            fund = f"  ; fund:{self._tag(line.fund)}" if line.fund else ""
            parts.append(f"    {line.account}  {line.amount} {line.currency}{fund}\n")
        return "".join(parts)

    def balances(self, on: date, balances: Sequence[Sum]) -> Iterator[str]:
        if balances:
            yield f"\n{on} * Balances at the end of {on}\n"
        for held in balances:
            yield f"    {held.account}  {held.amount * 0} {held.currency} = {held.amount} {held.currency}\n"

    @staticmethod
    def _text(text: str) -> str:
        return _one_line(text).replace(";", ",").replace("|", "/")

    @staticmethod
    def _tag(value: str) -> str:
        return _one_line(value).replace(",", " ")


class Beancount:
    """beancount 3: `bean-check FILE`."""

    def beginning(self, title: str) -> str:
        # Nothing is allowed to differ by a rounding that nobody did.
        return f'option "title" {self._string(title)}\noption "inferred_tolerance_default" "*:0"\n\n'

    def commodity(self, currency: str, places: int, on: date) -> str:
        return f"{on} commodity {currency}\n  precision: {places}\n"

    def account(self, name: str, currency: str, on: date) -> str:
        return f"{on} open {name} {currency}\n"

    def opening(self, on: date, balances: Sequence[Sum]) -> Iterator[str]:
        yield f'\n{on} * "{OPENING}"\n'
        for held in balances:
            yield f"  {held.account}  {held.amount} {held.currency}\n"

    def entry(self, entry: Entry) -> str:
        parts = [f"\n{entry.on} * {self._string(entry.narration)} ^{entry.je_number}\n"]
        parts += [f"  {name}: {self._string(value)}\n" for name, value in entry.facts]
        for line in entry.lines:
            parts.append(f"  {line.account}  {line.amount} {line.currency}\n")
            if line.fund:
                parts.append(f"    fund: {self._string(line.fund)}\n")
        return "".join(parts)

    def balances(self, on: date, balances: Sequence[Sum]) -> Iterator[str]:
        # A balance is that of the morning.
        morning = on + timedelta(days=1)
        if balances:
            yield "\n"
        for held in balances:
            yield f"{morning} balance {held.account}  {held.amount} ~ {held.amount * 0} {held.currency}\n"

    @staticmethod
    def _string(text: str) -> str:
        return '"' + _one_line(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _one_line(text: str) -> str:
    """Without line ends and what cannot be printed: they would begin something else in the file."""
    return re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text)).strip()
