"""The product's settings, on the server of the tests unless DATABASE_URL names another."""

import os

from . import server

if "DATABASE_URL" not in os.environ:
    os.environ["DATABASE_URL"] = server.start()
    os.environ.setdefault("DEBUG", "1")  # a DATABASE_URL otherwise means production
os.environ["DJANGO_SETTINGS_MODULE"] = "batconnect.settings"  # for the processes that tests start

from batconnect.settings import *  # noqa: F403
