"""The Celery application: `celery -A batconnect worker` and `celery -A batconnect beat`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "batconnect.settings")
app = Celery("batconnect")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
