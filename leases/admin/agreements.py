"""Leases in the admin: found, made, and shown with everything that was agreed and what the ledger says of it."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from simple_history.admin import SimpleHistoryAdmin

from batconnect.common.screens import Action, Cell, Detail, ReadOnlyAdmin, admin_url, money_cell
from batconnect.common.weeks import WEEK, local_date
from leases import services
from leases.deposit_models import DepositStatus, LeaseDeposit
from leases.models import Lease, LeaseCap, LeaseFee, LeaseSuspension
from leases.schedule import weekly_schedule
from leases.services.caps import caps_on
from leases.services.deposits import DepositTerms
from ledger.models import DriverAccount
from ledger.selectors.account_items import open_credit

from . import changes
from .base import ServiceForm, ServiceFormView
from .deposit_forms import day_field
from .lease_tables import tables_of
from .wording import span

TONES = {"ACTIVE": "success", "ENDED": "info", "CANCELLED": "danger"}
# The pages of a lease besides its record: address, view, and what stands on the button.
PAGES: tuple[tuple[str, str, type[ServiceFormView], str], ...] = (
    ("change-fee", "change_fee", changes.ChangeFeeView, "Change fee"),
    ("suspend", "suspend", changes.SuspendView, "Suspend"),
    ("resume", "resume", changes.ResumeView, "Resume"),
    ("renew", "renew", changes.RenewView, "Renew"),
    ("follow", "follow", changes.FollowView, "Following lease"),
    ("swap-vehicle", "swap_vehicle", changes.SwapView, "Swap vehicle"),
    ("add-driver", "add_driver", changes.AddDriverView, "Add driver"),
    ("end-driver", "end_driver", changes.EndDriverView, "Take driver off"),
    ("cancel", "cancel_lease", changes.CancelView, "Cancel lease"),
    ("end", "end_lease", changes.EndView, "End early"),
)


class CreateForm(ServiceForm):
    model = Lease
    model_fields = ("driver", "medallion", "vehicle", "lease_type", "starts_on", "ends_on")
    weekly_fee = changes.fee_field()
    deposit = changes.fee_field("Deposit", required=False, help_text="US dollars, all of it. Empty: none.")
    first_due = day_field(
        "Deposit due on", required=False, help_text="The weekly run charges it by this day."
    )
    second_due = day_field(
        "Second half due on", required=False, help_text="Empty: the whole is due on the first day."
    )
    field_order = (*model_fields, "weekly_fee", "deposit", "first_due", "second_due")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(self.field_order)
        self.fields["ends_on"].help_text = "The last day, which counts. Empty: until further notice."

    def clean(self) -> dict[str, Any]:
        """The deposit's three fields become its terms, or None."""
        found = super().clean() or self.cleaned_data
        amount, first, second = (found.pop(name, None) for name in ("deposit", "first_due", "second_due"))
        if amount and not first:
            self.add_error("first_due", "Say when the deposit is due.")
        elif (first or second) and not amount:
            self.add_error("deposit", "Say how much the deposit is, or leave its days empty.")
        found["deposit"] = (
            DepositTerms(amount, tuple(day for day in (first, second) if day)) if amount else None
        )
        return found


