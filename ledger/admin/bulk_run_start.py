"""Starting a bulk run: choose a month or send a file, read what will happen, start it; and the file being loaded."""

import uuid
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.csrf import csrf_exempt
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminRadioSelectWidget, UnfoldAdminSelectWidget

from batconnect.api.uploads import limited, was_too_large
from batconnect.common.errors import BatConnectError
from batconnect.common.idempotency import Answer, run_once
from batconnect.common.screens import Action, Cell, Detail, admin_url, list_url, moment
from batconnect.common.transactions import money_transaction
from batconnect.jobs.admin import job_state, progress_url
from batconnect.jobs.models import JobRun
from ledger import batch_jobs
from ledger.models import ImportBatch, JournalRun, JournalTemplate
from ledger.selectors.batches import months_with_rows
from ledger.services.accounting_policy import FLEET_PACK
from ledger.services.batch_uploads import receive_upload, too_large
from ledger.services.batches.errors import RunInProgress

from .bulk_run_asked import MODES, POST, REJECTED, STRICT, TRY, Asked
from .bulk_run_tables import import_files, reject_table

HINT = (
    "Source rows that have no entry yet become journal entries, by the templates of their pack. First you are told "
    "what will happen; nothing is posted before you say so."
)


class StartForm(forms.Form):
    """What to journalise: the rows of a month, or those of a file."""

    pack = forms.ChoiceField(
        initial=FLEET_PACK, widget=UnfoldAdminSelectWidget(), help_text="Whose rows, and whose templates."
    )
    month = forms.ChoiceField(
        required=False, widget=UnfoldAdminSelectWidget(), help_text="Rows that were loaded before …"
    )
    file = forms.FileField(
        label="Or a file (CSV or Parquet)",
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.parquet,text/csv"}),
        help_text="… or a file of them, which is loaded first. Rows that were loaded before are recognised.",
    )
    mode = forms.ChoiceField(
        label="What to do", choices=MODES, initial=TRY, widget=UnfoldAdminRadioSelectWidget()
    )
    rejected = forms.ChoiceField(
        label="Rejected rows", choices=REJECTED, initial=STRICT, widget=UnfoldAdminRadioSelectWidget()
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        packs = JournalTemplate.objects.exclude(status=JournalTemplate.Status.DRAFT)
        names = packs.order_by("pack").values_list("pack", flat=True).distinct()
        months = [(f"{month:%Y-%m}", f"{month:%B %Y}") for month in months_with_rows()]
        self.fields["pack"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
        self.fields["month"].choices = [("", "–"), *months]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors and bool(cleaned.get("month")) == bool(cleaned.get("file")):
            raise forms.ValidationError("Choose a month, or send a file: one of the two.")
        return cleaned


class StartPages:
    """The pages that lead to a new run, for the admin of runs."""

    admin_site: Any
    render: Any

    def start_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("start/", _limiting(wrap(self.start_view)), name="ledger_journalrun_start"),
            path("confirm/", wrap(self.confirm_view), name="ledger_journalrun_confirm"),
            path("file/<uuid:job_id>/", wrap(self.file_view), name="ledger_journalrun_file"),
        ]

    def start_view(self, request: HttpRequest) -> HttpResponse:
        """Choose; a file is received here and waits for the next page's word."""
        _check(request)
        sent = request.method == "POST"
        asked = {name: request.GET[name] for name in ("pack", "month") if name in request.GET}
        initial = {**asked, "mode": POST} if asked else None
        form = StartForm(request.POST, request.FILES) if sent else StartForm(initial=initial)
        if sent and was_too_large(request):
            form.add_error("file", str(too_large()))
        elif sent and form.is_valid():
            try:
                return HttpResponseRedirect(_confirm_url(form.cleaned_data))
            except BatConnectError as error:
                form.add_error(None, str(error))
        return self.render(
            request,
            "admin/form_page.html",
            title="New bulk run",
            detail=Detail(
                title="New bulk run", subtitle=HINT, actions=[Action("All runs", list_url(JournalRun))]
            ),
            form=form,
            submit_label="What will happen?",
        )

    def confirm_view(self, request: HttpRequest) -> HttpResponse:
        """Say what will happen, then let it."""
        _check(request)
        asked = Asked(request.GET)
        refused: BatConnectError | None = None
        if request.method == "POST":
            try:
                return HttpResponseRedirect(self._started(request, asked))
            except RunInProgress as error:
                return _to_other(request, error)
            except BatConnectError as error:
                refused = error
        figures: list[tuple[str, Cell]] = []
        facts: list[tuple[str, Cell]] = []
        if refused is None:
            try:
                figures, facts = asked.preview()
            except BatConnectError as error:
                refused = error
        return self.render(
            request,
            "admin/ledger/bulk_run_confirm.html",
            title=asked.title,
            detail=Detail(title=asked.title, subtitle=asked.subject, figures=figures, facts=facts),
            consequences=asked.consequences() if refused is None else [],
            refused=_with_advice(refused),
            other_run=_other_run(refused),
            label=asked.label,
            look="primary",
            token=uuid.uuid4().hex,
            back_url=reverse("admin:ledger_journalrun_start"),
        )

    def _started(self, request: HttpRequest, asked: Asked) -> str:
        """Start it; where that leads. Clicked twice, it is one run."""

        def effect() -> Answer:
            return Answer(200, {"url": asked.start(request.user)})

        answer = money_transaction(run_once)(
            scope=f"{request.user.pk}:admin:bulk-run",
            key=request.POST.get("token", "")[:64] or uuid.uuid4().hex,
            request=asked.parameters(),
            effect=effect,
        )
        return str(answer.body["url"])

    def file_view(self, request: HttpRequest, job_id: UUID) -> HttpResponse:
        """A file being loaded: it leads on to the run, or says what is wrong with the file."""
        _check(request)
        job = JobRun.objects.select_related("started_by").filter(pk=job_id, kind=batch_jobs.BULK_FILE).first()
        if job is None:
            raise Http404
        result = job.result or {}
        if result.get("run"):
            return HttpResponseRedirect(admin_url(JournalRun, result["run"]))
        batch = ImportBatch.objects.filter(pk=result["import_batch"]).first() if result else None
        return self.render(
            request,
            "admin/record.html",
            title="Loading a file",
            detail=Detail(
                title="Loading a file",
                subtitle=f"{job.parameters['pack']}, sent {moment(job.created_at)} by {job.started_by}. "
                "When it is loaded, its run starts.",
                partials=["admin/jobs/progress.html"],
                facts=[
                    *(
                        [("What came of it", Cell(result["message"], look="long"))]
                        if "message" in result
                        else []
                    ),
                    *_import_facts(batch),
                ],
                tables=[reject_table(batch)] if batch else [],
                actions=[*(import_files(batch) if batch else []), Action("New bulk run", _start_url())],
                context={"progress": job_state(job), "progress_url": progress_url(job)},
            ),
        )


def _import_facts(batch: ImportBatch | None) -> list[tuple[str, Cell]]:
    if batch is None:
        return []
    return [
        ("File", Cell(batch.file_name, admin_url(batch))),
        ("Rows", Cell(f"{batch.rows:,}", look="money")),
        ("Loaded", Cell(f"{batch.accepted:,}", look="money")),
        ("Rejected", Cell(f"{batch.rejected:,}", look="money")),
    ]


def _limiting(view: Any) -> Any:
    """The view, with files limited before anything reads the form; the form's token is checked inside."""

    def receive(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return view(limited(request, settings.BATCH_UPLOAD_MAX_BYTES), *args, **kwargs)

    return csrf_exempt(receive)


def _check(request: HttpRequest) -> None:
    if not request.user.has_perm("ledger.post_batch"):
        raise PermissionDenied


def _confirm_url(chosen: dict[str, Any]) -> str:
    query = {name: chosen[name] for name in ("pack", "mode", "rejected")}
    file: UploadedFile | None = chosen.get("file")
    if file is not None:
        query["upload"] = receive_upload(chunks=file.chunks(), name=file.name or "").token
    else:
        query["month"] = chosen["month"]
    return f"{reverse('admin:ledger_journalrun_confirm')}?{urlencode(query)}"


def _start_url() -> str:
    return reverse("admin:ledger_journalrun_start")


def _other_run(error: BatConnectError | None) -> str:
    """The run that is in the way, as a link."""
    run = error.details.get("run") if isinstance(error, RunInProgress) else None
    return admin_url(JournalRun, run) if isinstance(run, int) else ""


def _with_advice(error: BatConnectError | None) -> str:
    return "" if error is None else str(error)


def _to_other(request: HttpRequest, error: RunInProgress) -> HttpResponse:
    messages.info(request, str(error))
    return HttpResponseRedirect(_other_run(error) or list_url(JournalRun))
