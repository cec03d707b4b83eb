"""Screens of the fleet: master data is edited here, leases and assignments are changed through services."""

from . import agreements, caps, deposits, fleet, installments

__all__ = ["agreements", "caps", "deposits", "fleet", "installments"]
