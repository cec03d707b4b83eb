"""The product's settings, with django-hordak beside it to measure against."""

from batconnect.settings import *  # noqa: F403
from batconnect.settings import INSTALLED_APPS as OURS

INSTALLED_APPS = [*OURS, "mptt", "hordak"]
DEFAULT_CURRENCY = "USD"
CURRENCIES = ["USD"]
