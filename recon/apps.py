from django.apps import AppConfig


class ReconConfig(AppConfig):
    name = "recon"
    verbose_name = "Reconciliation"
    default_auto_field = "django.db.models.BigAutoField"
    # What came in and what was found stays as it is; jobs and matches change their state alone, as their guards allow.
    application_rights = {
        "recon_external_row": "SELECT, INSERT",
        "recon_log": "SELECT, INSERT",
        "recon_note": "SELECT, INSERT",
        "recon_model": "SELECT, INSERT",
        "recon_job": "SELECT, INSERT, UPDATE",
        "recon_match": "SELECT, INSERT, UPDATE (status, undone_by_id, undone_at, undo_reason)",
        "recon_match_row": "SELECT, INSERT",
        "curb_fetch": "SELECT, INSERT, UPDATE",
        "curb_settlement": "SELECT, INSERT, UPDATE (entry_id, entry_date, entered_by_id, dismissed_at, "
        "dismissed_by_id, dismissed_because)",
        "agency_file": "SELECT, INSERT",
        "agency_reject": "SELECT, INSERT",
        # To be locked; its guard refuses any change but that of its decisions' trigger.
        "agency_item": "SELECT, INSERT, UPDATE (decision_id)",
        "agency_decision": "SELECT, INSERT",
    }

    def ready(self) -> None:
        from leases.demo.parts import register_part

        from . import tasks  # noqa: F401  (registers its jobs)
        from .demo.office import work_the_office
        from .demo.settlements import settle_cards

        register_part(settle_cards)
        register_part(work_the_office)
