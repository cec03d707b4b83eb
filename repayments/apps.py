from django.apps import AppConfig


class RepaymentsConfig(AppConfig):
    name = "repayments"
    verbose_name = "Repayments"
    default_auto_field = "django.db.models.BigAutoField"
    application_rights = {
        "repayment": "SELECT, INSERT, UPDATE (state, state_reason, state_since, weekly_principal, waived, forgiven)",
        "repayment_installment": "SELECT, INSERT, UPDATE (posting_id, cancelled_on, cancelled_because)",
    }
