"""The templates and accounts in force, read once and kept until they change.

Reading and compiling them for every posting would cost more than the posting. So each process keeps what it read,
with the number the database gives to that state; whoever posts hands the number over, and is told when another
state is in force (`TemplatePolicy`).
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import polars as pl
from django.db import connection

from ledger.engine.engine import CompiledTemplates, compile_templates
from ledger.engine.templates import (
    AccountOverride,
    JournalTemplate,
    TemplateControl,
    TemplateLine,
    TemplateMatch,
)

from ..models import Account, ProductAccountMap, TemplatePolicy
from ..models import JournalTemplate as StoredTemplate

FLEET_PACK = "taxi"
MONEY = pl.Decimal(14, 2)

# What the expressions of the fleet's templates may name.
EVENT_SCHEMA: Mapping[str, pl.DataType] = {
    "row": pl.UInt32(),
    "txn_type": pl.String(),
    "product": pl.String(),
    "channel": pl.String(),
    "on": pl.Date(),
    "currency": pl.String(),
    "amount": MONEY,
    "principal": MONEY,
    "interest": MONEY,
    "fees": MONEY,
}


@dataclass(frozen=True)
class Policy:
    """One state of templates and chart. `boundaries` are the days on which another template comes into force."""

    version: int
    compiled: CompiledTemplates
    account_ids: Mapping[str, int]
    boundaries: tuple[date, ...]

    def window(self, on: date) -> tuple[date, date]:
        """The first and last day around `on` through which the same templates are in force."""
        after = bisect_right(self.boundaries, on)
        first = self.boundaries[after - 1] if after else date.min
        last = self.boundaries[after] - timedelta(days=1) if after < len(self.boundaries) else date.max
        return first, last


_kept: dict[str, Policy] = {}


def current_policy(*, fresh: bool = False) -> Policy:
    """The policy as this process last read it; read anew when `fresh`, or when it was never read."""
    database = str(connection.settings_dict["NAME"])
    if fresh or database not in _kept:
        _kept[database] = _read_policy()
    return _kept[database]


def checked_policy() -> Policy:
    """The policy as it is now: a look at its number, and everything read anew if that changed."""
    policy = current_policy()
    if policy.version != TemplatePolicy.objects.values_list("version", flat=True).get():
        policy = current_policy(fresh=True)
    return policy


def _read_policy() -> Policy:
    # The number first: if something changes while the rest is read, the number no longer fits and is found out.
    version = TemplatePolicy.objects.values_list("version", flat=True).get()
    account_ids = dict(Account.objects.values_list("code", "id"))
    stored = (
        StoredTemplate.objects.filter(pack=FLEET_PACK)
        .exclude(status=StoredTemplate.Status.DRAFT)
        .select_related("control__adjust_account")
        .prefetch_related("matches", "lines__account")
        .order_by("code", "version")
    )
    templates = [as_template(template) for template in stored]
    starts = {template.effective_from for template in templates}
    ends = {template.effective_to + timedelta(days=1) for template in templates if template.effective_to}
    return Policy(
        version=version,
        compiled=compile_templates(templates, overrides(), EVENT_SCHEMA, account_ids=account_ids),
        account_ids=account_ids,
        boundaries=tuple(sorted(starts | ends)),
    )


def overrides() -> list[AccountOverride]:
    return [
        AccountOverride(
            template_code=row.template_code,
            product=row.product,
            account=row.account.code,
            fund=row.fund,
            to_account=row.to_account.code,
            to_fund=row.to_fund,
        )
        for row in ProductAccountMap.objects.select_related("account", "to_account")
    ]


def as_template(stored: StoredTemplate) -> JournalTemplate:
    """A stored template as the engine knows it."""
    control = getattr(stored, "control", None)
    return JournalTemplate(
        code=stored.code,
        version=stored.version,
        description=stored.description,
        effective_from=stored.effective_from,
        effective_to=stored.effective_to,
        matches=tuple(
            TemplateMatch(
                txn_type=match.txn_type,
                product=match.product,
                channel=match.channel,
                min_amount=match.min_amount,
                max_amount=match.max_amount,
                condition=match.condition,
                priority=match.priority,
            )
            for match in stored.matches.all()
        ),
        lines=tuple(
            TemplateLine(
                number=line.number,
                side="DR" if line.side == "DR" else "CR",
                account=line.account.code,
                fund=line.fund,
                amount=line.amount,
                condition=line.condition,
                places=line.places,
                memo=line.memo,
            )
            for line in stored.lines.all()
        ),
        control=TemplateControl(
            tolerance=control.tolerance if control else Decimal(0),
            action="AUTO_ADJUST" if control and control.action == "AUTO_ADJUST" else "ERROR",
            adjust_account=control.adjust_account.code if control and control.adjust_account else None,
            adjust_fund=control.adjust_fund if control else "",
        ),
        key=stored.pk,
    )
