"""Settings of the HTTP API, read by `batconnect.settings`. Nothing here may import Django models."""

from datetime import timedelta
from typing import Any

import environ

env = environ.Env()

ACCESS_LIFETIME = timedelta(minutes=10)
REFRESH_LIFETIME = timedelta(hours=12)

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # The first one decides that a missing login answers 401 and not 403.
        "batconnect.api.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["batconnect.api.permissions.NamedPermission"],
    "DEFAULT_RENDERER_CLASSES": ["batconnect.api.content.ExactJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["batconnect.api.content.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "batconnect.api.content.OneFormat",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "batconnect.api.schema.Schema",
    "EXCEPTION_HANDLER": "batconnect.api.errors.answer_exception",
    "URL_FORMAT_OVERRIDE": None,  # `format` names the kind of an export
    "DEFAULT_THROTTLE_CLASSES": [
        "rest_framework.throttling.AnonRateThrottle",
        "rest_framework.throttling.UserRateThrottle",
        "rest_framework.throttling.ScopedRateThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "anon": env.str("API_RATE_ANONYMOUS", default="60/min"),
        "user": env.str("API_RATE_USER", default="1200/min"),
        "login": env.str("API_RATE_LOGIN", default="20/min"),
    },
    # How many proxies of ours add to X-Forwarded-For; what a client writes there itself counts for nothing.
    "NUM_PROXIES": env.int("API_PROXIES", default=0),
}

SIMPLE_JWT: dict[str, Any] = {
    "ACCESS_TOKEN_LIFETIME": ACCESS_LIFETIME,
    "REFRESH_TOKEN_LIFETIME": REFRESH_LIFETIME,
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "CHECK_REVOKE_TOKEN": True,  # a new password ends every token
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "BAT Connect",
    "DESCRIPTION": (
        "The money side of a taxi fleet: postings, open items, payments, weekly reports.\n\n"
        "Amounts are strings with two decimals, US dollars; dates are ISO; times carry their offset. "
        "Log in with a staff session, or get a token from `/auth/token` and send "
        "`Authorization: Bearer <access>`. A trailing slash is optional on every path. "
        "An unknown, repeated or empty query parameter is refused, so that no filter is ever ignored."
    ),
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "PostingStatus": "ledger.models.LedgerPosting.Status",
        "BalanceStatus": "ledger.models.LedgerBalance.Status",
        "DTRStatus": "ledger.models.DTR.Status",
        "LeaseStatus": "leases.models.Lease.Status",
        "Category": "ledger.models.Category",
        "EntryType": "ledger.models.EntryType",
        "PaymentMethod": "ledger.models.PaymentMethod",
        "LeaseType": "leases.models.LeaseType",
        "BatchState": "ledger.models.RunState",
        "WeekStatus": "ledger.models.WeeklyRun.Status",
        "JobStatus": "batconnect.jobs.models.JobRun.Status",
        "CaseStatus": "batconnect.cases.models.Case.Status",
        "CaseAction": "batconnect.cases.models.CaseEvent.Action",
        "ReconStatus": "recon.models.ReconJob.Status",
        "ReconOutcome": "recon.models.Outcome",
        "AgencyState": "recon.models.State",
        "AgencyDecisionAction": "recon.models.AgencyDecision.Action",
        "AgencyRequestAction": "recon.models.agency.ASKED",
        "SideEnum": "ledger.models.EntryLine.Side",
        "ReconSide": "recon.models.Side",
        "MatchStatus": "recon.models.ReconMatch.Status",
        "ExpenseCategory": "misc_expenses.models.ExpenseCategory",
        "ExpenseStatus": "misc_expenses.models.ExpenseStatus",
        "DepositStatus": "leases.deposit_models.DepositStatus",
        "DepositRefundMethod": "leases.deposit_models.RefundMethod",
        "RepaymentStatus": "repayments.models.Status",
        "InstallmentStatus": "ledger.models.InstallmentStatus",
        "OutgoingMethod": "ledger.models.OutgoingMethod",
        "PayoutMethod": "ledger.models.PayoutMethod",
        "PayoutBatchState": "ledger.models.PayoutBatch.State",
        "PayoutCheckState": "ledger.models.PayoutCheck.State",
        "PayoutReturnState": "ledger.models.PayoutReturn.State",
        "PayoutReturnKind": "ledger.models.PayoutReturn.Kind",
        "PayoutHoldKind": "ledger.models.PayoutHold.Kind",
        "CreditKind": "ledger.models.CreditDecision.Kind",
        "AgencyKind": "recon.models.AgencyKind",
        "TicketKind": "recon.api.agency_schemas.TICKET_KINDS",
    },
    "TAGS": [
        {"name": "ledger", "description": "Postings, open items, payments, balances, weekly reports (DTRs)."},
        {"name": "batches", "description": "Bulk runs: a month or a file of source rows into the journal."},
        {
            "name": "cases",
            "description": "Work that people do in steps: look at a step, carry it out, audit it.",
        },
        {"name": "misc expenses", "description": "One-off charges to drivers: lost keys, cleaning, damage."},
        {"name": "repairs", "description": "Repair invoices, and how drivers repay them by the week."},
        {"name": "loans", "description": "Money lent to drivers, and how it is repaid by the week."},
        {"name": "reconciliation", "description": "What the outside says against what is posted."},
        {"name": "fleet", "description": "Drivers, medallions, vehicles and leases."},
        {"name": "deposits", "description": "Deposits of leases: terms, release and refund."},
        {"name": "auth", "description": "Tokens for programs."},
    ],
}

# Who may read /readyz and /metrics: addresses and networks.
PROBE_CLIENTS: list[str] = env.list("PROBE_CLIENTS", default=["127.0.0.1/32", "::1/128"])
