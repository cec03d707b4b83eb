from django.apps import AppConfig


class RepairsConfig(AppConfig):
    name = "repairs"
    verbose_name = "Repairs"
    default_auto_field = "django.db.models.BigAutoField"
    application_rights = {"repair_invoice": "SELECT, INSERT"}

    def ready(self) -> None:
        from ledger.services.weekly_close import register_source
        from repayments.installments import RepaymentInstallments
        from repayments.models import Kind

        register_source(RepaymentInstallments("repairs", Kind.REPAIR))
