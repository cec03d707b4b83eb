"""OFX statements, versions 1 (SGML, where values need no end tag) and 2 (XML). Amounts are signed: + is money in.

The few elements that a reconciliation needs are read here; nothing is guessed: whatever is not closed in the order in
which it was opened is half a file, and is refused. OFX states no opening balance, so rows are counted by nothing but
themselves.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal

from .base import Adapter, Feed, Statement, shown, zone_of
from .errors import BadFile, BadRow
from .statements import statement_of, text_row, whole_file

_TAG = re.compile(r"<(/?)([A-Za-z0-9_.]{1,64})\s*(/?)>([^<]*)")
_DATE = re.compile(
    r"(?P<day>\d{8})(?P<time>\d{6})?(?:\.\d{1,6})?"
    r"(?:\[(?P<hours>[+-]?\d{1,2})(?:\.(?P<part>\d{1,2}))?(?::[A-Za-z]{1,8})?\])?"
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,10})?|\.[0-9]{1,10})")
_DECLARED = re.compile(rb"^\s*(?:ENCODING\s*:\s*(\S+)|CHARSET\s*:\s*(\S+))", re.MULTILINE)
_XML_DECLARED = re.compile(rb"<\?xml[^>]*encoding=[\"']([A-Za-z0-9._-]+)")
# Values that banks leave empty, and do not close; nothing else is inside them.
_VALUES = frozenset({"NAME", "MEMO", "CHECKNUM", "REFNUM", "FITID", "TRNAMT", "DTPOSTED", "CURDEF", "CURSYM"})
DEEPEST = 50  # a statement has a dozen elements in one another
_STATEMENTS = ("STMTRS", "CCSTMTRS")
_NEEDED = ("DTPOSTED", "TRNAMT", "FITID")
_CALLED = {"amount": "TRNAMT", "time": "DTPOSTED", "id": "FITID", "currency": "CURDEF", "description": "NAME"}


@dataclass
class Element:
    """A value (`text`), or what is inside of it."""

    name: str
    text: str = ""
    inside: list["Element"] = field(default_factory=list)

    def all(self, name: str) -> Iterator["Element"]:
        """Elements of that name, however deep."""
        for one in self.inside:
            if one.name == name:
                yield one
            yield from one.all(name)

    def value(self, *path: str) -> str:
        """The value at the end of a path of direct children; empty where there is none."""
        found: Element | None = self
        for name in path:
            found = next((one for one in found.inside if one.name == name), None) if found else None
        return found.text if found else ""


class Ofx(Adapter):
    name = "ofx"
    title = "OFX"

    def read(self, feed: Feed) -> Statement:
        root = parsed(_decoded(whole_file(feed)))
        statements = [one for name in _STATEMENTS for one in root.all(name)]
        if not statements:
            raise BadFile(problem="there is no statement of an account in it")
        rows: list[dict[str, str]] = []
        for statement in statements:
            for transaction in statement.all("STMTTRN"):
                rows.append(_row(transaction, statement.value("CURDEF"), len(rows) + 1, feed))
        return statement_of(rows, feed, _CALLED, {"statements": str(len(statements))})


def parsed(text: str) -> Element:
    """The OFX element of a file. Raises BadFile."""
    start = text.upper().find("<OFX>")
    if start < 0:
        raise BadFile(problem="it is no OFX statement")
    if "<!" in text.upper().replace("<!--", ""):
        raise BadFile(problem="it declares entities, which no statement needs")
    text = re.sub(r"<!--.*?-->", "", text[start:], flags=re.DOTALL)
    whole = Element("")
    opened, place = [whole], 0
    while place < len(text):
        tag = _TAG.match(text, place)
        if tag is None or (len(opened) == 1 and whole.inside):
            raise BadFile(problem="it is no sound OFX statement: something stands where no element is")
        place = tag.end()
        _take(opened, bool(tag[1]), tag[2].upper(), bool(tag[3]), html.unescape(tag[4]).strip())
    if len(opened) > 1:
        raise BadFile(problem=f"it breaks off inside {opened[-1].name}")
    return whole.inside[0]


def _take(opened: list[Element], closes: bool, name: str, empty: bool, text: str) -> None:
    """One tag and the text after it."""
    if closes:
        if opened[-1].name == name:
            opened.pop()
        elif not (
            opened[-1].inside and opened[-1].inside[-1].name == name and not opened[-1].inside[-1].inside
        ):
            raise BadFile(problem=f"it is no sound OFX statement: {name} is closed and not open")
        if text:
            raise BadFile(problem=f"it is no sound OFX statement: there is text after {name}")
        return
    element = Element(name, text)
    opened[-1].inside.append(element)
    if not text and not empty and name not in _VALUES:
        if len(opened) > DEEPEST:
            raise BadFile(
                problem=f"it is no sound OFX statement: more than {DEEPEST} elements in one another"
            )
        opened.append(element)


def _decoded(content: bytes) -> str:
    """As the file says it is written; banks say `1252` and mean what Windows writes."""
    found = _XML_DECLARED.search(content[:500])
    said = [
        part.decode("ascii", "replace")
        for match in _DECLARED.findall(content[:500])
        for part in match
        if part
    ]
    name = (
        found[1].decode() if found else "utf-8" if {"UTF-8", "UNICODE"} & set(said) or not said else "cp1252"
    )
    try:
        return content.decode("utf-8-sig" if name.lower() == "utf-8" else name)
    except (UnicodeError, LookupError) as error:
        raise BadFile(problem=f"it is not written in {name}") from error


def _row(transaction: Element, currency: str, number: int, feed: Feed) -> dict[str, str]:
    for name in _NEEDED:
        if not transaction.value(name):
            raise BadRow(row=number, column=name, problem="there is none")
    described = " ".join((transaction.value("NAME") + " " + transaction.value("MEMO")).split())
    return text_row(
        id=transaction.value("FITID"),
        amount=_amount(transaction.value("TRNAMT")),
        currency=transaction.value("CURRENCY", "CURSYM") or currency,
        time=_moment(transaction.value("DTPOSTED"), number, feed),
        reference=transaction.value("CHECKNUM") or transaction.value("REFNUM"),
        description=described[:500],
    )


def _amount(text: str) -> str:
    """Plainly written; some banks write a comma. What is no number stays as it is, to be told."""
    plain = text.replace(",", ".")
    return f"{Decimal(plain):f}" if _NUMBER.fullmatch(plain) else text


def _moment(text: str, number: int, feed: Feed) -> str:
    """An instant. Without a zone it is Greenwich's; a day alone is the bank's own day."""
    found = _DATE.fullmatch(text)
    wrong = BadRow(row=number, column="DTPOSTED", problem=f"{shown(text)} is not a time")
    if found is None:
        raise wrong
    try:
        moment = datetime.strptime(found["day"] + (found["time"] or "000000"), "%Y%m%d%H%M%S")  # noqa: DTZ007
        of_the_day = found["hours"] is None and moment.time() == time(0)
        zoned = moment.replace(tzinfo=zone_of(feed) if of_the_day else _zone(found))
        return zoned.astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        raise wrong from None


def _zone(found: re.Match[str]) -> timezone:
    if found["hours"] is None:
        return UTC
    hours = Decimal(f"{found['hours']}.{found['part'] or 0}")
    return timezone(timedelta(seconds=int(hours * 3600)))
