"""Where a case's pages are, and what they share with those that lead to them."""

from typing import cast

from django.http import HttpRequest
from django.urls import reverse
from django.utils.module_loading import import_string
from unfold.widgets import UnfoldAdminTextInputWidget

from batconnect.common.models import User

from .models import Case
from .registry import Step
from .screens import StepScreen

INPUT_CLASSES = " ".join(UnfoldAdminTextInputWidget().attrs.get("class", "").split())


def screen_of(step: Step) -> StepScreen:
    return cast(StepScreen, import_string(step.screen)())


def case_url(case: Case, page: str = "change") -> str:
    return reverse(f"admin:cases_case_{page}", args=[case.pk if page == "change" else case.case_no])


def start_url(prefix: str) -> str:
    return reverse("admin:cases_case_start", args=[prefix])


def user_of(request: HttpRequest) -> User:
    return cast(User, request.user)  # the admin lets nobody else in
