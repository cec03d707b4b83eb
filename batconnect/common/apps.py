from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CommonConfig(AppConfig):
    name = "batconnect.common"
    label = "common"
    verbose_name = "People and audit"
    default_auto_field = "django.db.models.BigAutoField"
    # What the application's database role may do where it is less than everything; see roles.py.
    application_rights = {"audit_entry": "SELECT, INSERT", "common_user": "SELECT, INSERT, UPDATE"}

    def ready(self) -> None:
        from .roles import grant_application_role

        post_migrate.connect(grant_application_role, sender=self)
