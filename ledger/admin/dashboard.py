"""The home page: the last closed week, what is owed, what needs a person, and the last run of each job.

Apps above the ledger add theirs through `batconnect.common.home`.
"""

from datetime import timedelta
from typing import Any

from django.db import OperationalError
from django.db.models import Q, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from batconnect.admin_site import tasks
from batconnect.api.pagination import bounded_time
from batconnect.cases.models import Case
from batconnect.cases.services.access import visible_cases
from batconnect.cases.ways import INPUT_CLASSES
from batconnect.common.home import Tile, tables_for, tiles_for, trends_for
from batconnect.common.money import ZERO
from batconnect.common.screens import Cell, Detail, Table, admin_url, list_url, moment, money_cell
from batconnect.common.weeks import local_date
from batconnect.jobs.models import JobRun
from batconnect.jobs.services import kind_label
from ledger.models import DTR, DriverAccount, JournalRun, ManualJournal, ParkedRow, WeeklyRun
from ledger.selectors.aging import BUCKETS, LABELS, aging_totals
from ledger.selectors.batch_standing import failed_runs, waiting_runs

from .report_parts import report_url
from .weekly_runs import result_figures, week_dtrs

UNPAID = "status__exact=FINALIZED&net_pay__gt=0"
RECENT = timedelta(days=7)
PATIENCE_MS = 500


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Fill the home page for this user; what they may not see is not asked for."""
    can = request.user.has_perm
    sees_weeks = can("ledger.view_weeklyrun")
    week = WeeklyRun.objects.filter(status=WeeklyRun.Status.CLOSED).first() if sees_weeks else None
    tables = []
    if can("ledger.view_driveraccount"):
        tables.append(_largest_debts())
    tables += tables_for(request.user)  # type: ignore[arg-type]
    if can("jobs.view_jobrun"):
        tables.append(_last_jobs())
    attention = [*_attention(request.user), *tiles_for(request.user)]  # type: ignore[arg-type]
    context |= {
        "title": "Home",
        "find_url": list_url(DriverAccount) if can("ledger.view_driveraccount") else "",
        "input_classes": INPUT_CLASSES,
        # Whoever closes weeks has the whole menu for a desk; whoever stands at one begins with these.
        "tasks": [] if sees_weeks else tasks(request),
        "may_see_week": sees_weeks,
        "week": week,
        "week_figures": _week_figures(week),
        "week_url": admin_url(week) if week else "",
        "trends": trends_for(request.user),  # type: ignore[arg-type]
        "receivables": _receivables(can) if can("ledger.view_ledgerbalance") else [],
        "attention": attention,
        "waiting": [tile for tile in attention if tile.count],
        "quiet": [tile for tile in attention if not tile.count],
        "run_url": reverse("admin:ledger_weeklyrun_run") if can("ledger.run_week") else "",
        "detail": Detail(title="", tables=tables),
    }
    return context


def _week_figures(week: WeeklyRun | None) -> list[tuple[str, Cell]]:
    if week is None:
        return []
    url = week_dtrs(week.week)
    return [(label, Cell(cell.text, url, cell.look)) for label, cell in result_figures(week.result)]


def _receivables(can: Any) -> list[tuple[str, Cell]]:
    """From the accounts, of which there are few: one row per lease, however many postings it has.

    Their sum is account 1200 at every moment, so its statement is what is behind it. Their ages are those of the open
    items, of which there may be many: where reading them takes long, the report is only led to.
    """
    sums = DriverAccount.objects.aggregate(
        owed=Sum("balance", filter=Q(balance__gt=0)), held=Sum("balance", filter=Q(balance__lt=0))
    )
    owed, held = sums["owed"] or ZERO, sums["held"] or ZERO
    statement = report_url("account_statement", "account=1200") if can("ledger.read_reports") else ""
    return [
        ("Owed by drivers", money_cell(owed, list_url(DriverAccount, "o=-5"))),
        ("Held for drivers", money_cell(-held, list_url(DriverAccount, "o=5"))),
        ("Account 1200, together", money_cell(owed + held, statement)),
        *_by_age(can),
    ]


def _by_age(can: Any) -> list[tuple[str, Cell]]:
    report = report_url("aging") if can("ledger.read_reports") else ""
    leads = [("By age", Cell("Aging", report))] if report else []
    try:
        with bounded_time(PATIENCE_MS):
            totals = aging_totals(today=local_date(timezone.now()))
    except OperationalError:
        return leads
    due = {name: LABELS[name] if name == "not_due" else f"Due {LABELS[name]}" for name in BUCKETS}
    return [(due[name], money_cell(totals[name], report)) for name in BUCKETS if totals[name]] or leads


def _attention(user: Any) -> list[Tile]:
    """What waits for a person; each with its list. Nothing waiting is said as well."""
    can = user.has_perm
    found = []
    if can("cases.view_case"):
        waiting = visible_cases(user).filter(status=Case.Status.OPEN)
        overdue = waiting.filter(due_at__lt=timezone.now()).count()
        found.append(Tile("Open cases", waiting.count(), list_url(Case, "status__exact=OPEN")))
        found.append(Tile("Overdue cases", overdue, list_url(Case, "whose=overdue")))
    if can("ledger.view_parkedrow"):
        count = ParkedRow.objects.filter(status=ParkedRow.Status.PARKED).count()
        found.append(Tile("Parked rows", count, list_url(ParkedRow, "status__exact=PARKED")))
    if can("jobs.view_jobrun"):
        since = timezone.now() - RECENT
        failed = JobRun.objects.filter(status=JobRun.Status.FAILED, created_at__gte=since).count()
        found.append(Tile("Jobs failed in 7 days", failed, list_url(JobRun, "status__exact=FAILED")))
    if can("ledger.view_journalrun"):
        stopped, lost = waiting_runs().count(), failed_runs().count()
        found.append(Tile("Bulk runs stopped", stopped, list_url(JournalRun, "attention=stopped")))
        found.append(Tile("Bulk runs failed in 7 days", lost, list_url(JournalRun, "attention=failed")))
    if can("ledger.approve_journal"):
        journals = ManualJournal.objects.filter(status=ManualJournal.Status.SUBMITTED).count()
        found.append(
            Tile("Journals to approve", journals, list_url(ManualJournal, "status__exact=SUBMITTED"))
        )
    if can("ledger.view_dtr"):
        unpaid = DTR.objects.filter(status=DTR.Status.FINALIZED, net_pay__gt=0).count()
        found.append(Tile("DTRs to pay out", unpaid, list_url(DTR, UNPAID)))
    return found


def _largest_debts() -> Table:
    accounts = DriverAccount.objects.filter(balance__gt=0).select_related("driver", "lease__medallion")
    return Table(
        "Who owes most",
        ["Driver", "Lease", "Medallion", "#Balance"],
        [
            [
                Cell(account.driver.name, admin_url(account)),
                Cell(account.lease.number),
                Cell(account.lease.medallion.number),
                money_cell(account.balance),
            ]
            for account in accounts.order_by("-balance")[:8]
        ],
        empty="Nobody owes anything.",
        more=Cell("All accounts", list_url(DriverAccount, "o=-5")),
    )


def _last_jobs() -> Table:
    """The last run of each kind of job."""
    last = JobRun.objects.order_by("kind", "-created_at").distinct("kind")
    jobs = sorted(last, key=lambda job: job.created_at, reverse=True)
    return Table(
        "Last run of each job",
        ["Job", "Started", "How it ended"],
        [
            [
                Cell(kind_label(job.kind), admin_url(job)),
                Cell(moment(job.created_at)),
                Cell(job.get_status_display(), look="warn" if job.status == JobRun.Status.FAILED else ""),
            ]
            for job in jobs
        ],
        empty="No job ran yet.",
    )
