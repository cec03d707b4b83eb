"""Frames in, frames and rejects out: the bulk work of the ledger, in Polars, without Django models."""
