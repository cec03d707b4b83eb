"""The shapes of accounts, transfers and events: what clients send and are answered, and what events may be asked."""

import re
from datetime import date, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from batconnect.api.fields import DateField, IntegerField, TextField
from batconnect.api.views import Query
from batconnect.common.weeks import NEW_YORK

from ..models import Account, EntryLine, Origin
from ..selectors.client_accounts import LONGEST_CURSOR
from .journal_schemas import MOST_NOTES, GivenAmountField, JournalAmountField, Notes

MOST_EVENTS = 100
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})\Z"
)
_YEARS = range(1900, 9999)


@extend_schema_serializer(component_name="NewAccount")
class NewAccountRequest(serializers.Serializer[Any]):
    currency = TextField(max_length=3, help_text="ISO-4217, e.g. `USD`.")
    type = TextField(max_length=20, help_text="`user`, `merchant` or `internal`; in any case.")
    metadata = Notes(
        required=False,
        help_text=f"At most {MOST_NOTES} notes of your own: text by name. `name` becomes the account's name.",
    )


@extend_schema_serializer(component_name="Account")
class AccountAnswer(serializers.Serializer[Any]):
    account_id = serializers.UUIDField()
    code = serializers.CharField()
    name = serializers.CharField()
    type = serializers.CharField(
        allow_null=True, help_text="`user`, `merchant` or `internal`; null for an account of finance's chart."
    )
    account_type = serializers.ChoiceField(
        choices=Account.Type.choices,
        help_text="Balances of assets and expenses are debits minus credits, all others credits minus debits.",
    )
    currency = serializers.CharField()
    active = serializers.BooleanField()
    overdraft_limit = JournalAmountField(
        allow_null=True, help_text="How far below zero the balance may go; null is no limit."
    )
    transfer_limit = JournalAmountField(
        allow_null=True, help_text="The most that one transfer from it moves; null is no limit."
    )
    metadata = serializers.DictField()
    created_at = serializers.DateTimeField()


@extend_schema_serializer(component_name="AccountBalance")
class BalanceAnswer(serializers.Serializer[Any]):
    account_id = serializers.UUIDField()
    code = serializers.CharField()
    currency = serializers.CharField()
    balance = JournalAmountField(help_text="What makes the account larger is positive.")
    as_of = serializers.CharField(allow_null=True, help_text="As it was asked; null is now.")


@extend_schema_serializer(component_name="NewTransfer")
class TransferRequest(serializers.Serializer[Any]):
    source_account_id = serializers.UUIDField()
    destination_account_id = serializers.UUIDField()
    amount = GivenAmountField(help_text="Above zero, with at most the currency's decimals.")
    currency = TextField(max_length=3, help_text="That of both accounts.")
    metadata = Notes(
        required=False,
        help_text=f"At most {MOST_NOTES} notes of your own: text by name. `description` becomes the entry's.",
    )


@extend_schema_serializer(component_name="Transfer")
class TransferAnswer(serializers.Serializer[Any]):
    je_number = serializers.CharField(help_text="Its journal entry.")
    je_date = serializers.DateField(help_text="The accounting date.")
    source_account_id = serializers.UUIDField()
    destination_account_id = serializers.UUIDField()
    amount = JournalAmountField()
    currency = serializers.CharField()
    metadata = serializers.DictField()
    source_balance = JournalAmountField(
        allow_null=True, help_text="After the transfer; null for an account without an overdraft rule."
    )
    destination_balance = JournalAmountField(allow_null=True)


class Event(serializers.Serializer[Any]):
    je_number = serializers.CharField()
    line_number = serializers.IntegerField()
    je_date = serializers.DateField(help_text="The accounting date.")
    event_on = serializers.DateField(help_text="The day it happened.")
    origin = serializers.ChoiceField(choices=Origin.choices)
    side = serializers.ChoiceField(choices=EntryLine.Side.choices)
    fund = serializers.CharField()
    amount = JournalAmountField(help_text="Of the line; above zero.")
    change = serializers.CharField(help_text="What the line did to the balance: the amount, or minus it.")
    balance_after = serializers.CharField(help_text="In the order of the entries' numbers.")
    currency = serializers.CharField()
    description = serializers.CharField()
    reference = serializers.CharField()
    metadata = serializers.DictField(allow_null=True)
    created_at = serializers.DateTimeField()


class EventPage(serializers.Serializer[Any]):
    items = Event(many=True)
    next_cursor = serializers.CharField(
        allow_null=True, help_text="For the events before these; null: the last."
    )


@extend_schema_field(
    {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}
)
class AsOfField(serializers.Field):
    """A day, or a moment with its offset from UTC."""

    default_error_messages = {
        "invalid": "Write a day (2019-03-03), or a moment with its offset (2019-03-03T12:00:00-05:00)."
    }

    def to_internal_value(self, data: Any) -> date | datetime:
        if not _MOMENT.match(data):
            return self._within(DateField().run_validation(data))
        try:
            moment = datetime.fromisoformat(data)
        except ValueError:
            self.fail("invalid")
        self._within(moment)
        return moment.astimezone(NEW_YORK)

    def _within(self, value: Any) -> Any:
        if value.year not in _YEARS:
            raise serializers.ValidationError(f"The year is from {_YEARS[0]} to {_YEARS[-1]}.")
        return value


class AccountBalanceQuery(Query):
    as_of = AsOfField(
        required=False,
        help_text="A day counts entries with an accounting date up to it; a moment counts entries made by then. Not "
        "given: now.",
    )


class EventsQuery(Query):
    account_id = serializers.UUIDField()
    limit = IntegerField(min_value=1, max_value=MOST_EVENTS, default=50)
    cursor = TextField(
        max_length=LONGEST_CURSOR, required=False, help_text="The `next_cursor` of the events after these."
    )