class CreateView(ServiceFormView):
    title = "New lease"
    submit_label = "Make lease"
    permission_required = "leases.add_lease"
    form_class = CreateForm

    def carry_out(self, asked: dict[str, Any]) -> tuple[Model, str]:
        lease = services.create_lease(**asked, actor=self.actor)
        first = weekly_schedule(
            starts_on=lease.starts_on,
            ends_on=lease.ends_on,
            fees=[(lease.starts_on, asked["weekly_fee"])],
            through=lease.starts_on + WEEK,
        )
        billed = f" Its first week costs {first[0].amount}, due {first[0].due_on}." if first else ""
        return lease, f"Lease {lease.number} was made.{billed}"


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin, SimpleHistoryAdmin):
    """What was agreed changes through pages of its own, each telling its effect first."""

    list_display = (
        "number",
        "driver",
        "medallion",
        "vehicle",
        "lease_type",
        "starts_on",
        "ends_on",
        "fee_today",
        "status",
    )
    list_select_related = ("driver", "medallion", "vehicle")
    list_filter = ("status", "lease_type")
    search_fields = (
        "number",
        "driver__tlc_license",
        "driver__name",
        "medallion__number",
        "vehicle__plate",
        "vehicle__vin",
    )
    search_help_text = "Lease number, TLC licence, driver, medallion, plate or VIN"
    ordering = ("-id",)
    autocomplete_fields = ("driver", "medallion", "vehicle")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lease]:
        fees = LeaseFee.objects.filter(lease=OuterRef("pk"), effective_from__lte=_today())
        queryset: QuerySet[Lease] = super().get_queryset(request)
        return queryset.select_related("driver", "medallion", "vehicle").annotate(
            fee_today=Subquery(fees.order_by("-effective_from").values("weekly_fee")[:1])
        )

    @admin.display(description="weekly fee", ordering="fee_today")
    def fee_today(self, lease: Any) -> Any:
        return lease.fee_today

    def detail(self, request: HttpRequest, record: Any) -> Detail:
        account = DriverAccount.objects.filter(lease=record, driver=record.driver_id).first()
        suspended = LeaseSuspension.objects.filter(
            Q(ends_on__isnull=True) | Q(ends_on__gte=_today()),
            lease=record,
            withdrawn=False,
            starts_on__lte=_today(),
        ).exists()
        badges = [(record.get_status_display(), TONES[record.status])]
        if suspended:
            badges.append(("Suspended today", "warning"))
        return Detail(
            title=record.number,
            subtitle=str(record.driver),
            badges=badges,
            figures=[
                ("A week costs", money_cell(record.fee_today)),
                (
                    "Driver owes",
                    money_cell(account.balance, admin_url(account)) if account else Cell("–"),
                ),
                ("In hand", money_cell(open_credit(account.pk) if account else None)),
            ],
            facts=[
                ("Driver", Cell(str(record.driver), admin_url(record.driver))),
                ("Medallion", Cell(str(record.medallion), admin_url(record.medallion))),
                ("Vehicle", Cell(str(record.vehicle), admin_url(record.vehicle))),
                ("Kind", Cell(record.get_lease_type_display())),
                ("Runs", Cell(span(record.starts_on, record.ends_on))),
                ("Cap", _cap(record)),
                ("Deposit", _deposit(request, record)),
            ],
            tables=tables_of(record),
            actions=self._actions(request, record),
        )

    def _actions(self, request: HttpRequest, lease: Lease) -> list[Action]:
        found = []
        if lease.status != Lease.Status.CANCELLED:
            for _, name, view, label in PAGES:
                if _fits(lease, name) and request.user.has_perm(view.permission_required):
                    look = "danger" if name in ("end_lease", "cancel_lease") else "default"
                    found.append(Action(label, reverse(f"admin:leases_lease_{name}", args=[lease.pk]), look))
        found.append(Action("History", reverse("admin:leases_lease_history", args=[lease.pk])))
        return found

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path(
                f"<int:object_id>/{address}/",
                self.admin_site.admin_view(view.as_view(model_admin=self)),
                name=f"leases_lease_{name}",
            )
            for address, name, view, _ in PAGES
        ]
        return [*pages, *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("leases.add_lease"))

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("leases.view_lease") or request.user.has_perm("leases.change_lease")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        return CreateView.as_view(model_admin=self)(request)

    def revert_disabled(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return True


def _fits(lease: Lease, page: str) -> bool:
    """Whether there is anything for that page to do."""
    if page in ("renew", "follow"):
        return lease.ends_on is not None
    if page == "resume":
        return lease.suspensions.filter(withdrawn=False).exists()
    if page == "end_driver":
        return changes.standing_drivers(lease).exists()
    if page == "cancel_lease":
        return bool(lease.starts_on > _today())
    return True


def _cap(lease: Lease) -> Cell:
    today = _today()
    cap = caps_on(lease, [today]).get(today)
    if cap is None or cap.weekly_cap is None:
        return Cell("none in force")
    return Cell(f"{cap.weekly_cap:,.2f} a week, rule {cap.rule}", admin_url(LeaseCap, cap.pk))


def _deposit(request: HttpRequest, lease: Lease) -> Cell:
    """Where the lease's deposit stands; without one, the way to agree one."""
    found: Any = LeaseDeposit.objects.with_standing().filter(lease=lease).first()
    if found is not None:
        may_see = request.user.has_perm("leases.view_leasedeposit")
        standing = f"{found.agreed}, {DepositStatus(found.status).label.lower()}"
        if lease.status == Lease.Status.CANCELLED and not found.charged:
            standing = "cancelled with the lease"
        return Cell(standing, admin_url(found) if may_see else "")
    if lease.status != Lease.Status.ACTIVE or not request.user.has_perm("leases.add_leasedeposit"):
        return Cell("None")
    return Cell("Agree one", f"{reverse('admin:leases_leasedeposit_agree')}?lease={lease.pk}")


def _today() -> Any:
    return local_date(timezone.now())
