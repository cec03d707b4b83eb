from django.apps import AppConfig


class MiscExpensesConfig(AppConfig):
    name = "misc_expenses"
    verbose_name = "Miscellaneous expenses"
    default_auto_field = "django.db.models.BigAutoField"
    application_rights = {"misc_expense": "SELECT, INSERT"}
