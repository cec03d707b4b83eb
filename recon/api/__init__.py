"""Reconciliation over HTTP: start one, follow it, read what it found, work its exceptions."""
