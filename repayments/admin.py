"""The screens that repairs and loans share: a list, a page with the schedule, and a page for each thing to do."""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.contrib.filters.admin import RadioFilter, RangeDateFilter, RangeNumericFilter
from unfold.decorators import action, display

from batconnect.cases.models import Case
from batconnect.cases.screens import FormField, whole_number
from batconnect.cases.services.processing import BadStepData
from batconnect.cases.ways import INPUT_CLASSES, case_url
from batconnect.common.errors import BatConnectError, ConflictingState
from batconnect.common.idempotency import Answer, run_once
from batconnect.common.models import User
from batconnect.common.screens import (
    Action,
    Cell,
    Detail,
    ReadOnlyAdmin,
    admin_url,
    day_column,
    moment,
    money_column,
    text_column,
)
from batconnect.common.transactions import money_transaction
from batconnect.common.weeks import local_date
from ledger.admin.posting_parts import audit_table

from . import showing
from .acts import Act
from .models import Kind, Repayment, Status
from .services.plans import Plan, find_plan

_NUMBERS = ("weeks", "position")
_LONGEST_TOKEN = 64


class ChangedMeanwhile(ConflictingState):
    code = "repayment.changed_meanwhile"
    message = "{number} changed since you looked, or the day did; look at it again. Nothing was done."


