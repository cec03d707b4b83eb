"""Reading the NACHA files a bank sends back: returns (addenda 99) and notifications of change (addenda 98). Pure.

What cannot be read is a fault with its line; a file with any fault is taken in by nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from .nacha import RECORD

LARGEST_FILE = 20 * 1024 * 1024  # bytes

# What a code says of the account that was paid, as the NACHA rules word it.
MEANINGS = {
    "R01": "insufficient funds", "R02": "account closed", "R03": "no account, or its holder not found",
    "R04": "invalid account number", "R05": "unauthorized debit", "R06": "returned at our bank's request",
    "R07": "authorization revoked", "R08": "payment stopped", "R09": "uncollected funds",
    "R10": "said to be unauthorized", "R11": "not according to the authorization", "R12": "branch sold to another bank",
    "R13": "no such bank", "R14": "representative payee died", "R15": "account holder died", "R16": "account frozen",
    "R17": "entry failed the bank's checks", "R18": "wrong effective date", "R19": "wrong amount",
    "R20": "account takes no such payments", "R21": "wrong company", "R22": "wrong identification",
    "R23": "refused by the receiver", "R24": "duplicate entry", "R25": "wrong addenda", "R26": "mandatory field wrong",
    "R27": "trace number wrong", "R28": "wrong check digit of the routing number",
    "R29": "not authorized by the company",
    "R30": "bank takes no such checks", "R31": "returned with permission", "R32": "bank cannot settle",
    "R33": "returned by the bank's choice", "R34": "bank takes part in little",
}  # fmt: skip
# After these nothing reaches that account; paying it again would come back again.
BLOCKING_CODES = frozenset(
    ("R02", "R03", "R04", "R07", "R10", "R12", "R13", "R14", "R15", "R16", "R20", "R23", "R28", "R29", "R34")
)
# R35 and above are of other kinds of entries, or of disputes between banks.
ORDINARY_RETURNS = frozenset(MEANINGS)


@dataclass(frozen=True)
class ReturnedEntry:
    """One entry that came back. `trace_number` is the one we gave; `information` may have account numbers in it."""

    line_number: int
    code: str
    trace_number: str
    amount: Decimal
    information: str = field(default="", repr=False)

    @property
    def is_change(self) -> bool:
        return self.code.startswith("C")


@dataclass(frozen=True)
class Fault:
    """Why a file cannot be read: the line (from 1), and what is wrong there. Never quotes the line."""

    line_number: int
    problem: str

    def __str__(self) -> str:
        return f"line {self.line_number}: {self.problem}"


def read_returns(content: bytes) -> tuple[list[ReturnedEntry], list[Fault]]:
    """The returns of a file, in its order, and what is wrong with it. The controls' counts and sums are checked."""
    try:
        lines = content.decode("ascii").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        return [], [Fault(1, "this is no NACHA file: it has other characters than ASCII")]
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) == 1 and len(lines[0]) > RECORD and len(lines[0]) % RECORD == 0:
        lines = [lines[0][at : at + RECORD] for at in range(0, len(lines[0]), RECORD)]  # without line ends
    faults = list(_misshapen(lines))
    if faults:
        return [], faults[:10]
    return _read(lines)


def _misshapen(lines: list[str]) -> Iterator[Fault]:
    if not lines or not lines[0].startswith("101"):
        yield Fault(1, "a NACHA file begins with a file header, 101")
        return
    for number, line in enumerate(lines, 1):
        if len(line.ljust(RECORD)) != RECORD:
            yield Fault(number, f"a record has 94 characters; this has {len(line)}")
        elif line[0] not in "156789":
            yield Fault(number, "a record begins with 1, 5, 6, 7, 8 or 9")
    if not any(line.startswith("9") and line[:RECORD].strip("9") for line in lines):
        yield Fault(len(lines), "the file has no file control; it may be cut off")


@dataclass
class _Sums:
    entries: int = 0
    hash: int = 0
    debits: int = 0
    credits: int = 0


def _read(lines: list[str]) -> tuple[list[ReturnedEntry], list[Fault]]:
    found: list[ReturnedEntry] = []
    faults: list[Fault] = []
    batch, whole = _Sums(), _Sums()
    entry = ""
    for number, raw in enumerate(lines, 1):
        line = raw.ljust(RECORD)
        kind = line[0]
        try:
            if kind == "5":
                batch = _Sums()
            elif kind == "6":
                entry = line
                _count(line, batch, whole)
            elif kind == "7":
                batch.entries, whole.entries = batch.entries + 1, whole.entries + 1
                if line[1:3] in ("98", "99"):
                    found.append(_returned(number, entry, line))
            elif kind == "8" and (int(line[4:10]), int(line[10:20]), int(line[20:32]), int(line[32:44])) != (
                batch.entries, batch.hash % 10**10, batch.debits, batch.credits,
            ):  # fmt: skip
                faults.append(
                    Fault(number, "the batch's count, hash or amounts are not those of its entries")
                )
            elif kind == "9" and line.strip("9") and (int(line[13:21]), int(line[21:31])) != (
                whole.entries, whole.hash % 10**10,
            ):  # fmt: skip
                faults.append(Fault(number, "the file's count or hash is not that of its entries"))
        except ValueError as error:
            faults.append(
                Fault(number, str(error) if str(error).startswith("a ") else "a number is misshapen")
            )
    if not found and not faults:
        faults.append(Fault(len(lines), "the file has no returns and no notifications of change in it"))
    return found, faults[:10]


def _count(line: str, *sums: _Sums) -> None:
    cents = int(line[29:39])
    debit = line[2] in "6789"  # 26 and 36: a debit that came back; a credit comes back as 21 or 31
    for one in sums:
        one.entries += 1
        one.hash += int(line[3:11])
        one.debits += cents if debit else 0
        one.credits += 0 if debit else cents


def _returned(number: int, entry: str, addenda: str) -> ReturnedEntry:
    if not entry:
        raise ValueError("a return follows the entry it is of")
    code = addenda[3:6]
    if code[0] not in "RC" or not code[1:].isdigit():
        raise ValueError("a return names its reason, such as R01 or C01")
    return ReturnedEntry(
        line_number=number,
        code=code,
        trace_number=addenda[6:21],
        amount=Decimal(int(entry[29:39])) / 100,
        information=addenda[35:64].strip() if code[0] == "C" else addenda[35:79].strip(),
    )
