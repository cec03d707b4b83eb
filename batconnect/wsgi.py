import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "batconnect.settings")
django_application = get_wsgi_application()

from batconnect.api.middleware import refusing_charsets  # noqa: E402  (needs the settings)

application = refusing_charsets(django_application)
