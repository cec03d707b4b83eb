"""Lease caps by city rule: dated rows, added when the city changes them; what was in force stays to be read."""

from django.contrib import admin

from batconnect.common.screens import day_column, money_column
from leases.models import LeaseCap

from .base import FleetAdmin


@admin.register(LeaseCap)
class LeaseCapAdmin(FleetAdmin):
    empty_note = "What a lease of a kind may cost at most, from a day on."
    list_display = (
        "lease_type",
        "vehicle_type",
        day_column("effective_from", "From", ordering="effective_from"),
        money_column("weekly_cap", "A week at most", ordering="weekly_cap"),
        "rule",
    )
    list_filter = ("lease_type",)
    search_fields = ("vehicle_type", "rule")
    search_help_text = "Vehicle type or rule"
    ordering = ("lease_type", "vehicle_type", "-effective_from")
    fields = ("lease_type", "vehicle_type", "effective_from", "weekly_cap", "rule")
