"""What every HTTP endpoint shares: errors, authentication, permissions, pages, idempotency, documentation.

Endpoints themselves live in their app's `api`; nothing here knows about the ledger.
"""
