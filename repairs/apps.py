from django.apps import AppConfig


class RepairsConfig(AppConfig):
    name = "repairs"
    verbose_name = "Repairs"
    default_auto_field = "django.db.models.BigAutoField"
    application_rights = {"repair_invoice": "SELECT, INSERT"}

    def ready(self) -> None:
        from leases.services.deposits import register_due_now
        from ledger.services.weekly_close import register_source
        from repayments.installments import RepaymentInstallments
        from repayments.models import Kind
        from repayments.services.plans import hold_schedules

        from . import services

        register_source(RepaymentInstallments("repairs", Kind.REPAIR))
        register_due_now(services.fall_due_on, hold=hold_schedules)
