"""Find ledger rows by what people know: a reference, a driver, a licence, a lease, a medallion.

Names are looked up in the small tables first; the large ones are then asked by account, for which they have
an index.
"""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from batconnect.common.screens import ReadOnlyAdmin
from ledger.models import DriverAccount
from ledger.selectors.postings import postings_with_reference, with_reversals

MOST_ACCOUNTS = 500
_REPLACEMENTS = 9
HELP = "Reference, driver, licence, lease or medallion"


def accounts_matching(term: str) -> list[int]:
    """Ids of the accounts whose driver, lease or medallion is called so."""
    found = DriverAccount.objects.filter(
        Q(driver__tlc_license__iexact=term)
        | Q(driver__name__icontains=term)
        | Q(lease__number__iexact=term)
        | Q(lease__medallion__number__iexact=term)
    )
    return list(found.order_by("-pk").values_list("pk", flat=True)[:MOST_ACCOUNTS])


def reference_forms(term: str) -> list[str]:
    """A reference and the corrections that may have replaced it."""
    return [term, *(f"{term}/{number}" for number in range(2, _REPLACEMENTS + 1))]


class AccountSearchAdmin(ReadOnlyAdmin):
    """A list whose rows have an `account`, and maybe a category and reference of their own."""

    search_fields = ("account__driver__tlc_license",)  # shows the box; get_search_results does the work
    search_help_text = HELP
    finds_references = False  # for lists whose key is a posting's
    list_select_related: Any = ("account__driver", "account__lease__medallion")

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> tuple["QuerySet[Any]", bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        condition = Q(account_id__in=accounts_matching(term))
        if self.finds_references:
            condition |= Q(pk__in=with_reversals(postings_with_reference(*reference_forms(term))))
        return queryset.filter(condition), False
