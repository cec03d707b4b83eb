"""Overrides: for one product, another account in place of the one a template's line names.

They take effect at once, on whatever is entered from then on; unlike templates they have no dates.
"""

from django.db import IntegrityError, connection, transaction

from batconnect.common import audit, locks
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction

from ..models import Account, JournalTemplate, ProductAccountMap
from .errors import LedgerError


class OverrideExists(LedgerError):
    code, status = "override.exists", 409
    message = "{product} has an override of {account} there already; remove that one first."


class UnknownOverride(LedgerError):
    code, status = "override.unknown", 404
    message = "There is no such override."


class OverrideRefused(LedgerError):
    code, status = "override.refused", 400
    message = "{reason}"


@money_transaction
def add_override(
    *,
    product: str,
    account: Account,
    to_account: Account,
    actor: User,
    template_code: str | None = None,
    fund: str | None = None,
    to_fund: str | None = None,
) -> ProductAccountMap:
    """Send what events of a product would book on `account` to `to_account`.

    `template_code` None is every template, `fund` None every fund; `to_fund` None keeps the line's own.
    Raises OverrideRefused, OverrideExists.
    """
    _lock()
    reason = _why_not(product, account, to_account, template_code, fund, to_fund)
    if reason:
        raise OverrideRefused(reason=reason)
    try:
        with transaction.atomic():
            row = ProductAccountMap.objects.create(
                template_code=template_code,
                product=product,
                account=account,
                fund=fund,
                to_account=to_account,
                to_fund=to_fund,
            )
    except IntegrityError as error:
        raise OverrideExists(product=product, account=account.code) from error
    audit.record(actor=actor, action="override.added", subject=f"override:{row.pk}", after=_told(row))
    return row


@money_transaction
def remove_override(*, override_id: int, actor: User) -> None:
    """From now on the templates' own accounts are used for this product again. Raises UnknownOverride."""
    _lock()
    row = ProductAccountMap.objects.select_related("account", "to_account").filter(pk=override_id).first()
    if row is None:
        raise UnknownOverride
    before = _told(row)
    row.delete()
    audit.record(actor=actor, action="override.removed", subject=f"override:{override_id}", before=before)


def _why_not(
    product: str,
    account: Account,
    to_account: Account,
    template_code: str | None,
    fund: str | None,
    to_fund: str | None,
) -> str:
    if not product:
        return "An override is for one product; name it."
    if (account.pk, fund) == (to_account.pk, to_fund or fund):
        return "It leads to the same account and fund; choose another."
    for each in (account, to_account):
        if each.is_control:
            return (
                f"{each.code} is a control account: its entries are its own service's and are not diverted."
            )
    if not to_account.active:
        return f"{to_account.code} is not active; choose another account, or have it made active first."
    if account.currency_id != to_account.currency_id:
        return (
            f"{to_account.code} is in {to_account.currency_id}, and {account.code} in {account.currency_id}."
        )
    if template_code and not JournalTemplate.objects.filter(code=template_code).exists():
        return f"There is no template {template_code}."
    return ""


def _told(row: ProductAccountMap) -> dict[str, str]:
    return {
        "product": row.product,
        "template": row.template_code or "every template",
        "account": row.account.code,
        "fund": row.fund or "every fund",
        "to_account": row.to_account.code,
        "to_fund": row.to_fund or "the same",
    }


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.JOURNAL_TEMPLATES])
