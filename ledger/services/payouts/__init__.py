"""Paying drivers: bank details, the pay list, ACH batches and their files, returns, checks, cash, holds."""
