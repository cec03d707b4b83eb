"""What the fleet's screens share: nothing is deleted, history is read, and changes go through services."""

from typing import Any, ClassVar, cast

from django import forms
from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.generic import FormView
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin, TabularInline
from unfold.views import UnfoldModelAdminViewMixin

from batconnect.common.errors import BatConnectError
from batconnect.common.models import User
from batconnect.common.screens import Detail
from leases.models import Lease


class FleetAdmin(SimpleHistoryAdmin, ModelAdmin):
    """Master data: searched, edited, never deleted; an old state is looked at, not brought back."""

    list_per_page = 50
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def revert_disabled(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return True


class ReadOnlyAdmin(ModelAdmin):
    """Rows that people look up and only services write."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyInline(TabularInline):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ServiceForm(forms.Form):
    """The parameters of one service call, with the admin's own widgets for the model fields named."""

    model: ClassVar[type[Model]]
    model_fields: ClassVar[tuple[str, ...]]

    def __init__(self, *args: Any, model_admin: ModelAdmin, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        for name in self.model_fields:
            field = self.model._meta.get_field(name)
            self.fields[name] = model_admin.formfield_for_dbfield(field, request=request)


class ServiceFormView(UnfoldModelAdminViewMixin, FormView):
    """One form, one service call, one message; a refusal is shown on the form with what was entered."""

    template_name = "leases/service_form.html"
    title: ClassVar[str]
    submit_label: ClassVar[str]
    subject: Any = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "object_id" in kwargs and self.has_permission():
            self.subject = get_object_or_404(self.model_admin.model, pk=kwargs["object_id"])
        return super().dispatch(request, *args, **kwargs)

    @property
    def about(self) -> str:
        """Whom and what it is about, beneath the title."""
        if isinstance(self.subject, Lease):
            return f"Lease {self.subject}, {self.subject.driver}"
        return str(self.subject) if self.subject else ""

    def carry_out(self, asked: dict[str, Any]) -> tuple[Model, str]:
        """Call the service; returns the thing to show next and what to say."""
        raise AssertionError(f"{type(self).__name__} names no service")

    @property
    def actor(self) -> User:
        return cast(User, self.request.user)  # the admin lets nobody else in

    def form_valid(self, form: forms.Form) -> HttpResponse:
        try:
            made, message = self.carry_out(form.cleaned_data)
        except BatConnectError as error:
            form.add_error(None, str(error))
            response: HttpResponse = self.form_invalid(form)
            return response
        messages.success(self.request, message)
        return HttpResponseRedirect(self._page("change", made.pk))

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "model_admin": self.model_admin, "request": self.request}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        back = self._page("change", self.subject.pk) if self.subject else self._page("changelist")
        kwargs.setdefault("detail", Detail(title=self.title, subtitle=self.about))
        context: dict[str, Any] = super().get_context_data(**kwargs)
        # The calendar of date fields needs the admin's own scripts before it.
        media = (
            self.model_admin.media + context["form"].media if "form" in context else self.model_admin.media
        )
        return dict(
            context,
            media=media,
            subtitle=str(self.subject) if self.subject else None,
            submit_label=self.submit_label,
            cancel_url=back,
            opts=self.model_admin.opts,
        )

    def _page(self, name: str, *args: Any) -> str:
        opts = self.model_admin.opts
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_{name}", args=args)
