from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

_INSERT_ONLY = "SELECT, INSERT"


class CasesConfig(AppConfig):
    name = "batconnect.cases"
    label = "cases"
    verbose_name = "Cases"
    default_auto_field = "django.db.models.BigAutoField"
    application_rights = {
        "bpm_case": "SELECT, INSERT, UPDATE",
        "bpm_case_event": _INSERT_ONLY,
        "bpm_case_comment": _INSERT_ONLY,
        "bpm_case_document": _INSERT_ONLY,
    }

    def ready(self) -> None:
        autodiscover_modules("flows")
