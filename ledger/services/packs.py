"""Installing a pack: the accounts it needs, its templates in force, its overrides; a second time changes nothing.

What finance has changed since stands: an account keeps its name, a removed override stays removed, and a newer
version of a template that is in use comes as a draft, for a person to approve.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db import connection
from django.utils import timezone

from batconnect.common import audit, locks
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction
from ledger.engine.engine import compile_templates
from ledger.engine.packs import Pack, PackAccount, read_pack
from ledger.engine.templates import AccountOverride, JournalTemplate

from ..models import Account, Origin, ProductAccountMap
from ..models import JournalTemplate as StoredTemplate
from .accounting_policy import as_template, overrides
from .errors import LedgerError, translated
from .template_checks import columns_of, standing
from .template_drafts import store, summary
from .templates import subject


class AccountDiffers(LedgerError):
    code, status = "pack.account_differs", 409
    message = (
        "Pack {pack} needs account {account} as {wanted}; the chart has it as {found}. Nothing was installed."
    )


class TemplateDiffers(LedgerError):
    code, status = "pack.template_differs", 409
    message = (
        "Template {template} is not that of pack {pack}, and is there already: {difference}. "
        "Nothing was installed."
    )


@dataclass
class PackInstalled:
    """What was added: account codes, templates in force, templates left as drafts, overrides."""

    pack: str
    accounts: list[str] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)
    drafts: list[str] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.accounts or self.templates or self.drafts or self.overrides)


@money_transaction
def install_pack(*, name: str, actor: User) -> PackInstalled:
    """Install what is missing of a pack, all or nothing.

    Templates come into force from the day the pack says, whichever that is: nothing was journalised by them
    before. Raises UnknownPack, AccountDiffers, TemplateDiffers, TemplateError.
    """
    pack = read_pack(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.JOURNAL_TEMPLATES])
    result = PackInstalled(name)
    with translated():
        accounts = _install_accounts(pack, result)
        _install_templates(pack, result, actor)
        if result.templates:
            _install_overrides(pack.overrides, accounts, result)
    compile_templates(standing(name), overrides(), columns_of(name))
    if result.changed:
        added = {what: getattr(result, what) for what in ("accounts", "templates", "drafts", "overrides")}
        audit.record(actor=actor, action="pack.installed", subject=f"pack:{name}", after=added)
    return result


def _install_accounts(pack: Pack, result: PackInstalled) -> Mapping[str, Account]:
    chart = {
        account.code: account
        for account in Account.objects.filter(code__in=[row.code for row in pack.accounts])
    }
    for row in pack.accounts:
        if row.code in chart:
            _check_account(chart[row.code], row, result.pack)
            continue
        chart[row.code] = Account.objects.create(
            code=row.code,
            name=row.name,
            type=row.type,
            currency_id=row.currency,
            fund=row.fund,
            parent=chart[row.parent] if row.parent else None,
            # The events of a pack that is installed on demand come in batches.
            control_origins=[Origin.BATCH] if row.control else [],
        )
        result.accounts.append(row.code)
    return chart


def _check_account(account: Account, row: PackAccount, pack: str) -> None:
    found = f"{account.type} in {account.currency_id}" + ("" if account.active else ", not active")
    wanted = f"{row.type} in {row.currency}"
    if found != wanted:
        raise AccountDiffers(pack=pack, account=row.code, wanted=wanted, found=found)


def _install_templates(pack: Pack, result: PackInstalled, actor: User) -> None:
    stored = {
        (each.code, each.version): each
        for each in StoredTemplate.objects.filter(
            code__in=[template.code for template in pack.templates]
        ).select_related("control__adjust_account")
    }
    codes = {code for code, _ in stored}
    for template in pack.templates:
        there = stored.get((template.code, template.version))
        if there is not None:
            _check_template(there, template, result.pack)
        elif template.code in codes:
            _create(template, result.pack, actor)
            result.drafts.append(template.name)
        else:
            _bring_into_force(_create(template, result.pack, actor), actor)
            result.templates.append(template.name)


def _check_template(there: StoredTemplate, template: JournalTemplate, pack: str) -> None:
    """What is stored is the pack's own, apart from the day on which it ended."""
    content = as_template(there)
    difference = ""
    if there.pack != pack:
        difference = f"it belongs to {there.pack}"
    elif there.status != StoredTemplate.Status.DRAFT:
        found, wanted = summary(content), summary(template)
        ignored = {"effective_from", "effective_to"}
        difference = ", ".join(name for name in wanted if name not in ignored and found[name] != wanted[name])
    if difference:
        raise TemplateDiffers(template=there, pack=pack, difference=difference)


def _create(template: JournalTemplate, pack: str, actor: User) -> StoredTemplate:
    stored = StoredTemplate.objects.create(
        code=template.code,
        version=template.version,
        pack=pack,
        effective_from=template.effective_from,
        created_by=actor,
    )
    store(stored, template)
    return stored


def _bring_into_force(stored: StoredTemplate, actor: User) -> None:
    # What ships with the product needs no second person: the system is author and approver.
    stored.status = StoredTemplate.Status.ACTIVE
    stored.approved_by, stored.approved_at = actor, timezone.now()
    stored.save(update_fields=["status", "approved_by", "approved_at"])
    audit.record(
        actor=actor,
        action="template.approved",
        subject=subject(stored),
        after={"status": stored.status, "pack": stored.pack},
    )


def _install_overrides(
    rows: Sequence[AccountOverride], chart: Mapping[str, Account], result: PackInstalled
) -> None:
    for row in rows:
        _, added = ProductAccountMap.objects.get_or_create(
            template_code=row.template_code,
            product=row.product,
            account=chart[row.account],
            fund=row.fund,
            defaults={"to_account": chart[row.to_account], "to_fund": row.to_fund},
        )
        if added:
            result.overrides.append(f"{row.product}: {row.account} to {row.to_account}")
