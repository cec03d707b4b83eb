from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "batconnect.common"
    label = "common"
    verbose_name = "People and audit"
    default_auto_field = "django.db.models.BigAutoField"
