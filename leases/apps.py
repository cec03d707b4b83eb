from django.apps import AppConfig


class LeasesConfig(AppConfig):
    name = "leases"
    verbose_name = "Fleet and leases"
    default_auto_field = "django.db.models.BigAutoField"
    application_rights = {
        "lease_deposit": "SELECT, INSERT",
        "deposit_release": "SELECT, INSERT",
        "deposit_refund": "SELECT, INSERT",
        "lease_termination": "SELECT, INSERT",
        "lease_cancellation": "SELECT, INSERT",
    }

    def ready(self) -> None:
        from ledger.services.weekly_close import register_source

        from . import tasks  # noqa: F401  (registers its jobs)
        from .deposit_installments import DepositInstallments
        from .installments import LeaseInstallments

        register_source(LeaseInstallments())
        register_source(DepositInstallments())
