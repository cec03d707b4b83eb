"""Account names that both hledger and beancount allow: `Assets:1010-Bank`.

A name is made of one account alone, so it does not change when others are opened, and no two accounts share one:
codes are unique, and a code that is not plain letters and digits is preceded by the account's number.
"""

import re
import unicodedata

from ledger.models import Account

ROOTS = {
    Account.Type.ASSET: "Assets",
    Account.Type.LIABILITY: "Liabilities",
    Account.Type.EQUITY: "Equity",
    Account.Type.INCOME: "Income",
    Account.Type.EXPENSE: "Expenses",
}
LONGEST_NAME = 60
# The code then ends at the first hyphen, and nothing looks like the number that precedes the other codes.
_PLAIN_CODE = re.compile(r"(?!X\d+$)[A-Z0-9][A-Za-z0-9]*")


def account_name(*, pk: int, account_type: str, code: str, name: str) -> str:
    """What the account is called in an export."""
    parts = [code] if _PLAIN_CODE.fullmatch(code) else [f"X{pk}", _words(code)]
    return f"{ROOTS[Account.Type(account_type)]}:{'-'.join(filter(None, [*parts, _words(name)]))}"


def _words(text: str) -> str:
    """The letters and digits of a text, without accents, joined by hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", plain)[:LONGEST_NAME].strip("-")
