"""What the ledger's GET endpoints may be asked."""

from typing import Any

from rest_framework import serializers

from batconnect.api.fields import DateField, FlagField, IdField, TextField
from batconnect.api.pagination import PageQuery, Sorts
from batconnect.api.views import Query
from batconnect.common.weeks import check_sunday
from batconnect.exports import EXPORT_FORMATS

from ..models import DTR, Category, EntryType, LedgerBalance, LedgerPosting
from ..selectors import aging

POSTING_STATUSES = LedgerPosting.Status.values
BALANCE_STATUSES = LedgerBalance.Status.values
POSTING_SORTS: Sorts = {
    "created_at": "pk",  # ids grow with time, and are indexed
    "effective_on": "effective_on",
    "due_date": "due_on",
    "amount": "amount",
    "category": "category",
    "reference_id": "reference_id",
    "driver_name": "driver__name",
}
BALANCE_SORTS: Sorts = {
    "created_at": "pk",
    "effective_on": "effective_on",
    "due_date": "due_on",
    "original_amount": "original_amount",
    "balance": "balance",
    "category": "category",
    "reference_id": "reference_id",
    "driver_name": "posting__driver__name",
}


class LedgerFilter(Query):
    """The filters that postings and balances share; those given must all hold."""

    driver_name = TextField(
        max_length=120, required=False, help_text="A part of the driver's name, in any case."
    )
    driver_id = IdField(required=False)
    lease_id = IdField(required=False)
    medallion_no = TextField(max_length=10, required=False, help_text="The medallion when posted, whole.")
    vehicle_vin = TextField(max_length=17, required=False, help_text="The vehicle when posted, whole.")
    category = serializers.ChoiceField(choices=Category.choices, required=False)
    entry_type = serializers.ChoiceField(choices=EntryType.choices, required=False)
    start_date = DateField(required=False, help_text="First accounting date (`effective_on`), included.")
    end_date = DateField(required=False, help_text="Last accounting date (`effective_on`), included.")
    reference_id = TextField(max_length=80, required=False, help_text="Whole; finds the reversal as well.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "start_date" in attrs and "end_date" in attrs and attrs["start_date"] > attrs["end_date"]:
            raise serializers.ValidationError({"end_date": ["This is before start_date."]})
        return attrs


class _Stubs(Query):
    use_stubs = FlagField(
        required=False,
        help_text="`true` answers with generated rows of the same shape; filters are then checked, not applied.",
    )


class PostingsQuery(LedgerFilter, PageQuery, _Stubs):
    sorts = POSTING_SORTS
    status = serializers.ChoiceField(choices=POSTING_STATUSES, required=False)


class BalancesQuery(LedgerFilter, PageQuery, _Stubs):
    sorts = BALANCE_SORTS
    status = serializers.ChoiceField(choices=BALANCE_STATUSES, required=False)


class ExportQuery(LedgerFilter):
    """The filters of the list that is exported, in its order by time, oldest first."""

    export_type = serializers.ChoiceField(choices=["postings", "balances"])
    format = serializers.ChoiceField(choices=EXPORT_FORMATS, default="excel")
    status = serializers.ChoiceField(
        choices=[*POSTING_STATUSES, *BALANCE_STATUSES],
        required=False,
        help_text="POSTED or VOIDED for postings, OPEN or CLOSED for balances.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        allowed = POSTING_STATUSES if attrs["export_type"] == "postings" else BALANCE_STATUSES
        if attrs.get("status", allowed[0]) not in allowed:
            raise serializers.ValidationError(
                {"status": [f"{attrs['export_type']} are {' or '.join(allowed)}."]}
            )
        return super().validate(attrs)


class AsOfQuery(Query):
    as_of = DateField(
        required=False,
        help_text="Counts postings and allocations with an accounting date up to this day. Not given: now, "
        "which is the open items.",
    )


class AgingQuery(AsOfQuery, PageQuery):
    sorts: Sorts = {"balance": "balance", **{name: name for name in aging.SORTS}}


class DTRsQuery(PageQuery):
    sorts: Sorts = {"week": "week", "number": "number", "net_pay": "net_pay", "driver_name": "driver__name"}
    week = DateField(required=False, help_text="The Sunday the week starts on.")
    driver_id = IdField(required=False)
    lease_id = IdField(required=False)
    status = serializers.ChoiceField(choices=DTR.Status.choices, required=False)
    medallion_no = TextField(max_length=10, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "week" in attrs:
            check_sunday(attrs["week"])
        return attrs
