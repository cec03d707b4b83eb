"""What a payment at the desk is asked with: the same over `/ledger/interim-payment` and as step INTPAY-001."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from batconnect.api.fields import BodyIdField, PositiveAmountField, TextField

from .models import PaymentMethod


class Allocations(serializers.DictField):
    """At most 500 references in one payment."""

    child = PositiveAmountField()
    MOST = 500

    def run_child_validation(self, data: Any) -> Any:
        if len(data) > self.MOST:
            raise serializers.ValidationError(f"At most {self.MOST} references in one payment.")
        return super().run_child_validation(data)


@extend_schema_serializer(component_name="InterimPayment")
class InterimPaymentRequest(serializers.Serializer[Any]):
    driver_id = BodyIdField()
    lease_id = BodyIdField()
    total_payment_amount = PositiveAmountField()
    payment_method = serializers.ChoiceField(choices=PaymentMethod.choices)
    method_reference = TextField(
        max_length=60,
        required=False,
        allow_blank=True,
        default="",
        help_text="Check number or ACH reference.",
    )
    allocations = Allocations(
        required=False,
        default=dict,
        help_text="Amount per reference id, as `CATEGORY:REF` where two categories share it. What is not "
        "allocated goes to open lease items, oldest first; what is then left stays an open credit.",
    )
