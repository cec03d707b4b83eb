"""One decision about a toll or ticket as a page: what it is about, what it will do, the form, and carrying it out."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.screens import Action, Cell, Detail, Table, admin_url, day, moment, money_cell
from batconnect.common.weeks import local_date
from leases.models import Lease
from ledger.models import DriverAccount
from ledger.services.reasons import LONGEST_REASON

from ..models import AgencyDecision, AgencyItem, Payer
from ..selectors.agency import leases_matching, whole_item
from ..services.agency import deciding, money, revising
from ..services.agency.errors import AgencyError
from .agency_parts import (
    STATE_TONES,
    decision_url,
    may_decide,
    owed_table,
    side_by_side,
    versions_table,
    void_table,
)
from .parts import actor_of

PAGES = {
    "accept": ("Accept the suggestion", "Charge it", "Charged: {number} is posted."),
    "assign": ("Assign to a lease", "Charge it", "Charged: {number} is posted."),
    "reassign": ("Reassign", "Move the charge", "Moved: {number} is posted on the other lease."),
    "reduce": ("Reduce", "Reduce the charge", "Reduced: {number} is posted anew."),
    "dispute": ("Dispute", "Hold it", "Held: nothing of {number} is owed while it is disputed."),
    "dismiss": ("Dismiss", "Dismiss it", "Dismissed: nobody owes {number}."),
    "fleet-cost": ("Take as fleet cost", "The fleet carries it", "Entered as a cost of the fleet: {number}."),
    "credit": ("Credit to a toll", "Give the credit", "The credit {number} is given."),
    "undo": ("Take back", "Take it back", "Taken back: {number} waits for a person."),
    "revision": ("Accept these figures", "Use these figures", "The new figures of {number} are in force."),
}
WITH_PAYER = ("accept", "assign", "fleet-cost", "revision")
WITH_LEASE = ("assign", "reassign")


class DecisionForm(forms.Form):
    """What one decision needs; `action` says which."""

    payer = forms.ChoiceField(label="Who paid", choices=Payer.choices, widget=UnfoldAdminSelectWidget)
    toll_number = forms.CharField(
        label="Number of the toll",
        max_length=40,
        widget=UnfoldAdminTextInputWidget,
        help_text="The toll that this money is back for; it is charged to a driver now.",
    )
    amount = forms.DecimalField(
        max_digits=14,
        decimal_places=2,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "placeholder": "0.00"}),
        help_text="What is charged from now on.",
    )
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="At least 10 characters; the next reader has only this sentence.",
    )
    seen = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, action: str, item: AgencyItem, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kept = {"seen", "reason"} - ({"reason"} if action == "accept" else set())
        kept |= {"toll_number"} if action == "credit" else {"amount"} if action == "reduce" else set()
        kept |= {"payer"} if action in WITH_PAYER and item.paid else set()
        for name in set(self.fields) - kept:
            del self.fields[name]
        if "payer" in self.fields:
            self.fields["payer"].help_text = (
                f"{item.paid:,.2f} was paid already. By the fleet: {item.amount:,.2f} is charged. By the driver: "
                f"{item.due:,.2f}."
            )


def decision_page(admin: Any, request: HttpRequest, item_id: int, action: str) -> HttpResponse:
    """Shown, asked for, carried out."""
    if not may_decide(request):
        raise PermissionDenied
    item = whole_item(item_id)
    if item is None or item.decision is None:
        raise Http404
    title, label, said = PAGES[action]
    lease = _chosen_lease(request, item) if action in WITH_LEASE else None
    initial = {"seen": item.decision_id, "payer": item.decision.payer}
    form = DecisionForm(request.POST or None, action=action, item=item, initial=initial)
    asking = action not in WITH_LEASE or lease is not None
    if request.method == "POST" and asking and form.is_valid():
        try:
            carry_out(action, item, form.cleaned_data, lease, actor_of(request))
        except BatConnectError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, said.format(number=item.number))
            return HttpResponseRedirect(admin_url(item))
    detail, refused = _about(request, action, item, lease)
    return admin.render(
        request, "admin/form_page.html", title=title, detail=detail, form=form if asking and not refused else None,
        submit_label=label, submit_look="danger" if action == "dismiss" else "primary", refused=refused,
        cancel_url=admin_url(item),
    )  # fmt: skip


def carry_out(
    action: str, item: AgencyItem, asked: dict[str, Any], lease: Lease | None, actor: Any
) -> AgencyDecision | list[AgencyDecision]:
    payer = "" if asked.get("payer") in (None, Payer.UNKNOWN) else asked["payer"]
    common: dict[str, Any] = {
        "item_id": item.pk,
        "actor": actor,
        "on": local_date(timezone.now()),
        "seen": asked["seen"],
        "reason": asked.get("reason", ""),
    }
    lease_id = lease.pk if lease else 0
    calls: dict[str, Callable[[], Any]] = {
        "accept": lambda: deciding.accept(
            item_ids=[item.pk], actor=actor, on=common["on"], payer=payer, seen=[asked["seen"]]
        ),
        "assign": lambda: deciding.assign(**common, lease_id=lease_id, payer=payer),
        "reassign": lambda: deciding.reassign(**common, lease_id=lease_id),
        "reduce": lambda: deciding.reduce(**common, amount=asked["amount"]),
        "dispute": lambda: deciding.dispute(**common),
        "dismiss": lambda: deciding.dismiss(**common),
        "fleet-cost": lambda: deciding.take_as_fleet_cost(**common, payer=payer),
        "credit": lambda: deciding.give_credit(**common, toll_number=asked["toll_number"]),
        "undo": lambda: deciding.undo(**common),
        "revision": lambda: revising.accept_revision(**common, payer=payer),
    }
    made: AgencyDecision | list[AgencyDecision] = calls[action]()
    return made


def _about(request: HttpRequest, action: str, item: AgencyItem, lease: Lease | None) -> tuple[Detail, str]:
    """What the page shows above the form, and why there is none."""
    last = item.decision
    assert last is not None
    tables: list[Table] = []
    context: dict[str, Any] = {}
    refused = ""
    takes_back = action in ("reassign", "dispute", "dismiss", "fleet-cost", "undo")
    try:
        if takes_back and (taken := void_table(last)):
            tables.append(taken)
        if changes := _changes(action, item, lease):
            tables.append(owed_table(changes))
    except AgencyError as error:
        refused = str(error)
    if action == "accept":
        tables.append(side_by_side(item, last.candidates))
    if action == "revision" and (versions := versions_table(item)):
        tables.append(versions)
    if action in WITH_LEASE and lease is None:
        context, found = _lease_search(request, item, action)
        tables.append(found)
    detail = Detail(
        title=f"{PAGES[action][0]}: {item}",
        subtitle=_says(action, item),
        badges=[(item.get_state_display(), STATE_TONES[item.state or "REVIEW"])],
        figures=[
            ("Amount", money_cell(item.amount)),
            ("Paid", money_cell(item.paid)),
            ("Due", money_cell(item.due)),
        ],
        facts=[
            ("When", Cell(moment(item.occurred_at) if item.occurred_at else day(item.event_on))),
            ("Plate", Cell(f"{item.plate_state} {item.plate}".strip() or item.tag or "–")),
            *([("To lease", Cell(f"{lease.number}, {lease.driver}, {lease.medallion}"))] if lease else []),
        ],
        tables=tables,
        partials=["recon/lease_search.html"] if context else [],
        context=context,
    )
    return detail, refused


def _changes(action: str, item: AgencyItem, lease: Lease | None) -> list[tuple[DriverAccount, Decimal]]:
    """What each driver owes more or less, where that is known before the form is filled."""
    last = item.decision
    assert last is not None
    changes: list[tuple[DriverAccount, Decimal]] = []
    takes_back = action in ("reassign", "dispute", "dismiss", "fleet-cost", "undo")
    if takes_back and last.account and money.charge_stands(last):
        changes.append((last.account, -(last.amount or Decimal(0))))
    if action == "accept" and last.suggested and (not item.paid or last.payer != Payer.UNKNOWN):
        changes.append((last.suggested, money.owed(item, last.payer)))
    if action in WITH_LEASE and lease is not None and (action == "reassign" or not item.paid):
        account = money.account_for(lease.pk, lease.driver_id)
        changes.append((account, last.amount or item.due if action == "reassign" else item.due))
    return changes


def _chosen_lease(request: HttpRequest, item: AgencyItem) -> Lease | None:
    asked = request.GET.get("lease", "")
    if not (asked.isascii() and asked.isdigit() and len(asked) <= 18):
        return None
    rows = Lease.objects.on(item.event_on).select_related("driver", "medallion")
    return rows.filter(pk=int(asked)).first()


def _lease_search(request: HttpRequest, item: AgencyItem, action: str) -> tuple[dict[str, Any], Table]:
    """Leases to choose from: those that somebody looks for, or else those that trips and plate lead to."""
    term = request.GET.get("q", "")[:80]
    last = item.decision
    assert last is not None
    if term:
        leases = leases_matching(term, item)
    else:
        likely = [one["lease_id"] for one in last.candidates] + (
            [last.lease_then_id] if last.lease_then_id else []
        )
        rows = Lease.objects.on(item.event_on).filter(pk__in=likely)
        leases = list(rows.select_related("driver", "medallion", "vehicle"))
    here = decision_url(item, action)
    found = Table(
        "Leases that ran on that day",
        ["Lease", "Driver", "Licence", "Medallion", "Vehicle now"],
        [
            [
                Cell(lease.number, f"{here}?lease={lease.pk}"),
                Cell(lease.driver.name),
                Cell(lease.driver.tlc_license),
                Cell(lease.medallion.number),
                Cell(str(lease.vehicle)),
            ]
            for lease in leases
        ],
        empty=f"No lease of that day is found by “{term}”." if term else "Look for the lease above.",
    )
    return {"q": term, "action": here}, found


def _says(action: str, item: AgencyItem) -> str:
    return {
        "accept": item.decision.reasons if item.decision else "",
        "assign": "Find the lease by driver, licence, medallion, plate or number.",
        "reassign": "What had paid the charge is the first driver's again; the other one owes it.",
        "reduce": "What was paid above the new amount is the driver's again.",
        "dispute": "While it is disputed nothing of it is owed; what was posted is voided.",
        "dismiss": "Nobody owes it. What was posted is voided.",
        "fleet-cost": "Entered on 5000, fleet cost; no driver owes it.",
        "credit": "The charge of that toll is made less, or voided where this is all of it.",
        "undo": "What was posted is voided or reversed, and it waits for a person again.",
        "revision": "They take the place of the figures before; what was posted is replaced.",
    }[action]


def next_waiting(item: AgencyItem) -> list[Action]:
    """A way on to the next one that waits alike."""
    rows = AgencyItem.objects.filter(kind=item.kind, state=item.state, pk__gt=item.pk)
    following = rows.order_by("pk").values_list("pk", flat=True).first()
    if following is None:
        return []
    return [Action("Next", reverse("admin:recon_agencyitem_change", args=[following]))]
