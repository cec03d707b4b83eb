"""The pages beside a case's steps: hand it on, cancel it, comment, documents."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from batconnect.common.errors import BatConnectError
from batconnect.common.screens import Detail

from .models import Case
from .registry import flow_of
from .services import documents, handling
from .ways import case_url, user_of


class AssignForm(forms.Form):
    """To whom a case is handed."""

    username = forms.CharField(
        label="User name",
        required=False,
        max_length=150,
        widget=UnfoldAdminTextInputWidget,
        help_text="Who is to do it. Empty: anyone who may.",
    )
    note = forms.CharField(
        required=False,
        max_length=handling.LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )


class CancelForm(forms.Form):
    """Why a case is not carried out."""

    reason = forms.CharField(
        max_length=handling.LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="At least 10 characters. The case is kept, with this reason.",
    )


class CommentForm(forms.Form):
    """A comment beside a case."""

    text = forms.CharField(
        label="Comment",
        max_length=handling.LONGEST_COMMENT,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


class DocumentForm(forms.Form):
    """A file for a case."""

    file = forms.FileField(
        help_text="PDF, picture, text or spreadsheet; at most 10 MB.",
    )


class BesidePages(ModelAdmin):
    """Mixed into the pages of cases, which say whose case it is and draw the page."""

    def _case(self, request: HttpRequest, case_no: str) -> Case:
        raise NotImplementedError

    def _render(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
        raise NotImplementedError

    def assign_view(self, request: HttpRequest, case_no: str) -> HttpResponse:
        return self._small_form(
            request,
            case_no,
            AssignForm,
            title="Hand on",
            label="Hand on",
            act=lambda asked: handling.assign_case(case_no=case_no, actor=user_of(request), **asked),
        )

    def cancel_view(self, request: HttpRequest, case_no: str) -> HttpResponse:
        return self._small_form(
            request,
            case_no,
            CancelForm,
            title="Cancel",
            label="Cancel this case",
            look="danger",
            act=lambda asked: handling.cancel_case(case_no=case_no, actor=user_of(request), **asked),
        )

    def comment_view(self, request: HttpRequest, case_no: str) -> HttpResponse:
        return self._small_form(
            request,
            case_no,
            CommentForm,
            title="Comment on",
            label="Add comment",
            act=lambda asked: handling.add_comment(case_no=case_no, actor=user_of(request), **asked),
        )

    def attach_view(self, request: HttpRequest, case_no: str) -> HttpResponse:
        return self._small_form(
            request,
            case_no,
            DocumentForm,
            title="Attach a document to",
            label="Attach",
            act=lambda asked: documents.attach(case_no=case_no, upload=asked["file"], actor=user_of(request)),
        )

    def document_view(self, request: HttpRequest, case_no: str, document_id: int) -> HttpResponseBase:
        from .api import as_file

        case = self._case(request, case_no)
        try:
            return as_file(
                documents.document_of(case_no=case.case_no, document_id=document_id, actor=user_of(request))
            )
        except BatConnectError as error:
            raise Http404(str(error)) from None

    def _small_form(
        self,
        request: HttpRequest,
        case_no: str,
        form_class: type[forms.Form],
        *,
        title: str,
        label: str,
        act: Any,
        look: str = "primary",
    ) -> HttpResponse:
        case = self._case(request, case_no)
        if not request.user.has_perm("cases.process_case"):
            raise PermissionDenied
        form = form_class(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                act(form.cleaned_data)
            except BatConnectError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{case.case_no}: done.")
                return HttpResponseRedirect(case_url(case))
        return self._render(
            request,
            "admin/form_page.html",
            title=f"{title} {case.case_no}",
            detail=Detail(title=f"{title} {case.case_no}", subtitle=case.subject or flow_of(case).name),
            form=form,
            submit_label=label,
            submit_look=look,
            cancel_url=case_url(case),
        )
