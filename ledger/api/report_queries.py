"""What the financial reports may be asked."""

from datetime import date
from typing import Any

from rest_framework import serializers

from batconnect.api.fields import DateField, IntegerField, TextField
from batconnect.api.pagination import PageQuery, Sorts
from batconnect.api.views import Query, today

from ..selectors.account_balances import last_day_of, month_of
from ..selectors.summaries import DIMENSIONS, SORTS
from ..services.report_files import FILE_FORMATS

LONGEST_PAGE = 500


class FileQuery(Query):
    format = serializers.ChoiceField(choices=["json", *FILE_FORMATS], default="json")


class PeriodQuery(FileQuery):
    """`period`, or `from` and `to`; nothing is this month. Adds `start` and `end` to what was asked."""

    period = serializers.RegexField(
        r"^[0-9]{4}-(0[1-9]|1[0-2])$", required=False, help_text="A month, e.g. `2019-03`."
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()  # `from` cannot be written as an attribute
        fields["from"] = DateField(
            required=False,
            help_text="First accounting date, included; not given: the first of the month of `to`.",
        )
        fields["to"] = DateField(
            required=False, help_text="Last accounting date, included; not given: today."
        )
        return fields

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        month = attrs.pop("period", None)
        if month and ("from" in attrs or "to" in attrs):
            raise serializers.ValidationError({"period": ["Give a period, or from and to, not both."]})
        if month:
            if month.startswith("0000"):
                raise serializers.ValidationError({"period": ["There is no year 0."]})
            attrs["from"] = date.fromisoformat(f"{month}-01")
            attrs["to"] = date.max if month == "9999-12" else last_day_of(attrs["from"])
        end = attrs.pop("to", None) or max(today(), attrs.get("from", date.min))
        start = attrs.pop("from", None) or month_of(end)
        if start > end:
            raise serializers.ValidationError({"to": ["This is before from."]})
        return super().validate({**attrs, "start": start, "end": end})


class _Fund(Query):
    fund = TextField(max_length=10, required=False, help_text="One fund, e.g. `OP`; not given: all.")


class _Currency(Query):
    currency = TextField(max_length=3, default="USD", help_text="Statements are in one currency.")


class TrialBalanceQuery(PeriodQuery, _Fund):
    pass


class ProfitAndLossQuery(PeriodQuery, _Fund, _Currency):
    pass


class BalanceSheetQuery(FileQuery, _Fund, _Currency):
    as_of = DateField(required=False, help_text="Not given: today.")


class StatementQuery(PeriodQuery, _Fund):
    account = TextField(max_length=40, help_text="The account's code, e.g. `1200`, or its id.")
    cursor = TextField(max_length=60, required=False, help_text="`next_cursor` of the page before.")
    limit = IntegerField(
        min_value=1, max_value=LONGEST_PAGE, default=100, help_text="Lines of a page; a file has them all."
    )


class SummaryQuery(PeriodQuery, PageQuery):
    sorts: Sorts = {name: name for name in SORTS}
    default_order = "asc"
    by = serializers.ChoiceField(choices=list(DIMENSIONS))
