"""Screens of the fleet: master data is edited here, leases and assignments are changed through services."""

from . import agreements, deposits, fleet

__all__ = ["agreements", "deposits", "fleet"]
