"""Screens of the fleet: master data is edited here, leases and assignments are changed through services."""

from . import agreements, caps, fleet, installments

__all__ = ["agreements", "caps", "fleet", "installments"]
