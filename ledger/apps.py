from django.apps import AppConfig

_INSERT_ONLY = "SELECT, INSERT"


class LedgerConfig(AppConfig):
    name = "ledger"
    verbose_name = "Driver ledger"
    default_auto_field = "django.db.models.BigAutoField"
    # Open items and balances are moved by triggers that run as the owner; locking an account takes a right to
    # update something of it, and a trigger refuses the update itself.
    application_rights = {
        "driver_account": "SELECT, INSERT, UPDATE (id)",
        "ledger_posting": _INSERT_ONLY,
        "ledger_balance": "SELECT",
        "ledger_allocation": _INSERT_ONLY,
        "interim_payment": _INSERT_ONLY,
        "dtr": _INSERT_ONLY,
        "dtr_payment": _INSERT_ONLY,
        "payout_instruction": "SELECT, INSERT, UPDATE",
        "payout_hold": "SELECT, INSERT, UPDATE (released_by_id, released_at, release_reason)",
        "payout_batch": "SELECT, INSERT, UPDATE",
        # States of items follow the payments; a draft's may be withdrawn, and get their traces with the file.
        "payout_item": "SELECT, INSERT, UPDATE (trace_number, withdrawn_by_id, withdrawn_at, withdrawn_reason)",
        "payout_checkbook": "SELECT, INSERT, UPDATE (is_current)",
        "payout_check": "SELECT, INSERT, UPDATE (state, cleared_on)",
        "payout_return_file": _INSERT_ONLY,
        "payout_return": "SELECT, INSERT, UPDATE",
        "weekly_run": "SELECT, INSERT, UPDATE",
        "txn_source_parent": _INSERT_ONLY,
        "source_row_seen": _INSERT_ONLY,
        "source_reject": _INSERT_ONLY,
        "trip_total": "SELECT, INSERT, UPDATE (settled_week)",
        "import_batch": "SELECT, INSERT, UPDATE",
        "parked_row": "SELECT, INSERT, UPDATE",
        "ledger_entry_header": _INSERT_ONLY,
        "ledger_entry_line": _INSERT_ONLY,
        "ledger_entry_reversal": "SELECT",
        "source_row_journalised": "SELECT",
        "guarded_balance": "SELECT",
        "template_policy": "SELECT",
        "currency": "SELECT",
        "ledger_seal": _INSERT_ONLY,
        "accounting_month": "SELECT, INSERT, UPDATE",
        "accounting_month_event": _INSERT_ONLY,
        "manual_journal": "SELECT, INSERT, UPDATE",
        # A run and its shards are planned and noted upon; their states and results are written by the steps.
        "journal_run": "SELECT, INSERT,"
        " UPDATE (source_rows, policy_version, floor_date, large, reason, layers, timings, error_code, error)",
        "journal_run_shard": "SELECT, INSERT,"
        " UPDATE (source_rows, first_source_id, last_source_id, worker, taken_at, timings)",
        "journal_run_reject": _INSERT_ONLY,
        "journal_run_trip_total": "SELECT",
        "batch_account_total": "SELECT",
        "journal_shard_total": "SELECT",
        "je_header_staging": "SELECT",
        "je_line_staging": "SELECT",
        "archived_month": "SELECT",
        "archived_file": "SELECT",
        "archived_account_total": "SELECT",
        "credit_decision": _INSERT_ONLY,
        "opening_import": _INSERT_ONLY,
        # A close locks its drawer's row.
        "drawer": "SELECT, INSERT, UPDATE (cashier_id)",
        "drawer_movement": _INSERT_ONLY,
        "drawer_close": _INSERT_ONLY,
        "check_bounce": _INSERT_ONLY,
    }
