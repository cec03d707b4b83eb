"""The journal as plain-text accounting: a file that hledger or beancount reads, checks and reports from.

`names`: what an account is called there. `formats`: how each writes. `export`: what is written, in which order.
"""

from .export import FORMATS, PeriodBackwards, UnknownFormat, export_journal
from .names import account_name

__all__ = ["FORMATS", "PeriodBackwards", "UnknownFormat", "account_name", "export_journal"]
