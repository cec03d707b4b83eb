from django.apps import AppConfig


class LoansConfig(AppConfig):
    name = "loans"
    verbose_name = "Loans"
    default_auto_field = "django.db.models.BigAutoField"
    application_rights = {"driver_loan": "SELECT, INSERT", "loan_movement": "SELECT, INSERT"}

    def ready(self) -> None:
        from leases.services.deposits import register_due_now
        from ledger.services.weekly_close import register_source
        from repayments.installments import RepaymentInstallments
        from repayments.models import Kind
        from repayments.services.plans import hold_schedules

        from . import services

        register_source(RepaymentInstallments("loans", Kind.LOAN))
        register_due_now(services.fall_due_on, hold=hold_schedules)
