"""CAMT.053, the statement of ISO 20022, in any version. What it says of itself is checked: balances, counts, sums."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from .base import Adapter, Feed, Statement
from .errors import BadFile, BadRow, ControlTotals
from .statements import NO_REFERENCE, check_balances, statement_of, text_row, whole_file


class Camt053(Adapter):
    name = "camt053"
    title = "CAMT.053"

    def read(self, feed: Feed) -> Statement:
        try:
            root = ElementTree.fromstring(whole_file(feed))
        except DefusedXmlException as error:
            raise BadFile(problem="it declares entities, which no statement needs") from error
        except ParseError as error:
            raise BadFile(problem=f"it is no whole XML document ({error})") from error
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]  # every version of the format, by local names
        statements = root.findall(".//Stmt")
        if not statements:
            raise BadFile(problem="it is no CAMT.053 statement")
        rows: list[dict[str, Any]] = []
        for statement in statements:
            _check_camt(statement)
            rows.extend(_camt_rows(statement, len(rows)))
        facts = {"statements": ", ".join(_text(one, "Id") for one in statements)[:200]}
        called = {
            "amount": "Amt",
            "time": "BookgDt",
            "id": "AcctSvcrRef",
            "currency": "Ccy",
            "reference": "EndToEndId",
        }
        return statement_of(rows, feed, called, facts)


def _camt_rows(statement: Element, before: int) -> Iterator[dict[str, Any]]:
    """One row for each booked entry; a batch that lists its transactions with amounts is one row for each of them."""
    for number, entry in enumerate(statement.findall("Ntry"), before + 1):
        if not _is_booked(entry):
            continue
        sign = _sign(entry, number)
        name = _text(entry, "AcctSvcrRef") or _text(entry, "NtryRef")
        moment = _text(entry, "BookgDt/DtTm") or _text(entry, "BookgDt/Dt") or _text(entry, "ValDt/Dt")
        details = entry.findall("NtryDtls/TxDtls")
        parts = [found for part in details if (found := _details_amount(part, sign)) is not None]
        if (
            len(details) > 1
            and len(parts) == len(details)
            and _adds_up(parts, _signed(_text(entry, "Amt"), sign))
        ):
            for place, (part, (amount, currency)) in enumerate(zip(details, parts, strict=True), 1):
                own = _text(part, "Refs/AcctSvcrRef") or (f"{name}/{place}" if name else "")
                yield text_row(
                    id=own, amount=amount, currency=currency, time=moment, group=name, reference=_reference(part),
                    description=_words(entry, part),
                )  # fmt: skip
        else:
            alone = details[0] if len(details) == 1 else None
            total = entry.find("Amt")
            yield text_row(
                id=name, amount=_signed(_text(entry, "Amt"), sign), time=moment,
                currency=total.attrib.get("Ccy", "") if total is not None else "",
                reference=_reference(alone) if alone is not None else "", description=_words(entry, alone),
            )  # fmt: skip


def _is_booked(entry: Element) -> bool:
    """Announced and pending entries are not money yet."""
    return (_text(entry, "Sts/Cd") or _text(entry, "Sts")) in ("BOOK", "")


def _sign(entry: Element, number: int) -> str:
    """Credits are +. (RvslInd tells that it takes something back; the indicator already says in which direction.)"""
    indicator = _text(entry, "CdtDbtInd")
    if indicator not in ("CRDT", "DBIT"):
        raise BadRow(row=number, column="CdtDbtInd", problem=f"{indicator!r} is neither CRDT nor DBIT")
    return "" if indicator == "CRDT" else "-"


def _signed(amount: str, sign: str) -> str:
    return f"{sign}{amount}"


def _details_amount(part: Element, sign: str) -> tuple[str, str] | None:
    """What one transaction of a batch moves, in its own direction where it says one, and the currency."""
    own = {"CRDT": "", "DBIT": "-"}.get(_text(part, "CdtDbtInd"), sign)
    for path in ("Amt", "AmtDtls/TxAmt/Amt"):
        found = part.find(path)
        if found is not None and found.text:
            return _signed(found.text.strip(), own), found.attrib.get("Ccy", "")
    return None


def _adds_up(parts: list[tuple[str, str]], total: str) -> bool:
    try:
        return sum((Decimal(amount) for amount, _ in parts), Decimal(0)) == Decimal(total)
    except InvalidOperation:
        return False


def _reference(part: Element) -> str:
    for path in ("Refs/EndToEndId", "Refs/TxId", "Refs/InstrId", "Refs/PmtInfId"):
        text = _text(part, path)
        if text and text not in NO_REFERENCE:
            return text
    return ""


def _words(entry: Element, part: Element | None) -> str:
    said = [] if part is None else [_text(part, "RltdPties/Dbtr/Nm"), _text(part, "RltdPties/Dbtr/Pty/Nm")]
    said += [] if part is None else [element.text or "" for element in part.findall("RmtInf/Ustrd")]
    said.append(_text(entry, "AddtlNtryInf"))
    return " ".join(" ".join(said).split())[:500]


def _check_camt(statement: Element) -> None:
    """Balances, and the summary where there is one. Counts are of entries, whatever rows they became."""
    entries = statement.findall("Ntry")
    stated = _text(statement, "TxsSummry/TtlNtries/NbOfNtries")
    if stated and stated != str(len(entries)):
        raise ControlTotals(what="A count of", stated=stated, found=len(entries))
    for path, indicator in (("TxsSummry/TtlCdtNtries", "CRDT"), ("TxsSummry/TtlDbtNtries", "DBIT")):
        stated = _text(statement, f"{path}/Sum")
        found = sum(abs(_moved(entry)) for entry in entries if _text(entry, "CdtDbtInd") == indicator)
        if stated and _decimal(stated) != found:
            raise ControlTotals(what="A total of", stated=stated, found=found)
    balances = {_text(one, "Tp/CdOrPrtry/Cd"): _moved(one) for one in statement.findall("Bal")}
    total = sum((_moved(entry) for entry in entries if _is_booked(entry)), Decimal(0))
    check_balances(balances.get("OPBD", balances.get("PRCD")), balances.get("CLBD"), total)


def _moved(element: Element) -> Decimal:
    """The signed amount of an entry or a balance."""
    amount = _decimal(_text(element, "Amt"))
    return -amount if _text(element, "CdtDbtInd") == "DBIT" else amount


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise BadFile(problem=f"{text[:40]!r} is not an amount") from None


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
