"""ACH batches on screen: list, page with its entries, and the steps from approval to settlement."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from unfold.contrib.filters.admin import ChoicesCheckboxFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    Table,
    admin_url,
    day,
    day_column,
    label_column,
    moment,
    moment_column,
    money_cell,
    money_column,
    part_of,
    text_column,
)
from ledger.models import PayoutBatch, PayoutItem
from ledger.services.payouts import ach_batches, nacha_file

from . import payout_parts as parts
from .payout_desk import PayDesk
from .payout_parts import forms
from .posting_parts import audit_table

ITEM_TONES = {"PENDING": "", "PAID": "", "RETURNED": "warn", "WITHDRAWN": "muted"}
# Step: button, permission, the states it is for, look.
STEPS = {
    "approve": ("Approve…", "ledger.approve_payoutbatch", ("DRAFT",), "primary"),
    "file": ("Make the file…", "ledger.download_payoutbatch", ("APPROVED",), "primary"),
    "download": ("Download the file", "ledger.download_payoutbatch", ("FILED", "SENT", "SETTLED"), "default"),
    "sent": ("Mark as sent…", "ledger.send_payoutbatch", ("FILED",), "primary"),
    "settled": ("Mark as settled…", "ledger.send_payoutbatch", ("SENT",), "primary"),
    "takeout": ("Take a DTR out…", "ledger.prepare_payoutbatch", ("DRAFT",), "default"),
    "reverse": ("Reverse…", "ledger.prepare_payoutbatch", ("DRAFT", "APPROVED", "FILED"), "danger"),
}
EFFECTS = {
    "approve": "The batch is fixed: nothing is added or taken out. Nothing is booked yet.",
    "file": "The NACHA file is made, effective on the next banking day. Nothing is booked yet.",
    "sent": "Every DTR in it is paid on that day: 2500 net pay owed to 1010 bank.",
    "settled": "The bank took the money. Nothing is booked; what comes back from now on is a return.",
    "takeout": "The DTR is free to be paid again, by another batch, a check or in cash.",
    "reverse": (
        "The whole batch is taken back: its DTRs are free to be paid again. Nothing was booked. "
        "If its file went to the bank, mark it as sent instead, or its drivers will be paid twice."
    ),
}


class TakeOutForm(parts.ReasonStep):
    dtr = forms.CharField(label="DTR", max_length=24, widget=UnfoldAdminTextInputWidget())
    field_order = ["dtr", "reason", "token"]


FORMS: dict[str, type[forms.Form]] = {
    "sent": parts.DayStep, "settled": parts.DayStep, "reverse": parts.ReasonStep, "takeout": TakeOutForm,
}  # fmt: skip


@admin.register(PayoutBatch)
class PayoutBatchAdmin(PayDesk):
    """Transfers that go to the bank in one file."""

    empty_note = "A batch is prepared from Pay drivers."
    list_display = (
        text_column("number", "Batch", ordering="number"),
        label_column("state", "State", parts.BATCH_TONES),
        text_column("payments", "Payments"),
        money_column("total", "Together"),
        text_column("created_by__username", "Prepared by"),
        text_column("approved_by__username", "Approved by"),
        day_column("effective_on", "Effective"),
        day_column("sent_on", "Sent"),
        moment_column("created_at", "Prepared", ordering="id"),
    )
    list_filter = (("state", ChoicesCheckboxFilter),)
    list_select_related = ("created_by", "approved_by")
    search_fields = ("=number",)
    search_help_text = "Batch number, such as 2611-001"
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("created_by", "approved_by", "reversed_by")

    def get_urls(self) -> list[URLPattern]:
        steps = [
            path(
                f"<int:batch_id>/{name}/",
                self.admin_site.admin_view(self.download_view if name == "download" else self.step_view),
                {} if name == "download" else {"step": name},
                name=f"ledger_payoutbatch_{name}",
            )
            for name in STEPS
        ]
        return [*steps, *super().get_urls()]

    def detail(self, request: HttpRequest, record: PayoutBatch) -> Detail:
        items = list(_items(record))
        alive = [item for item in items if item.state != PayoutItem.State.WITHDRAWN]
        own = record.state == "DRAFT" and record.created_by_id == request.user.pk
        return Detail(
            title=f"ACH batch {record.number}",
            subtitle="You prepared it; somebody else has to approve it." if own else "",
            badges=[(record.get_state_display(), parts.BATCH_TONES[record.state])],
            figures=[
                ("Payments", Cell(f"{len(alive):,}")),
                ("Together", money_cell(sum(item.amount for item in alive))),
                (
                    "Came back",
                    money_cell(sum(item.amount for item in alive if item.state == PayoutItem.State.RETURNED)),
                ),
            ],
            facts=_facts(record),
            tables=[_items_table(request, items), audit_table(f"payout_batch:{record.number}")],
            actions=[
                Action(label, reverse(f"admin:ledger_payoutbatch_{name}", args=[record.pk]), look=look)
                for name, (label, permission, states, look) in STEPS.items()
                if record.state in states
                and request.user.has_perm(permission)
                and not (name == "approve" and own)
            ],
        )

    def step_view(self, request: HttpRequest, batch_id: int, step: str) -> HttpResponse:
        """Show what a step does, ask, and do it."""
        batch = get_object_or_404(self.get_queryset(request), pk=batch_id)
        label, permission, states, look = STEPS[step]
        refused = ""
        if request.method != "POST" and batch.state not in states:
            refused = f"Batch {batch.number} is {batch.get_state_display().lower()} now."
        if step == "approve" and batch.created_by_id == request.user.pk:
            refused = str(ach_batches.OwnBatch(number=batch.number))

        def effect(given: dict[str, Any]) -> tuple[str, str]:
            done = self._do(step, batch, given, request)
            return admin_url(batch), done

        alive = [item for item in _items(batch) if item.state != PayoutItem.State.WITHDRAWN]
        return parts.ask(
            self,
            request,
            permission=permission,
            form=FORMS.get(step, parts.Step)(request.POST or None),
            detail=Detail(
                title=f"{label.rstrip('…')}: batch {batch.number}?",
                subtitle=EFFECTS[step],
                badges=[(batch.get_state_display(), parts.BATCH_TONES[batch.state])],
                figures=[
                    ("Payments", Cell(f"{len(alive):,}")),
                    ("Together", money_cell(sum(item.amount for item in alive))),
                ],
                facts=_facts(batch),
                tables=[_items_table(request, alive)] if step in ("approve", "takeout") else [],
            ),
            label=label.rstrip("…"),
            effect=effect,
            back=admin_url(batch),
            look=look,
            refused=refused,
        )

    def _do(self, step: str, batch: PayoutBatch, given: dict[str, Any], request: HttpRequest) -> str:
        who: dict[str, Any] = {"number": batch.number, "actor": request.user}
        if step == "approve":
            ach_batches.approve_batch(**who)
            return f"Batch {batch.number} is approved; its file can be made."
        if step == "file":
            done = nacha_file.make_file(**who, on=parts.today())
            return f"The file is made, effective on {day(done.effective_on)}. Download it, send it, mark it as sent."
        if step == "sent":
            ach_batches.mark_sent(**who, on=given["on"])
            return f"Batch {batch.number} is sent; its DTRs are paid."
        if step == "settled":
            ach_batches.mark_settled(**who, on=given["on"])
            return f"Batch {batch.number} is settled."
        if step == "takeout":
            ach_batches.withdraw(**who, dtr=given["dtr"].strip().upper(), reason=given["reason"])
            return f"{given['dtr'].strip().upper()} is taken out; it can be paid in another way."
        ach_batches.reverse_batch(**who, reason=given["reason"])
        return f"Batch {batch.number} is reversed; its DTRs are free to be paid again."

    def download_view(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """The file, for who may see account numbers; who took it is in the audit trail."""
        if not request.user.has_perm("ledger.download_payoutbatch"):
            raise PermissionDenied
        batch = get_object_or_404(PayoutBatch, pk=batch_id)
        try:
            content = nacha_file.file_of(number=batch.number, actor=request.user)  # type: ignore[arg-type]
        except ach_batches.LedgerError as error:
            return self.render(
                request,
                "admin/form_page.html",
                title=f"Batch {batch.number}",
                detail=Detail(title=f"ACH batch {batch.number}"),
                refused=str(error),
            )
        return HttpResponse(
            content,
            content_type="text/plain; charset=us-ascii",
            headers={
                "Content-Disposition": f'attachment; filename="{nacha_file.file_name(batch)}"',
                "Cache-Control": "no-store",
            },
        )


def _items(batch: PayoutBatch) -> Any:
    return (
        batch.items.select_related("dtr", "instruction")
        .only(
            "payee", "amount", "state", "trace_number", "batch_id", "dtr__number", "instruction__account_type",
            "instruction__account_last4",
        )
        .order_by("pk")
    )  # fmt: skip


def _items_table(request: HttpRequest, items: list[Any]) -> Table:
    part = part_of(request, items, name="page", size=parts.MOST_ROWS)
    return Table(
        f"Payments ({len(items):,})",
        ["DTR", "Driver", "Account", "Trace", "State", "#Amount"],
        [
            [
                parts.dtr_cell(item.dtr_id, item.dtr.number),
                Cell(item.payee),
                Cell(item.instruction.masked if item.instruction else ""),
                Cell(item.trace_number or "–", look="muted"),
                Cell(item.get_state_display(), look=ITEM_TONES[item.state]),
                money_cell(item.amount),
            ]
            for item in part.rows
        ],
        note=part.note,
        pages=part.pages,
        empty="Nothing is in it.",
    )


def _facts(batch: PayoutBatch) -> list[tuple[str, Cell]]:
    facts = [("Prepared", Cell(f"{moment(batch.created_at)} by {batch.created_by}"))]
    if batch.approved_by:
        facts.append(("Approved", Cell(f"{moment(batch.approved_at)} by {batch.approved_by}")))
    if batch.file_on:
        facts += [
            ("File made", Cell(f"{day(batch.file_on)}, file {batch.file_modifier} of that day")),
            ("Effective", Cell(day(batch.effective_on))),
            ("SHA-256 begins", Cell(batch.file_sha256[:16], look="muted")),
        ]
    if batch.sent_on:
        facts.append(("Sent", Cell(day(batch.sent_on))))
    if batch.settled_on:
        facts.append(("Settled", Cell(day(batch.settled_on))))
    if batch.reversed_by:
        facts.append(("Reversed", Cell(f"{moment(batch.reversed_at)} by {batch.reversed_by}")))
        facts.append(("Why", Cell(batch.reverse_reason, look="long")))
    return facts
