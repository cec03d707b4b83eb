"""The pages that carry a case out: start, work, confirm, done, paper; those beside it are in `beside.py`."""

import json
import uuid
from collections.abc import Mapping
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern, path, register_converter, reverse
from django.urls.converters import StringConverter
from django.utils import timezone

from batconnect.common.errors import BatConnectError
from batconnect.common.idempotency import Answer, run_once
from batconnect.common.screens import Detail
from batconnect.common.transactions import money_transaction
from batconnect.common.weeks import local_date

from .beside import BesidePages
from .models import Case
from .registry import Flow, Step, step_of
from .screens import FormField, StepPage, StepScreen
from .services import access, opening, processing
from .ways import INPUT_CLASSES, case_url, screen_of, user_of

_LONGEST_TOKEN = 64


class FlowPrefix(StringConverter):
    regex = "[A-Z]{2,12}"


register_converter(FlowPrefix, "flow")


class CasePages(BesidePages):
    """Mixed into the admin of cases; every page checks for itself who may see it."""

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, view: Any, name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"cases_case_{name}")

        case = "no/<case_no:case_no>"
        return [
            page("start/<flow:prefix>/", self.start_view, "start"),
            page("find/<step_id:step_id>/", self.find_view, "find"),
            page(f"{case}/", self.by_number_view, "number"),
            page(f"{case}/work/", self.work_view, "work"),
            page(f"{case}/confirm/", self.confirm_view, "confirm"),
            page(f"{case}/done/", self.done_view, "done"),
            page(f"{case}/paper/", self.paper_view, "paper"),
            page(f"{case}/assign/", self.assign_view, "assign"),
            page(f"{case}/cancel/", self.cancel_view, "cancel"),
            page(f"{case}/comment/", self.comment_view, "comment"),
            page(f"{case}/attach/", self.attach_view, "attach"),
            page(f"{case}/document/<int:document_id>/", self.document_view, "document"),
            *super().get_urls(),
        ]

    # --- finding and opening ----------------------------------------------------------------------------------

    def start_view(self, request: HttpRequest, prefix: str) -> HttpResponse:
        """Find what the case is to be about; choosing it opens the case. Nothing is opened by looking."""
        flow = self._flow(request, prefix)
        step = flow.steps[0]
        screen = screen_of(step)
        problem = ""
        if request.method == "POST":
            try:
                return self._start(request, flow, screen)
            except BatConnectError as error:
                problem = str(error)
        return self._render(
            request,
            "cases/start.html",
            title=f"New {_lowered(flow.name)}",
            flow=flow,
            step=step,
            problem=problem,
            token=uuid.uuid4().hex,
            **self._search_context(request, step, screen),
        )

    def _start(self, request: HttpRequest, flow: Flow, screen: StepScreen) -> HttpResponse:
        pick = request.POST.get("pick", "")[:80]
        today = local_date(timezone.now())
        subject, data = screen.subject(pick=pick, on=today), screen.picked(pick=pick)

        def effect() -> Answer:
            case = opening.open_case(
                prefix=flow.prefix, actor=user_of(request), at=timezone.now(), subject=subject, data=data
            )
            return Answer(201, {"case_no": case.case_no})

        # Clicked twice, it is one case.
        answer = money_transaction(run_once)(
            scope=f"{user_of(request).pk}:admin:case:{flow.prefix}",
            key=request.POST.get("token", "")[:_LONGEST_TOKEN] or uuid.uuid4().hex,
            request={"pick": pick},
            effect=effect,
        )
        return HttpResponseRedirect(reverse("admin:cases_case_work", args=[answer.body["case_no"]]))

    def find_view(self, request: HttpRequest, step_id: str) -> JsonResponse:
        """What the typed text may mean, for the script of the search box."""
        flow = self._flow(request, step_id.partition("-")[0])
        step = flow.step(step_id)
        if step is None or not access.may_do(user_of(request), step):
            raise PermissionDenied
        found = screen_of(step).search(
            query=request.GET.get("q", "")[:80], actor=user_of(request), on=local_date(timezone.now())
        )
        rows = [
            {"pick": hit.pick, "title": hit.title, "text": hit.text, "warning": hit.warning} for hit in found
        ]
        return JsonResponse({"found": rows})

    def _search_context(self, request: HttpRequest, step: Step, screen: StepScreen) -> dict[str, Any]:
        query = request.GET.get("q", "")[:80]
        found = (
            screen.search(query=query, actor=user_of(request), on=local_date(timezone.now())) if query else []
        )
        return {
            "q": query,
            "found": found,
            "find_url": reverse("admin:cases_case_find", args=[step.id]),
            "screen": screen,
            "input_classes": INPUT_CLASSES,
        }

    def by_number_view(self, request: HttpRequest, case_no: str) -> HttpResponse:
        return HttpResponseRedirect(case_url(self._case(request, case_no)))

    # --- carrying out -----------------------------------------------------------------------------------------

    def work_view(self, request: HttpRequest, case_no: str) -> HttpResponse:
        """The form of the step the case is at. What is sent is checked, kept, and shown for confirmation."""
        case = self._case(request, case_no)
        if case.status != Case.Status.OPEN:
            return self._ended(request, case)
        step, screen = self._own_step(request, case)
        if request.method == "POST":
            data = screen.read(request.POST)
            try:
                self._effect(request, case, step, screen, data)
                # Kept at once: whoever's session ends before the confirmation does not type it again.
                processing.keep_draft(case_no=case_no, step_id=step.id, data=data, actor=user_of(request))
            except BatConnectError as error:
                return self._form(request, case, step, screen, data, error)
            return HttpResponseRedirect(case_url(case, "confirm"))
        pick = request.GET.get("pick", "")[:80]
        try:
            picked = screen.picked(pick=pick) if pick else {}
        except BatConnectError as error:
            return self._form(request, case, step, screen, {}, error)
        return self._form(request, case, step, screen, {**case.data, **picked})

    def confirm_view(self, request: HttpRequest, case_no: str) -> HttpResponse:
        """The exact effect of what was entered; sent, it is carried out. A page to come back to: it is read by GET."""
        case = self._case(request, case_no)
        if case.status != Case.Status.OPEN and request.method != "POST":
            return self._ended(request, case)
        step, screen = self._own_step(request, case)
        if request.method == "POST":
            return self._confirm(request, case, step)
        try:
            detail = self._effect(request, case, step, screen, case.data)
        except BatConnectError as error:
            return self._form(request, case, step, screen, case.data, error)
        return self._render(
            request,
            "cases/confirm.html",
            title=step.title,
            case=case,
            detail=detail,
            screen=screen,
            kept=json.dumps(case.data),
            token=uuid.uuid4().hex,
            change_url=case_url(case, "work"),
        )

    def _own_step(self, request: HttpRequest, case: Case) -> tuple[Step, StepScreen]:
        step = step_of(case)
        if not access.may_do(user_of(request), step):
            raise PermissionDenied
        return step, screen_of(step)

    def _effect(
        self, request: HttpRequest, case: Case, step: Step, screen: StepScreen, data: Mapping[str, Any]
    ) -> Detail:
        access.check_person(case=case, step=step, actor=user_of(request))
        return screen.preview(
            case=case,
            data=processing.check_data(step, data),
            actor=user_of(request),
            on=local_date(timezone.now()),
        )

    def _confirm(self, request: HttpRequest, case: Case, step: Step) -> HttpResponse:
        try:
            processing.process_step(
                case_no=case.case_no,
                step_id=request.POST.get("step", step.id)[:20],
                data=_kept(request),
                actor=user_of(request),
                on=local_date(timezone.now()),
                key=request.POST.get("token", "")[:_LONGEST_TOKEN],
            )
        except (processing.CaseEnded, processing.StepPassed):
            return self._ended(request, self._case(request, case.case_no))
        except BatConnectError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(case_url(case, "work"))
        return HttpResponseRedirect(case_url(case, "done"))

    def _form(
        self,
        request: HttpRequest,
        case: Case,
        step: Step,
        screen: StepScreen,
        data: Mapping[str, Any],
        error: BatConnectError | None = None,
    ) -> HttpResponse:
        problem, problems = _told(error)
        if error is None and case.error:
            problem = f"The last try failed: {case.error}"
        page: StepPage | None = None
        try:
            access.check_person(case=case, step=step, actor=user_of(request))
            page = screen.page(case=case, data=data, actor=user_of(request), on=local_date(timezone.now()))
        except BatConnectError as refusal:
            problem = str(refusal)
        return self._render(
            request,
            "cases/work.html",
            title=step.title,
            case=case,
            step=step,
            page=page,
            fields=_filled(page, data, problems) if page else [],
            problem=problem or (page.refused if page else ""),
            **self._search_context(request, step, screen),
        )

    def _ended(self, request: HttpRequest, case: Case) -> HttpResponse:
        """Whoever comes too late is told, and led to what was made; nothing is done again."""
        state = case.get_status_display().lower() if case.status != Case.Status.OPEN else f"at {case.step}"
        messages.warning(request, f"{case.case_no} is {state} already; nothing was done again.")
        return HttpResponseRedirect(case_url(case, "done" if case.result else "change"))

    def done_view(self, request: HttpRequest, case_no: str) -> HttpResponse:
        """What a case made, and the next thing to do."""
        case = self._case(request, case_no)
        if not case.result:
            return HttpResponseRedirect(case_url(case))
        detail = screen_of(step_of(case)).done(case=case, actor=user_of(request))
        return self._render(request, "cases/done.html", title=case.case_no, case=case, detail=detail)

    def paper_view(self, request: HttpRequest, case_no: str) -> HttpResponse:
        case = self._case(request, case_no)
        answer = screen_of(step_of(case)).paper(case=case, request=request) if case.result else None
        if answer is None:
            raise Http404
        return answer

    # --- who may ----------------------------------------------------------------------------------------------

    def _flow(self, request: HttpRequest, prefix: str) -> Flow:
        if not request.user.has_perm("cases.process_case"):
            raise PermissionDenied
        try:
            return access.flow_to_open(prefix=prefix, actor=user_of(request))
        except access.UnknownFlow:
            raise Http404 from None
        except BatConnectError:
            raise PermissionDenied from None

    def _case(self, request: HttpRequest, case_no: str) -> Case:
        if not request.user.has_perm("cases.view_case"):
            raise PermissionDenied
        try:
            return access.visible_case(case_no=case_no, actor=user_of(request))
        except access.UnknownCase:
            raise Http404 from None

    def _render(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
        return cast(Any, self).render(request, template, **context)


def _kept(request: HttpRequest) -> dict[str, Any]:
    """The data that the confirmation carried along; what is no object is none."""
    try:
        kept = json.loads(request.POST.get("kept", "{}"))
    except (ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _told(error: BatConnectError | None) -> tuple[str, Mapping[str, Any]]:
    """The sentence above the form, and those beside its fields."""
    if error is None:
        return "", {}
    if isinstance(error, processing.BadStepData):
        return "", error.details
    return str(error), {}


def _lowered(name: str) -> str:
    """As within a sentence; TLC stays TLC."""
    return name if name[:2].isupper() else f"{name[:1].lower()}{name[1:]}"


def _problems(one: FormField, data: Mapping[str, Any], problems: Mapping[str, Any]) -> list[str]:
    """What is said beside a field; of one left empty only that, not that nothing is no amount."""
    found = [str(text) for text in problems.get(one.name, [])]
    if found and not str(data.get(one.name) or "").strip():
        return ["Choose one." if one.kind == "choice" else "Fill this in."]
    return found


def _filled(page: StepPage, data: Mapping[str, Any], problems: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "field": one,
            "value": one.initial if data.get(one.name) is None else data.get(one.name),
            "problems": _problems(one, data, problems),
        }
        for one in page.fields
    ]
