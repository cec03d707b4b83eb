from django.apps import AppConfig


class MiscExpensesConfig(AppConfig):
    name = "misc_expenses"
    verbose_name = "Miscellaneous expenses"
    default_auto_field = "django.db.models.BigAutoField"
    application_rights = {"misc_expense": "SELECT, INSERT"}

    def ready(self) -> None:
        from leases.services import check_related_charge

        from .services import register_check

        register_check(check_related_charge)
