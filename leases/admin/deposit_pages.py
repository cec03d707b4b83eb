"""The pages on which something is done to a deposit: agreed, changed, released, refunded. One form, one call each."""

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404

from batconnect.common.errors import BatConnectError
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    Table,
    admin_url,
    day,
    list_url,
    money,
    money_cell,
)
from batconnect.jobs.models import JobRun
from leases import tasks
from leases.deposit_models import DepositRefund, DepositStatus, LeaseDeposit, Row
from leases.services import deposits
from leases.services.deposits.holds import expired_holds
from leases.services.deposits.refunds import refunds_out

from . import deposit_forms as asked
from . import deposit_parts as shown

TONES = {"COLLECTING": "warning", "HELD": "info", "APPLIED": "success", "REFUNDED": "success"}
MOST_LISTED = 100
PAGES = ("terms", "release", "refund", "return")


class DepositPages(ReadOnlyAdmin):
    """What a person does with deposits; the list and the record's page are in `deposits`."""

    def has_agree_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Methods: unfold looks named permissions up in the database."""
        return bool(request.user.has_perm("leases.add_leasedeposit"))

    def has_release_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("leases.release_deposit"))

    def agree_view(self, request: HttpRequest) -> HttpResponse:
        """A deposit for a lease that has none."""
        if not self.has_agree_permission(request):
            raise PermissionDenied
        form = asked.AgreeForm(request.POST or None, initial={"lease": request.GET.get("lease", "")})

        def agreed() -> tuple[str, str]:
            made = deposits.agree_deposit(
                lease=form.cleaned_data["lease"],
                terms=form.terms(),
                actor=request.user,  # type: ignore[arg-type]
            )
            return admin_url(made), f"The deposit of {made.lease.number} is agreed."

        detail = Detail(
            title="New deposit",
            subtitle="Nothing is charged before it is due; then the weekly run charges it.",
        )
        return self._ask(request, form, agreed, detail, "Agree the deposit", list_url(LeaseDeposit))

    def expired_view(self, request: HttpRequest) -> HttpResponse:
        """What the daily job would release now, and a button that starts it."""
        if not self.has_release_permission(request):
            raise PermissionDenied
        due = expired_holds(asked.today())

        def started() -> tuple[str, str]:
            job = tasks.start_holds(request.user)  # type: ignore[arg-type]
            return admin_url(JobRun, job), "The deposits that are due are being released."

        listed = LeaseDeposit.objects.with_standing().select_related("lease__driver")
        rows = listed.filter(lease__in=due[:MOST_LISTED]).order_by("lease_id")
        detail = Detail(
            title=f"Release {len(due):,} deposit{'' if len(due) == 1 else 's'}?"
            if due
            else "No deposit is due for release",
            subtitle="Those of leases that ended 30 days ago or more. It is done by itself every morning at 6:00.",
            tables=[
                Table(
                    "Due for release",
                    ["Lease", "Driver", "Since", "#Collected", "#Driver's account"],
                    [_due_row(row) for row in rows.select_related("account")],
                    empty="Nothing is due.",
                    note=f"The first {MOST_LISTED} are shown." if len(due) > MOST_LISTED else "",
                )
            ],
        )
        form = asked.ReleaseForm(request.POST or None) if due else None
        return self._ask(request, form, started, detail, "Release them", list_url(LeaseDeposit))

    def terms_page(self, request: HttpRequest, deposit_id: int) -> HttpResponse:
        """Other terms, while it is being collected."""
        record = self._record(request, deposit_id, "leases.change_leasedeposit")
        days = [part.due_on for part in record.parts.filter(posting_id__isnull=True).order_by("number")]
        initial = {"amount": record.agreed, **dict(zip(("first_due", "second_due"), days, strict=False))}
        form = asked.ChangeForm(request.POST or None, initial=initial)

        def changed() -> tuple[str, str]:
            deposits.change_deposit(lease=record.lease, terms=form.terms(), actor=request.user)  # type: ignore[arg-type]
            return admin_url(record), f"The deposit of {record.lease.number} is {money(form.terms().amount)}."

        detail = Detail(
            title=f"Change the deposit of {record.lease.number}",
            subtitle=str(record.lease.driver),
            badges=badges_of(record),
            figures=[
                ("Deposit", money_cell(record.agreed)),
                ("Charged already", money_cell(record.charged)),
                ("Not charged yet", money_cell(record.scheduled)),
            ],
            tables=[shown.parts_table(record)],
        )
        return self._ask(request, form, changed, detail, "Change the deposit", admin_url(record))

    def release_page(self, request: HttpRequest, deposit_id: int) -> HttpResponse:
        """The exact effect of releasing it today; a reason, where that is early; then it is done."""
        record = self._record(request, deposit_id, "leases.release_deposit")
        on = asked.today()
        title = f"Release the deposit of {record.lease.number}?"
        try:
            found = deposits.preview_release(lease=record.lease, actor=request.user, on=on)  # type: ignore[arg-type]
        except BatConnectError as error:
            return self._refused(request, record, title, error)
        form = (asked.EarlyReleaseForm if found.early else asked.ReleaseForm)(request.POST or None)

        def released() -> tuple[str, str]:
            release = deposits.release_deposit(
                lease=record.lease,
                actor=request.user,  # type: ignore[arg-type]
                on=on,
                reason=form.cleaned_data.get("reason", ""),
            )
            return admin_url(record), (
                f"Released: {money(release.applied)} applied, {money(release.refundable)} to refund."
            )

        detail = Detail(
            title=title,
            subtitle=f"{record.lease.driver}; held until {day(found.hold_ends_on)}",
            badges=[("before its hold ends", "warning")] if found.early else [],
            figures=[
                ("Collected", money_cell(found.collected)),
                ("Pays debts", money_cell(found.applied)),
                ("To refund", money_cell(found.refundable, look="strong")),
                ("Never collected", money_cell(found.cancelled)),
            ],
            facts=[
                ("Falls due now", money_cell(found.fell_due)),
                ("Account balance now", money_cell(found.owed_before)),
                ("Account balance afterwards", money_cell(found.owed_after)),
            ],
            tables=shown.preview_tables(found),
        )
        return self._ask(request, form, released, detail, "Release the deposit", admin_url(record), "danger")

    def refund_page(self, request: HttpRequest, deposit_id: int) -> HttpResponse:
        """How what is left was paid back."""
        record = self._record(request, deposit_id, "leases.refund_deposit")
        form = asked.RefundForm(request.POST or None)

        def refunded() -> tuple[str, str]:
            refund = deposits.record_refund(
                lease=record.lease,
                actor=request.user,  # type: ignore[arg-type]
                on=asked.today(),
                **form.cleaned_data,
            )
            return admin_url(record), f"Recorded: {money(refund.amount)} paid back."

        detail = Detail(
            title=f"Record the refund to {record.lease.driver.name}",
            subtitle=f"Deposit of {record.lease.number}. It was paid outside; this records how.",
            figures=[("Paid back, whole", money_cell(record.to_refund, look="strong"))],
            tables=[_entry_table(record)],
        )
        return self._ask(request, form, refunded, detail, "Record the refund", admin_url(record))

    def return_page(self, request: HttpRequest, deposit_id: int) -> HttpResponse:
        """Why a refund came back."""
        record = self._record(request, deposit_id, "leases.refund_deposit")
        out = refunds_out(record.release) if record.is_released else []
        form = asked.ReturnForm(request.POST or None, refunds=out)

        def returned() -> tuple[str, str]:
            back = deposits.return_refund(
                lease=record.lease,
                actor=request.user,  # type: ignore[arg-type]
                on=asked.today(),
                **form.cleaned_data,
            )
            return admin_url(record), f"Recorded: {money(back.amount)} is to be refunded again."

        detail = Detail(
            title=f"The refund to {record.lease.driver.name} came back?",
            subtitle=f"Deposit of {record.lease.number}",
            figures=[("To be refunded again", money_cell(out[0].amount))] if len(out) == 1 else [],
            tables=[_out_table(out)] if len(out) != 1 else [],
        )
        return self._ask(request, form, returned, detail, "Record that it came back", admin_url(record))

    def _record(self, request: HttpRequest, deposit_id: int, permission: str) -> Row:
        if not request.user.has_perm(permission):
            raise PermissionDenied
        return get_object_or_404(self.get_queryset(request), pk=deposit_id)

    def _refused(self, request: HttpRequest, record: Row, title: str, error: BatConnectError) -> HttpResponse:
        back = Action("Back to the deposit", admin_url(record))
        return self.render(
            request,
            "admin/form_page.html",
            detail=Detail(
                title=title, subtitle=str(record.lease.driver), badges=badges_of(record), actions=[back]
            ),
            refused=str(error),
            title=title,
        )

    def _ask(
        self,
        request: HttpRequest,
        form: forms.Form | None,
        carry_out: Callable[[], tuple[str, str]],
        detail: Detail,
        label: str,
        back: str,
        look: str = "primary",
    ) -> HttpResponse:
        """One form, one service call, one message; a refusal is shown on the form with what was entered."""
        if request.method == "POST" and form is not None:
            # A form without fields is empty data, which Django takes for none at all.
            form.is_bound = True
            form.data = request.POST
            if form.is_valid():
                try:
                    target, message = carry_out()
                except BatConnectError as error:
                    form.add_error(None, str(error))
                else:
                    messages.success(request, message)
                    return HttpResponseRedirect(target)
        return self.render(
            request,
            "admin/form_page.html",
            detail=detail,
            form=form,
            title=detail.title,
            submit_label=label,
            submit_look=look,
            cancel_url=back,
        )


def badges_of(deposit: Row) -> list[tuple[str, str]]:
    badges = [(str(DepositStatus(deposit.status).label), TONES[deposit.status])]
    if deposit.to_refund:
        badges.append(("to refund", "warning"))
    elif deposit.status == DepositStatus.APPLIED:
        badges.append(("nothing left to refund", "info"))
    return badges


def _out_table(refunds: Sequence[DepositRefund]) -> Table:
    return Table(
        "Refunds that are out",
        ["Paid on", "How", "#Amount"],
        [
            [
                Cell(day(refund.paid_on)),
                Cell(f"{refund.get_method_display()} {refund.method_reference}"),
                money_cell(refund.amount),
            ]
            for refund in refunds
        ],
        empty="None: nothing was paid back, or all of it came back already.",
        note="Only what you choose is to be refunded again." if refunds else "",
    )


def _due_row(deposit: Row) -> list[Cell]:
    return [
        Cell(deposit.lease.number, admin_url(deposit)),
        Cell(str(deposit.lease.driver)),
        Cell(day(deposit.due_on)),
        money_cell(deposit.collected),
        money_cell(deposit.account.balance),
    ]


def _entry_table(deposit: Row) -> Table:
    return Table(
        "What is entered in the journal",
        ["Account", "#Debit", "#Credit"],
        [
            [Cell("2100 Deposits held"), money_cell(deposit.to_refund), Cell("")],
            [Cell("1010 Bank"), Cell(""), money_cell(deposit.to_refund)],
        ],
    )
