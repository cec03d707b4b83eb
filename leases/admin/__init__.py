"""Screens of the fleet: master data is edited here, leases and assignments are changed through services."""

from . import agreements, fleet

__all__ = ["agreements", "fleet"]
