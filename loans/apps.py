from django.apps import AppConfig


class LoansConfig(AppConfig):
    name = "loans"
    verbose_name = "Loans"
    default_auto_field = "django.db.models.BigAutoField"
    application_rights = {"driver_loan": "SELECT, INSERT", "loan_movement": "SELECT, INSERT"}

    def ready(self) -> None:
        from ledger.services.weekly_close import register_source
        from repayments.installments import RepaymentInstallments
        from repayments.models import Kind

        register_source(RepaymentInstallments("loans", Kind.LOAN))