class StatusFilter(RadioFilter):
    """What became of it; the ledger's to say, so its choices are given here."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(value), str(label)) for value, label in Status.choices]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(standing__status=self.value()) if self.value() else queryset


@display(description="Status", label=showing.TONES)
def status(repayment: Any) -> tuple[str, str]:
    return repayment.standing.status, Status(repayment.standing.status).label


class RepaymentAdmin(ReadOnlyAdmin):
    """A kind of repayment. Entered through cases; decided about here; what became of it is the ledger's to say."""

    kind: ClassVar[Kind]
    acts: ClassVar[Sequence[Act]]
    list_filter = (StatusFilter, ("starts_on", RangeDateFilter), ("amount", RangeNumericFilter))
    list_select_related = ("driver", "lease__medallion", "standing")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super()
            .get_queryset(request)
            .select_related("driver", "lease__medallion", "standing", "account", "created_by")
        )

    def get_urls(self) -> list[URLPattern]:
        route = path(
            "<int:pk>/do/<slug:name>/", self.admin_site.admin_view(self.act_view), name=self._act_url()
        )
        return [route, *super().get_urls()]

    def facts(self, record: Any) -> list[tuple[str, Cell]]:
        """What a record of this kind has of its own."""
        return []

    def about(self, record: Any) -> str:
        return ""

    def own_tables(self, record: Any) -> list[Any]:
        return []

    def detail(self, request: HttpRequest, record: Any) -> Detail:
        plan = find_plan(kind=self.kind, number=record.number)
        case = Case.objects.filter(case_no=record.case_no).first() if record.case_no else None
        return Detail(
            title=record.number,
            subtitle=self.about(record),
            badges=[(Status(plan.status).label, showing.TONES[plan.status])],
            figures=showing.figures_of(plan),
            facts=[
                *self.facts(record),
                *showing.facts_of(plan),
                ("Entered", Cell(f"{moment(record.created_at)} by {record.created_by}")),
                ("Case", Cell(record.case_no, case_url(case)) if case else Cell("–")),
            ],
            tables=[
                *showing.schedule_tables(plan),
                *self.own_tables(record),
                audit_table(f"repayment:{record.number}"),
            ],
            actions=[
                Action(f"{act.label}…", self._act_page(record.pk, act.name), look=act.look)
                for act in self.acts
                if act.offered(plan) and request.user.has_perm(act.permission)
            ],
        )

    # --- doing something about it -----------------------------------------------------------------------------

    def act_view(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        """Ask what is needed, show the exact effect, then do it; nothing happens before it is confirmed."""
        act = next((act for act in self.acts if act.name == name), None)
        if act is None:
            raise Http404
        if not (request.user.has_perm(act.permission) and self.has_view_permission(request)):
            raise PermissionDenied
        found = Repayment.objects.filter(pk=pk, kind=self.kind).values_list("number", flat=True).first()
        if found is None:
            raise Http404
        step = request.POST.get("step", "") if request.method == "POST" else ""
        data, changed = (_kept(request) if step == "confirm" else {}), ""
        try:
            if step == "confirm":
                try:
                    return self._carried_out(request, act, pk, found, data)
                except ChangedMeanwhile as error:
                    changed = str(error)
            plan = find_plan(kind=self.kind, number=found)
            form = act.form(plan, _today())
            if step == "preview":
                data = read_form(form, request)
            if changed or step == "preview" or not form:
                change = act.decide(plan, checked(act, data), _today())
                detail = self._effect(act, plan, change)
                return self._page(request, act, plan, detail=detail, kept=data, problem=changed)
        except BatConnectError as error:
            plan = find_plan(kind=self.kind, number=found)
            return self._form(request, act, plan, data, error)
        return self._form(request, act, plan, data, None)

    def _carried_out(
        self, request: HttpRequest, act: Act, pk: int, number: str, data: Mapping[str, Any]
    ) -> HttpResponse:
        user = cast(User, request.user)

        def effect() -> Answer:
            if request.POST.get("seen") != fingerprint(find_plan(kind=self.kind, number=number)):
                raise ChangedMeanwhile(number=number)
            act.carry_out(number, checked(act, data), user, _today())
            return Answer(200, {"number": number})

        # Clicked twice, it is done once.
        money_transaction(run_once)(
            scope=f"{user.pk}:admin:repayment:{number}:{act.name}",
            key=request.POST.get("token", "")[:_LONGEST_TOKEN] or uuid.uuid4().hex,
            request=data,
            effect=effect,
        )
        messages.success(request, act.done.format(number=number))
        return HttpResponseRedirect(admin_url(self.model, pk))

    def _effect(self, act: Act, plan: Plan, change: Any) -> Detail:
        return showing.effect(
            plan,
            change,
            title=f"{act.label}: {plan.number}?",
            subtitle=f"{act.about} {plan.repayment.driver}",
        )

    def _form(
        self,
        request: HttpRequest,
        act: Act,
        plan: Plan,
        data: Mapping[str, Any],
        error: BatConnectError | None,
    ) -> HttpResponse:
        beside = error.details if isinstance(error, BadStepData) else {}
        form = act.form(plan, _today()) if act.offered(plan) else []
        detail = Detail(
            title=f"{act.label}: {plan.number}",
            subtitle=act.about,
            badges=[(Status(plan.status).label, showing.TONES[plan.status])],
            figures=showing.figures_of(plan),
            tables=showing.schedule_tables(plan)[:1],
        )
        problem = "" if beside else str(error or "")
        if not form and not problem:
            problem = f"{plan.number} is {Status(plan.status).label.lower()}; this cannot be done now."
        return self._page(
            request,
            act,
            plan,
            detail=detail,
            problem=problem,
            fields=[_entry(one, data, beside) for one in form],
        )

    def _page(
        self, request: HttpRequest, act: Act, plan: Plan, *, kept: Any = None, **context: Any
    ) -> HttpResponse:
        return self.render(
            request,
            "admin/repayments/act.html",
            title=act.label,
            label=act.label,
            look=act.look if act.look == "danger" else "primary",
            confirming=kept is not None,
            kept=json.dumps(kept),
            seen=fingerprint(plan),
            token=uuid.uuid4().hex,
            input_classes=INPUT_CLASSES,
            cancel_url=admin_url(self.model, plan.repayment.pk),
            **context,
        )

    def _act_url(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_do"

    def _act_page(self, pk: int, name: str) -> str:
        return reverse(f"admin:{self._act_url()}", args=[pk, name])

    # --- files ------------------------------------------------------------------------------------------------

    def has_export_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Methods: unfold looks named permissions up in the database."""
        return bool(request.user.has_perm(f"{self.opts.app_label}.export_{self.opts.model_name}"))

    def exported(self, export_format: str) -> HttpResponseBase:
        raise AssertionError(f"{type(self).__name__} exports nothing")

    @action(description="Excel", url_path="excel", permissions=["export"])
    def export_excel(self, request: HttpRequest) -> HttpResponseBase:
        return self.exported("excel")

    @action(description="CSV", url_path="csv", permissions=["export"])
    def export_csv(self, request: HttpRequest) -> HttpResponseBase:
        return self.exported("csv")

    @action(description="PDF", url_path="pdf", permissions=["export"])
    def export_pdf(self, request: HttpRequest) -> HttpResponseBase:
        return self.exported("pdf")


COLUMNS = (
    text_column("number", "Number", ordering="number"),
    text_column("driver__name", "Driver", ordering="driver__name"),
    text_column("lease__medallion__number", "Medallion"),
    money_column("amount", "Amount", ordering="amount"),
    money_column("standing__scheduled", "Not posted yet"),
    money_column("standing__open_amount", "Open"),
    day_column("standing__next_due_on", "Next due"),
    status,
)
SEARCHED = (
    "=number",
    "=case_no",
    "driver__name",
    "=driver__tlc_license",
    "=lease__number",
    "=lease__medallion__number",
)


def checked(act: Act, data: Mapping[str, Any]) -> dict[str, Any]:
    """What was entered, checked and converted as the API does. Raises BadStepData."""
    serializer = act.fields(data=dict(data))
    if not serializer.is_valid():
        raise BadStepData(**{str(name): value for name, value in serializer.errors.items()})
    return dict(serializer.validated_data)


def fingerprint(plan: Plan) -> str:
    """What an effect was shown of; it may only be confirmed as long as this stays the same."""
    rows = [(row.position, row.standing.status, str(row.standing.current_posting_id)) for row in plan.rows]
    seen = json.dumps([str(_today()), plan.status, str(plan.repayment.forgiven), rows])
    return hashlib.sha256(seen.encode()).hexdigest()


def read_form(form: Sequence[FormField], request: HttpRequest) -> dict[str, Any]:
    """The entered data as the API takes it; what may be left empty and is, is left out."""
    data: dict[str, Any] = {}
    for one in form:
        text = request.POST.get(one.name, "").replace("\r\n", "\n")
        if one.kind == "money":
            text = text.strip().replace(",", "")
        if text or one.required:
            data[one.name] = whole_number(text) if one.name in _NUMBERS else text
    return data


def _entry(one: FormField, data: Mapping[str, Any], problems: Mapping[str, Any]) -> dict[str, Any]:
    given = data.get(one.name)
    return {
        "field": one,
        "value": one.initial if given is None else str(given),
        "problems": [str(text) for text in problems.get(one.name, [])],
    }


def _kept(request: HttpRequest) -> dict[str, Any]:
    try:
        kept = json.loads(request.POST.get("kept", "{}"))
    except (ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _today() -> Any:
    return local_date(timezone.now())
