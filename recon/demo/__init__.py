"""The demo's part of reconciliation: what the card processor settled, and how it was set beside the trips."""
