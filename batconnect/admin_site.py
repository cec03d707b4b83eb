"""The look of the admin site and its menu. The settings import it, so importing it touches no models."""

from functools import cache
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

# Groups of (title, icon, model or page, permissions). A page may take an argument: `name:argument`. What a user may
# not see is left out.
MENU: tuple[tuple[str, tuple[tuple[str, str, str, str], ...]], ...] = (
    (
        "",
        (
            ("Home", "home", "index", ""),
            ("Weekly run", "play_circle", "ledger_weeklyrun_run", "ledger.run_week"),
            ("Import trips", "upload_file", "ledger_importbatch_upload", "ledger.import_trips"),
        ),
    ),
    (
        "Desk",
        (
            (
                "Charge an expense",
                "add_card",
                "cases_case_start:MISCEXP",
                "cases.process_case,misc_expenses.add_miscellaneousexpense",
            ),
            (
                "Take a payment",
                "point_of_sale",
                "cases_case_start:INTPAY",
                "cases.process_case,ledger.take_payment",
            ),
            ("Today's drawer", "inbox", "ledger_drawerclose_today", "ledger.close_drawer"),
            (
                "Enter a repair",
                "car_repair",
                "cases_case_start:RPR",
                "cases.process_case,repairs.add_repairinvoice",
            ),
            (
                "Lend to a driver",
                "handshake",
                "cases_case_start:DLN",
                "cases.process_case,loans.add_driverloan",
            ),
            ("Void a posting", "undo", "cases_case_start:VOID", "cases.process_case,ledger.void_posting"),
            (
                "Grant an adjustment",
                "volunteer_activism",
                "cases_case_start:ADJ",
                "cases.process_case,ledger.grant_adjustment",
            ),
            ("Write off", "money_off", "cases_case_start:WOFF", "cases.process_case,ledger.write_off"),
            (
                "Pay back credit",
                "currency_exchange",
                "cases_case_start:REFUND",
                "cases.process_case,ledger.refund_credit",
            ),
            (
                "Enter a TLC summons",
                "gavel",
                "cases_case_start:TLC",
                "cases.process_case,recon.add_agencyitem",
            ),
            ("Cases", "assignment", "cases.case", ""),
            ("Misc expenses", "request_quote", "misc_expenses.miscellaneousexpense", ""),
            ("Repairs", "build", "repairs.repairinvoice", ""),
            ("Loans", "handshake", "loans.driverloan", ""),
        ),
    ),
    (
        "Tolls and tickets",
        (
            ("Tolls and tickets", "toll", "recon.agencyitem", ""),
            ("Import tolls, tickets", "upload_file", "recon_agencyfile_upload", "recon.import_agencyfile"),
            ("Files of agencies", "folder_open", "recon.agencyfile", ""),
        ),
    ),
    (
        "Drivers' money",
        (
            ("Driver accounts", "account_balance_wallet", "ledger.driveraccount", ""),
            ("DTRs", "receipt_long", "ledger.dtr", ""),
            ("Payments at the desk", "payments", "ledger.interimpayment", ""),
            ("Deposits", "savings", "leases.leasedeposit", ""),
            ("Adjustments and refunds", "price_change", "ledger.creditdecision", ""),
            ("Drawer closes", "inventory", "ledger.drawerclose", ""),
            ("Pay drivers", "send_money", "ledger_payoutbatch_pay", "ledger.view_payoutbatch"),
            ("ACH batches", "account_balance", "ledger.payoutbatch", ""),
            ("Checks", "edit_document", "ledger.payoutcheck", ""),
            ("Bank returns", "assignment_return", "ledger.payoutreturn", ""),
            (
                "Take bank returns in",
                "upload",
                "ledger_payoutreturn_upload",
                "ledger.record_payoutreturn",
            ),
            ("How drivers are paid", "credit_card", "ledger.payoutinstruction", ""),
        ),
    ),
    (
        "Ledger",
        (
            ("Postings", "list_alt", "ledger.ledgerposting", ""),
            ("Open items", "hourglass_bottom", "ledger.ledgerbalance", ""),
            ("Allocations", "compare_arrows", "ledger.ledgerallocation", ""),
            ("Closed weeks", "event_available", "ledger.weeklyrun", ""),
            ("Payment hierarchy", "low_priority", "ledger.categoryrank", ""),
        ),
    ),
    (
        "Journal",
        (
            ("Journal entries", "menu_book", "ledger.entryheader", ""),
            ("Manual journals", "edit_note", "ledger.manualjournal", ""),
            ("New manual journal", "post_add", "ledger_manualjournal_add", "ledger.enter_journal"),
            ("Months", "calendar_month", "ledger.accountingmonth", ""),
            ("Chart of accounts", "account_tree", "ledger.account", ""),
            ("Journal templates", "rule", "ledger.journaltemplate", ""),
            ("Overrides by product", "alt_route", "ledger.productaccountmap", ""),
            ("Kinds of account", "category", "ledger.accountkind", ""),
            ("Currencies", "currency_exchange", "ledger.currency", ""),
        ),
    ),
    (
        "Reconciliation",
        (
            ("Exceptions", "rule", "recon.reconlog", ""),
            ("Runs", "sync_alt", "recon.reconjob", ""),
            ("Reconcile", "play_arrow", "recon_reconjob_start", "recon.run_recon"),
            ("Matches", "join_inner", "recon.reconmatch", ""),
            ("Card settlements", "credit_card", "recon.curbsettlement", ""),
            ("Sources", "cloud_download", "recon.reconsource", ""),
            ("Models", "tune", "recon.reconmodel", ""),
        ),
    ),
    (
        "Reports",
        (
            ("Trial balance", "balance", "ledger_report_trial_balance", "ledger.read_reports"),
            ("Profit and loss", "trending_up", "ledger_report_profit_and_loss", "ledger.read_reports"),
            ("Balance sheet", "account_balance", "ledger_report_balance_sheet", "ledger.read_reports"),
            ("Account statement", "receipt", "ledger_report_account_statement", "ledger.read_reports"),
            ("Receivables aging", "schedule", "ledger_report_aging", "ledger.read_reports"),
            ("Summary", "summarize", "ledger_report_summary", "ledger.read_reports"),
            ("Month-end balances", "event_repeat", "ledger.balancesnapshot", ""),
        ),
    ),
    (
        "Imports",
        (
            ("Files", "inventory_2", "ledger.importbatch", ""),
            ("Parked rows", "pending_actions", "ledger.parkedrow", ""),
            ("Fetches of trips", "cloud_sync", "recon.curbfetch", ""),
            ("Source rows", "local_taxi", "ledger.sourcetransaction", ""),
            ("Bulk runs", "dynamic_feed", "ledger.journalrun", ""),
            ("New bulk run", "playlist_add", "ledger_journalrun_start", "ledger.post_batch"),
            ("Opening balances", "flag", "ledger_openingimport_upload", "ledger.import_opening"),
        ),
    ),
    (
        "Fleet",
        (
            ("Leases", "contract", "leases.lease", ""),
            ("Drivers", "badge", "leases.driver", ""),
            ("Medallions", "verified", "leases.medallion", ""),
            ("Vehicles", "directions_car", "leases.vehicle", ""),
            ("Vehicles on medallions", "swap_horiz", "leases.vehicleassignment", ""),
            ("Lease installments", "calendar_month", "leases.leaseinstallment", ""),
            ("Lease caps", "vertical_align_top", "leases.leasecap", ""),
        ),
    ),
    (
        "System",
        (
            ("Jobs", "manufacturing", "jobs.jobrun", ""),
            ("Schedule", "schedule", "django_celery_beat.periodictask", ""),
            ("Audit trail", "policy", "common.auditentry", ""),
            ("People", "group", "common.user", ""),
            ("Roles", "shield_person", "auth.group", ""),
            ("Failed log-ins", "lock", "axes.accessattempt", ""),
        ),
    ),
)


