"""What reconciliation shows on the home page: what needs a person, and how each source stands."""

from batconnect.common.home import Tile, register_table, register_tile
from batconnect.common.models import User
from batconnect.common.screens import Cell, Table, admin_url, day, list_url

from ..models import AgencyItem, CurbFetch, CurbSettlement, ReconJob, ReconLog, ReconSource
from ..selectors.agency import waiting_counts
from ..selectors.exceptions import jobs_in_force, open_exceptions
from .parts import shown_money

MOST_COUNTED = 1_000


def _exceptions(user: User) -> list[Tile]:
    """Rows whose partner will not come by itself, and the age of the oldest as of each source's last run."""
    jobs = list(jobs_in_force())
    waiting = open_exceptions([job.pk for job in jobs]).filter(waiting=False)
    oldest = waiting.order_by("-age_days").values_list("age_days", flat=True)[: MOST_COUNTED + 1]
    ages = list(oldest)
    note = f"oldest {ages[0]} d" if ages else ""
    counted = min(len(ages), MOST_COUNTED)
    return [Tile("Rows to reconcile", counted, list_url(ReconLog), note, more=len(ages) > MOST_COUNTED)]


def _settlements(user: User) -> list[Tile]:
    held = CurbSettlement.objects.filter(entry_id=None, dismissed_at=None).count()
    return [Tile("Card settlements held", held, list_url(CurbSettlement, "status=HELD"))]


def _fetches(user: User) -> list[Tile]:
    """Fetches that failed since the last one that did not: one good fetch brings what they missed."""
    last = CurbFetch.objects.filter(status=CurbFetch.Status.DONE).order_by("-id").first()
    failed = CurbFetch.objects.filter(status=CurbFetch.Status.FAILED, pk__gt=last.pk if last else 0).count()
    return [Tile("Fetches of trips failed", failed, list_url(CurbFetch, "status__exact=FAILED"))]


def _agencies(user: User) -> list[Tile]:
    """Tolls and tickets that a person decides about: suggestions, those without one, and credits."""
    waiting = waiting_counts()
    labels = {"REVIEW": "Tolls, tickets to review", "UNASSIGNED": "Tolls, tickets unassigned"}
    return [
        Tile(label, waiting[state], list_url(AgencyItem, f"state__exact={state}"))
        for state, label in labels.items()
    ]


def _sources(user: User) -> Table:
    """The last run of each source."""
    jobs = (
        ReconJob.objects.filter(source__active=True)
        .select_related("source")
        .order_by("source__name", "-id")
        .distinct("source__name")
    )
    return Table(
        "Reconciliation, source by source",
        ["Source", "For", "#Difference", "How it ended"],
        [
            [
                Cell(str(job.source), admin_url(job)),
                Cell(day(job.date)),
                Cell(shown_money(job.variance), look="money"),
                Cell(job.get_status_display(), look="warn" if job.status == ReconJob.Status.FAILED else ""),
            ]
            for job in jobs
        ],
        empty="Nothing was reconciled yet.",
        more=Cell("All sources", list_url(ReconSource)) if user.has_perm("recon.view_reconsource") else None,
    )


register_tile(_exceptions, permission="recon.view_reconlog")
register_tile(_settlements, permission="recon.view_curbsettlement")
register_tile(_fetches, permission="recon.view_curbfetch")
register_tile(_agencies, permission="recon.view_agencyitem")
register_table(_sources, permission="recon.view_reconjob")
