from django.apps import AppConfig


class LeasesConfig(AppConfig):
    name = "leases"
    verbose_name = "Fleet and leases"
    default_auto_field = "django.db.models.BigAutoField"
    application_rights = {"lease_termination": "SELECT, INSERT"}

    def ready(self) -> None:
        from ledger.services.weekly_close import register_source

        from .installments import LeaseInstallments

        register_source(LeaseInstallments())