def menu(request: HttpRequest) -> list[dict[str, Any]]:
    """The side menu for this user."""
    groups = []
    for title, entries in MENU:
        items = [item for entry in entries if (item := _item(request, *entry))]
        groups.append({"title": title, "items": items, "separator": bool(title)})
    _light_one(groups)
    return groups


def _light_one(groups: list[dict[str, Any]]) -> None:
    """Of the entries that the page lies under, only the nearest: a page of its own, else the list it belongs to."""
    lit = [item for group in groups for item in group["items"] if item["active"]]
    nearest = max((len(item["link"]) for item in lit), default=0)
    for item in lit:
        item["active"] = len(item["link"]) == nearest


@cache
def places() -> dict[str, tuple[str, str]]:
    """Where each entry of the menu leads, and (group, title) of the entry."""
    return {_address(target): (group, title) for group, entries in MENU for title, _, target, _ in entries}


def _address(target: str) -> str:
    if "." in target:
        return reverse(f"admin:{target.replace('.', '_')}_changelist")
    name, _, argument = target.partition(":")
    return reverse(f"admin:{name}", args=[argument] if argument else [])


def tasks(request: HttpRequest) -> list[dict[str, Any]]:
    """The pages of the desk that this user may work with, as in the menu: what somebody at the window begins with."""
    desk = next(entries for title, entries in MENU if title == "Desk")
    return [item for entry in desk if "." not in entry[2] and (item := _item(request, *entry))]


def _item(request: HttpRequest, title: str, icon: str, target: str, permission: str) -> dict[str, Any] | None:
    link = _page(target, request.user, permission) if "." not in target else _list(target, request)
    if not link:
        return None
    active = request.path == link or (target != "index" and request.path.startswith(link))
    return {"title": title, "icon": icon, "link": link, "active": active}


def _page(target: str, user: Any, permissions: str) -> str:
    if permissions and not user.has_perms(permissions.split(",")):
        return ""
    return _address(target)


def _list(label: str, request: HttpRequest) -> str:
    from django.apps import apps
    from django.contrib import admin

    model = apps.get_model(label)
    model_admin = admin.site._registry.get(model)
    if model_admin is None or not model_admin.has_view_permission(request):
        return ""
    return _address(label)


UNFOLD = {
    "SITE_TITLE": "BAT Connect",
    "SITE_HEADER": "BAT Connect",
    "SITE_SUBHEADER": "Fleet ledger",
    "SITE_SYMBOL": "local_taxi",
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "ledger.admin.dashboard.dashboard",
    "STYLES": [lambda request: static("batconnect/admin.css")],
    "SCRIPTS": [lambda request: static("batconnect/admin.js")],
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "#fefaec",
            "100": "#fbf0c9",
            "200": "#f7df8e",
            "300": "#f2c94c",
            "400": "#eab62b",
            "500": "#d99a14",
            "600": "#8f5f00",
            "700": "#845500",
            "800": "#6b4508",
            "900": "#58390c",
            "950": "#331e03",
        },
    },
    "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": menu},
}
