"""What the API says of a change of a lease and of what was agreed about it."""

from dataclasses import replace
from typing import Any

from rest_framework import serializers

from batconnect.api.fields import AmountField

from ..models import (
    Lease,
    LeaseDriver,
    LeaseFee,
    LeaseInstallment,
    LeaseSuspension,
    LeaseTermination,
    VehicleAssignment,
)
from ..services import Effect
from ..standing import InstallmentStatus


class LineRow(serializers.Serializer[Any]):
    """One installment, or the cancellation fee; that has no days."""

    reference_id = serializers.CharField()
    period_start = serializers.DateField(allow_null=True)
    period_end = serializers.DateField(allow_null=True)
    days = serializers.IntegerField(allow_null=True)
    weekly_fee = AmountField(allow_null=True)
    amount = AmountField()
    due_on = serializers.DateField()
    paid = AmountField(
        help_text="What was paid of it: before, where it is replaced; now, where it is posted."
    )
    posting_id = serializers.UUIDField(allow_null=True, help_text="Null for what a dry run would post.")


class EffectRow(serializers.Serializer[Any]):
    """What a change did, or would do (`dry_run`): nothing of that was kept then."""

    dry_run = serializers.BooleanField()
    lease_id = serializers.IntegerField()
    lease_number = serializers.CharField()
    status = serializers.ChoiceField(choices=Lease.Status.choices)
    ends_on = serializers.DateField(allow_null=True)
    balance_before = AmountField()
    balance_after = AmountField()
    open_credit_before = AmountField(help_text="What the driver has in hand on this account.")
    open_credit_after = AmountField()
    cancelled = LineRow(many=True, help_text="Was scheduled, and does not come any more.")
    replaced = LineRow(many=True, help_text="Was posted, and is voided.")
    posted = LineRow(many=True, help_text="Was posted in its place, and a cancellation fee.")
    scheduled = LineRow(many=True, help_text="Is posted by the next weekly run.")
    cancellation_fee = AmountField(help_text="What was due for an early end.")
    waived = serializers.BooleanField()
    deposit_cancelled = AmountField(
        help_text="Of a lease cancelled before it began: what of its deposit was agreed and does not come."
    )


class FeeRow(serializers.ModelSerializer[LeaseFee]):
    weekly_fee = AmountField()

    class Meta:
        model = LeaseFee
        fields = ["effective_from", "weekly_fee"]


class SuspensionRow(serializers.ModelSerializer[LeaseSuspension]):
    class Meta:
        model = LeaseSuspension
        fields = ["starts_on", "ends_on", "reason", "withdrawn"]


class TerminationRow(serializers.ModelSerializer[LeaseTermination]):
    cancellation_fee = AmountField()

    class Meta:
        model = LeaseTermination
        fields = [
            "ends_on",
            "agreed_end",
            "reason",
            "cancellation_fee",
            "waiver_reason",
            "posting_id",
            "entered_on",
        ]


class CarriedRow(serializers.ModelSerializer[VehicleAssignment]):
    """A vehicle the lease's medallion carried while it ran."""

    vehicle_id = serializers.IntegerField()
    vehicle_vin = serializers.CharField(source="vehicle.vin")
    plate = serializers.CharField(source="vehicle.plate")

    class Meta:
        model = VehicleAssignment
        fields = ["vehicle_id", "vehicle_vin", "plate", "started_at", "ended_at"]


class AddedDriverRow(serializers.ModelSerializer[LeaseDriver]):
    """An additional driver; what he earns and owes is settled with the lease's driver."""

    driver_id = serializers.IntegerField()
    driver_name = serializers.CharField(source="driver.name")
    tlc_license = serializers.CharField(source="driver.tlc_license")

    class Meta:
        model = LeaseDriver
        fields = ["id", "driver_id", "driver_name", "tlc_license", "starts_on", "ends_on", "withdrawn"]


class TermsRow(serializers.Serializer[Any]):
    fees = FeeRow(many=True)
    suspensions = SuspensionRow(many=True)
    terminations = TerminationRow(many=True)
    vehicles = CarriedRow(many=True)
    drivers = AddedDriverRow(many=True, help_text="Additional drivers.")


class SwapRow(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField()
    lease_id = serializers.IntegerField()
    lease_number = serializers.CharField()
    medallion_no = serializers.CharField()
    former_vehicle_id = serializers.IntegerField(allow_null=True)
    vehicle_id = serializers.IntegerField()
    vehicle_vin = serializers.CharField()
    at = serializers.DateTimeField()


class InstallmentRow(serializers.ModelSerializer[LeaseInstallment]):
    weekly_fee = AmountField()
    amount = AmountField()
    open_amount = AmountField(allow_null=True, help_text="What of it is still owed; null: never posted.")
    status = serializers.ChoiceField(choices=InstallmentStatus.choices, help_text="Follows the ledger.")
    current_posting_id = serializers.UUIDField(allow_null=True)

    class Meta:
        model = LeaseInstallment
        fields = [
            "id",
            "reference_id",
            "period_start",
            "period_end",
            "days",
            "weekly_fee",
            "amount",
            "open_amount",
            "due_on",
            "status",
            "posting_id",
            "current_posting_id",
            "replaced_on",
        ]


def effect_facts(effect: Effect, *, dry_run: bool) -> dict[str, Any]:
    """An effect, JSON-ready, as `EffectRow` says it."""
    facts = {
        "dry_run": dry_run,
        "lease_id": effect.lease.pk,
        "lease_number": effect.lease.number,
        "status": effect.lease.status,
        "ends_on": effect.lease.ends_on,
        "balance_before": effect.balance_before,
        "balance_after": effect.balance_after,
        "open_credit_before": effect.credit_before,
        "open_credit_after": effect.credit_after,
        "cancelled": effect.cancelled,
        "replaced": effect.replaced,
        "posted": [replace(line, posting_id=None) if dry_run else line for line in effect.posted],
        "scheduled": effect.scheduled,
        "cancellation_fee": effect.cancellation_fee,
        "waived": effect.waived,
        "deposit_cancelled": effect.deposit_cancelled,
    }
    return dict(EffectRow(facts).data)
