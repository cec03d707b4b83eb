"""The shapes of the financial reports' answers."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from batconnect.api.fields import AmountField

from ..models import EntryLine, Origin

JOURNAL_MONEY_PATTERN = r"^-?[0-9]{1,20}(\.[0-9]{1,6})?$"
_CATEGORIES = {
    "type": "object",
    "additionalProperties": {"type": "string", "pattern": JOURNAL_MONEY_PATTERN},
    "example": {"LEASE": "500.00", "EARNINGS": "-560.00"},
}


@extend_schema_field({"type": "string", "pattern": JOURNAL_MONEY_PATTERN, "example": "1250.00"})
class JournalAmountField(serializers.Field):
    """An amount of the journal: a string with its currency's decimals."""


@extend_schema_field(_CATEGORIES)
class CategoriesField(serializers.Field):
    """The net of each category that occurs."""


def _period() -> dict[str, serializers.Field[Any, Any, Any, Any]]:
    return {"from": serializers.DateField(), "to": serializers.DateField()}


class _Sums(serializers.Serializer[Any]):
    currency = serializers.CharField()
    opening = JournalAmountField(help_text="Zero in sound books.")
    debits = JournalAmountField()
    credits = JournalAmountField()
    closing = JournalAmountField(help_text="Zero in sound books.")
    balanced = serializers.BooleanField()


class _FundSums(_Sums):
    fund = serializers.CharField()


class TrialBalanceRow(serializers.Serializer[Any]):
    account = serializers.CharField()
    account_id = serializers.UUIDField(help_text="The account's id in this API.")
    name = serializers.CharField()
    type = serializers.CharField(help_text="ASSET, LIABILITY, EQUITY, INCOME or EXPENSE.")
    currency = serializers.CharField()
    fund = serializers.CharField()
    opening = JournalAmountField(help_text="Debits minus credits before the period.")
    debits = JournalAmountField()
    credits = JournalAmountField()
    closing = JournalAmountField(help_text="opening + debits - credits")


class TrialBalance(serializers.Serializer[Any]):
    fund = serializers.CharField(allow_null=True)
    balanced = serializers.BooleanField()
    rows = TrialBalanceRow(many=True)
    totals = _Sums(many=True, help_text="By currency.")
    funds = _FundSums(many=True, help_text="By currency and fund.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**_period(), **super().get_fields()}


class StatementAccount(serializers.Serializer[Any]):
    account = serializers.CharField()
    name = serializers.CharField()
    fund = serializers.CharField()
    amount = JournalAmountField()


class Section(serializers.Serializer[Any]):
    accounts = StatementAccount(many=True)
    total = JournalAmountField()


class ProfitAndLoss(serializers.Serializer[Any]):
    fund = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    income = Section()
    expenses = Section()
    result = JournalAmountField(help_text="Income less expenses.")
    other_currencies = serializers.ListField(
        child=serializers.CharField(),
        help_text="Currencies that have a statement of their own for this period.",
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**_period(), **super().get_fields()}


class BalanceSheet(serializers.Serializer[Any]):
    as_of = serializers.DateField()
    fund = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    balanced = serializers.BooleanField()
    assets = Section()
    liabilities = Section()
    equity = Section()
    result_of_earlier_years = JournalAmountField()
    result_of_year = JournalAmountField(help_text="From January 1 to `as_of`.")
    liabilities_and_equity = JournalAmountField(help_text="With both results.")
    other_currencies = serializers.ListField(child=serializers.CharField())


class StatementRow(serializers.Serializer[Any]):
    date = serializers.DateField()
    je_number = serializers.CharField()
    line_number = serializers.IntegerField()
    fund = serializers.CharField()
    side = serializers.ChoiceField(choices=EntryLine.Side.choices)
    amount = JournalAmountField()
    balance = JournalAmountField(help_text="After this line; debits minus credits.")
    origin = serializers.ChoiceField(choices=Origin.choices)
    event_on = serializers.DateField()
    description = serializers.CharField(allow_blank=True)
    reference = serializers.CharField(allow_blank=True)
    is_reversal = serializers.BooleanField()
    posting_id = serializers.UUIDField(allow_null=True)
    category = serializers.CharField(allow_null=True)
    driver_id = serializers.IntegerField(allow_null=True)
    driver_name = serializers.CharField(allow_null=True)


class Statement(serializers.Serializer[Any]):
    account = serializers.CharField()
    name = serializers.CharField()
    type = serializers.CharField(help_text="ASSET, LIABILITY, EQUITY, INCOME or EXPENSE.")
    currency = serializers.CharField()
    fund = serializers.CharField(allow_null=True)
    opening = JournalAmountField()
    debits = JournalAmountField()
    credits = JournalAmountField()
    closing = JournalAmountField()
    balance_before = JournalAmountField(help_text="Above the first line of this page.")
    items = StatementRow(many=True)
    next_cursor = serializers.CharField(allow_null=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**_period(), **super().get_fields()}


class SummaryFigures(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="Postings, reversals included.")
    charged = AmountField(help_text="Debits that are no reversals.")
    credited = AmountField(help_text="Credits that are no reversals.")
    voided = AmountField(help_text="What reversals came to: below zero where charges were taken back.")
    net = AmountField(help_text="charged - credited + voided")
    categories = CategoriesField()


class SummaryRow(SummaryFigures):
    key = serializers.CharField(
        help_text="The driver's, lease's, vehicle's or medallion's id, or the category."
    )
    label = serializers.CharField()  # type: ignore[assignment]
    detail = serializers.CharField(
        allow_blank=True, help_text="The driver's licence, the lease's driver, the plate."
    )
    postings = serializers.CharField(
        help_text="The query under which `/ledger/postings` lists what is behind it."
    )


class SummaryPage(serializers.Serializer[Any]):
    by = serializers.CharField()
    totals = SummaryFigures()
    items = SummaryRow(many=True)
    total_items = serializers.IntegerField()
    page = serializers.IntegerField()
    per_page = serializers.IntegerField()
    total_pages = serializers.IntegerField()
    total_is_estimate = serializers.BooleanField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**_period(), **super().get_fields()}
