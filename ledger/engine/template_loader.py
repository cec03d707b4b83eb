"""The templates, overrides and accounts of a pack as they are in force, read from the database by a cursor.

What is read belongs to one version of the accounting policy, a number that any change of templates, overrides or
chart replaces. A run of many shards reads it anew in every worker and compares the number.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from .engine import CompiledTemplates, compile_templates
from .packs import read_pack
from .templates import AccountOverride, JournalTemplate, TemplateControl, TemplateLine, TemplateMatch

_VERSION = "SELECT version FROM template_policy"
_ACCOUNTS = "SELECT code, id FROM chart_of_accounts"
_TEMPLATES = """
SELECT t.id, t.code, t.version, t.description, t.effective_from, t.effective_to,
       coalesce(c.tolerance, 0), coalesce(c.action, 'ERROR'), a.code, coalesce(c.adjust_fund, '')
  FROM journal_template t
  LEFT JOIN journal_template_control c ON c.template_id = t.id
  LEFT JOIN chart_of_accounts a ON a.id = c.adjust_account_id
 WHERE t.pack = %s AND t.status <> 'DRAFT'
 ORDER BY t.code, t.version
"""
_MATCHES = """
SELECT m.template_id, m.txn_type, m.product, m.channel, m.min_amount, m.max_amount, m.condition, m.priority
  FROM journal_template_match m JOIN journal_template t ON t.id = m.template_id
 WHERE t.pack = %s AND t.status <> 'DRAFT'
 ORDER BY m.id
"""
_LINES = """
SELECT l.template_id, l.number, l.side, a.code, l.fund, l.amount, l.condition, l.places, l.memo
  FROM journal_template_line l
  JOIN journal_template t ON t.id = l.template_id
  JOIN chart_of_accounts a ON a.id = l.account_id
 WHERE t.pack = %s AND t.status <> 'DRAFT'
 ORDER BY l.number
"""
_OVERRIDES = """
SELECT m.template_code, m.product, a.code, m.fund, o.code, m.to_fund
  FROM product_account_map m
  JOIN chart_of_accounts a ON a.id = m.account_id
  JOIN chart_of_accounts o ON o.id = m.to_account_id
 ORDER BY m.product, m.id
"""


@dataclass(frozen=True)
class LoadedTemplates:
    """The templates of a pack, compiled; `keys` are their ids in the database, in the order they are counted in."""

    version: int
    compiled: CompiledTemplates
    keys: tuple[int, ...]
    account_ids: Mapping[str, int]
    txn_types: frozenset[str]


def policy_version(cursor: Any) -> int:
    """The number of the policy in force now."""
    cursor.execute(_VERSION)
    (version,) = cursor.fetchone()
    return int(version)


def event_schema(pack: str) -> dict[str, pl.DataType]:
    """The columns of a pack's events, as its templates are compiled for. Raises UnknownPack."""
    return {"row": pl.UInt32(), **read_pack(pack).schema()}


def load_templates(cursor: Any, pack: str) -> LoadedTemplates:
    """Everything that the events of a pack are expanded by. Raises UnknownPack, TemplateError."""
    # The number first: if something changes while the rest is read, whoever asks for the number again finds it out.
    version = policy_version(cursor)
    account_ids = dict(_rows(cursor, _ACCOUNTS))
    overrides = [AccountOverride(*row) for row in _rows(cursor, _OVERRIDES)]
    matches = _by_template(_rows(cursor, _MATCHES, [pack]), TemplateMatch)
    lines = _by_template(_rows(cursor, _LINES, [pack]), TemplateLine)
    templates = [
        _template(row, tuple(matches.get(row[0], ())), tuple(lines.get(row[0], ())))
        for row in _rows(cursor, _TEMPLATES, [pack])
    ]
    return LoadedTemplates(
        version=version,
        compiled=compile_templates(templates, overrides, event_schema(pack), account_ids),
        keys=tuple(template.key or 0 for template in templates),
        account_ids=account_ids,
        txn_types=frozenset(match.txn_type for template in templates for match in template.matches),
    )


def _template(
    row: tuple[Any, ...], matches: tuple[TemplateMatch, ...], lines: tuple[TemplateLine, ...]
) -> JournalTemplate:
    key, code, version, description, effective_from, effective_to, tolerance, action, account, fund = row
    return JournalTemplate(
        code=code,
        version=version,
        description=description,
        effective_from=effective_from,
        effective_to=effective_to,
        matches=matches,
        lines=lines,
        control=TemplateControl(
            tolerance=Decimal(tolerance), action=action, adjust_account=account, adjust_fund=fund
        ),
        key=key,
    )


def _by_template(rows: Iterable[tuple[Any, ...]], kind: Any) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for template, *fields in rows:
        found.setdefault(template, []).append(kind(*fields))
    return found


def _rows(cursor: Any, statement: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
    cursor.execute(statement, parameters)
    return list(cursor.fetchall())
