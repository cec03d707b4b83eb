"""Settings, all from the environment (`.env.example` lists them). In production no secret has a default."""

from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote

import environ
import structlog
from django.core.exceptions import ImproperlyConfigured

from batconnect.admin_site import UNFOLD  # noqa: F401
from batconnect.common.keys import bank_details_keys

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
if (BASE_DIR / ".env").exists():
    env.read_env(BASE_DIR / ".env")

from batconnect.api.settings import (  # noqa: E402, F401  (they read the environment too)
    PROBE_CLIENTS,
    REST_FRAMEWORK,
    SIMPLE_JWT,
    SPECTACULAR_SETTINGS,
)

# Without a DATABASE_URL the embedded PostgreSQL is used: a development machine, so DEBUG defaults to on.
DATABASE_URL = env.str("DATABASE_URL", default="")
DEBUG = env.bool("DEBUG", default=not DATABASE_URL)

DEVELOPMENT_SECRET_KEY = "development-only-secret-key-that-production-refuses-to-start-with"  # noqa: S105
SECRET_KEY = env.str("SECRET_KEY", default=DEVELOPMENT_SECRET_KEY)
if not DEBUG and SECRET_KEY == DEVELOPMENT_SECRET_KEY:
    raise ImproperlyConfigured(
        "Set SECRET_KEY in the environment: the development key is refused when DEBUG is off."
    )
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "pgtrigger",
    "simple_history",
    "import_export",
    "axes",
    "django_filters",
    "django_celery_beat",
    "django_prometheus",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "batconnect.common",
    "batconnect.jobs",
    "batconnect.cases",
    "ledger",
    "leases",
    "misc_expenses",
    "repayments",
    "repairs",
    "loans",
    "recon",
]

MIDDLEWARE = [
    "batconnect.api.middleware.HostileInputMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "batconnect.urls"
WSGI_APPLICATION = "batconnect.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {"menu": "batconnect.menu_tags"},
        },
    },
]

# --- Database -------------------------------------------------------------------------------------------
if not DATABASE_URL:
    from batconnect.embedded import database_url

    DATABASE_URL = database_url()
DATABASES = {"default": env.db_url_config(DATABASE_URL)}
# A socket's folder is percent-encoded in the URL, and django-environ leaves it so.
DATABASES["default"]["HOST"] = unquote(DATABASES["default"]["HOST"])
DATABASES["default"]["ENGINE"] = "django.db.backends.postgresql"
DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# Compiling a plan takes longer than any statement here runs; every one of them is known and measured.
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("options", "-c jit=off")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- People ---------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "common.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_HTTP_RESPONSE_CODE = 429
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# --- Time, language, files ------------------------------------------------------------------------------
LANGUAGE_CODE = "en-us"
TIME_ZONE = "America/New_York"
USE_I18N = True
FORMAT_MODULE_PATH = "batconnect.formats"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
LOCAL_DIR = Path(env.str("BATCONNECT_HOME", default=str(BASE_DIR / ".local")))
MEDIA_ROOT = LOCAL_DIR / "files"

# --- Months that leave the database -----------------------------------------------------------------------
ARCHIVE_ROOT = Path(env.str("ARCHIVE_ROOT", default=str(LOCAL_DIR / "archive")))
# Counted back from the newest closed month, that one included.
SOURCE_MONTHS_KEPT = env.int("SOURCE_MONTHS_KEPT", default=3)
LEDGER_MONTHS_KEPT = env.int("LEDGER_MONTHS_KEPT", default=12)
# Days that a month brought back stays, and that the staging tables of a run that ended are kept.
RESTORED_DAYS_KEPT = env.int("RESTORED_DAYS_KEPT", default=7)
STAGING_DAYS_KEPT = env.int("STAGING_DAYS_KEPT", default=7)

# --- Cases ------------------------------------------------------------------------------------------------
CASE_DOCUMENT_MAX_BYTES = env.int("CASE_DOCUMENT_MAX_BYTES", default=10 * 1024 * 1024)
# A void of more than this, in dollars, needs a second person.
VOID_APPROVAL_ABOVE = Decimal(env.str("VOID_APPROVAL_ABOVE", default="1000.00"))
# So do an adjustment and a write-off of more than these; credit paid back always does.
ADJUSTMENT_APPROVAL_ABOVE = Decimal(env.str("ADJUSTMENT_APPROVAL_ABOVE", default="100.00"))
WRITE_OFF_APPROVAL_ABOVE = Decimal(env.str("WRITE_OFF_APPROVAL_ABOVE", default="0.00"))
# So does a loan of more than this, before it is paid out or forgiven.
LOAN_APPROVAL_ABOVE = Decimal(env.str("LOAN_APPROVAL_ABOVE", default="1000.00"))

# --- Leases -----------------------------------------------------------------------------------------------
# What an early end costs, in dollars, when it is less than so many days after the lease's start and nothing else was
# agreed.
LEASE_CANCELLATION_FEE = Decimal(env.str("LEASE_CANCELLATION_FEE", default="500.00"))
LEASE_CANCELLATION_DAYS = env.int("LEASE_CANCELLATION_DAYS", default=28)

# --- Reconciliation -----------------------------------------------------------------------------------------
# `file_path` over HTTP reads below this folder, and nowhere else.
RECON_IMPORT_ROOT = Path(env.str("RECON_IMPORT_ROOT", default=str(LOCAL_DIR / "imports")))
# The hosts that sources may call, and alerts; those of the second list may be inside the house and without TLS.
RECON_API_HOSTS = env.list("RECON_API_HOSTS", default=[])
RECON_API_INSIDE_HOSTS: list[str] = env.list("RECON_API_INSIDE_HOSTS", default=[])
RECON_API_BACKOFF = env.float("RECON_API_BACKOFF", default=0.5)  # seconds, doubled with every try
RECON_API_TIMEOUT = env.float("RECON_API_TIMEOUT", default=30.0)  # seconds without a byte
RECON_API_PAGE_SECONDS = env.float("RECON_API_PAGE_SECONDS", default=120.0)  # for a page as a whole
RECON_API_LONGEST_WAIT = env.int(
    "RECON_API_LONGEST_WAIT", default=60
)  # seconds, when a host says how long to wait

# --- Trips from the processor -------------------------------------------------------------------------------
# The address of the processor's trips; {from} and {to} are the hours asked for. Unset: nothing is fetched.
CURB_TRIPS_URL = env.str("CURB_TRIPS_URL", default="")
# Where the trips are in an answer, and the way to the next page: one of the two. As in an `api` source.
CURB_TRIPS_PAGING = {
    "items": env.str("CURB_TRIPS_ITEMS", default="trips"),
    "next": env.str("CURB_TRIPS_NEXT", default="next"),
    "page": env.str("CURB_TRIPS_PAGE", default=""),
    "total": env.str("CURB_TRIPS_TOTAL", default=""),
    "token_env": env.str("CURB_TRIPS_TOKEN_ENV", default="RECON_TOKEN_CURB"),
}
# A fetch begins this long before the end of the last one that succeeded; the very first reaches back some days.
CURB_FETCH_OVERLAP_HOURS = env.int("CURB_FETCH_OVERLAP_HOURS", default=48)
CURB_FETCH_FIRST_DAYS = env.int("CURB_FETCH_FIRST_DAYS", default=7)

# --- Tolls and tickets ----------------------------------------------------------------------------------------
# What a driver is charged for the handling of each ticket, in dollars, beside the ticket itself.
TICKET_SERVICE_FEE = Decimal(env.str("TICKET_SERVICE_FEE", default="0.00"))

# --- Paying drivers -----------------------------------------------------------------------------------------
# Bank details are encrypted under the first key; the others still read what was kept under them.
DEVELOPMENT_BANK_DETAILS_KEY = "ZGV2ZWxvcG1lbnQgb25seSwgcmVmdXNlZCBvdXRzaWQ="  # 32 bytes, as base64
_bank_details_keys = env.list("BANK_DETAILS_KEY", default=[DEVELOPMENT_BANK_DETAILS_KEY])
if not DEBUG and DEVELOPMENT_BANK_DETAILS_KEY in _bank_details_keys:
    raise ImproperlyConfigured(
        "Set BANK_DETAILS_KEY in the environment: the development key is refused when DEBUG is off."
    )
BANK_DETAILS_KEYS = bank_details_keys(_bank_details_keys)
# Who pays in ACH files, as the bank assigned it. The example of development is refused by any bank.
ACH_ORIGINATOR = {
    "destination": env.str("ACH_DESTINATION", default="061999998" if DEBUG else ""),
    "destination_name": env.str("ACH_DESTINATION_NAME", default="EXAMPLE BANK" if DEBUG else ""),
    "origin": env.str("ACH_ORIGIN", default="1999999999" if DEBUG else ""),
    "origin_name": env.str("ACH_ORIGIN_NAME", default="EXAMPLE FLEET" if DEBUG else ""),
    "company_name": env.str("ACH_COMPANY_NAME", default="EXAMPLE FLEET" if DEBUG else ""),
    "company_id": env.str("ACH_COMPANY_ID", default="1999999999" if DEBUG else ""),
    "odfi": env.str("ACH_ODFI", default="061999998" if DEBUG else ""),
    "description": env.str("ACH_DESCRIPTION", default="DRIVER PAY"),
}
# What stands at the head of a check.
CHECK_PAYER = env.str("CHECK_PAYER", default="Example Fleet" if DEBUG else "")
CHECK_STALE_DAYS = env.int("CHECK_STALE_DAYS", default=180)

# --- Security -------------------------------------------------------------------------------------------
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_TLS_PROXY", default=False) else None
)
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0 if DEBUG else 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEBUG
# Asked inside the house, without TLS.
SECURE_REDIRECT_EXEMPT = [r"^healthz/?$", r"^readyz/?$", r"^metrics/?$"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 60 * 60
X_FRAME_OPTIONS = "DENY"

# --- Background work ------------------------------------------------------------------------------------
# The default broker is a folder, so that nothing needs installing; production sets redis://.
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="filesystem://")
_BROKER_DIR = LOCAL_DIR / "broker"
if CELERY_BROKER_URL.startswith("filesystem://"):
    for _name in ("queue", "processed", "control"):
        (_BROKER_DIR / _name).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_BROKER_DIR / "queue"),
        "data_folder_out": str(_BROKER_DIR / "queue"),
        "processed_folder": str(_BROKER_DIR / "processed"),
        "control_folder": str(_BROKER_DIR / "control"),
        "store_processed": False,
    }
CELERY_TIMEZONE = TIME_ZONE
CELERY_ENABLE_UTC = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Memory that large frames took goes back with the process.
CELERY_WORKER_MAX_TASKS_PER_CHILD = 100
CELERY_TASK_IGNORE_RESULT = True
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Connections a weekly run may work on at once; 1 keeps it on the caller's own.
WEEKLY_RUN_WORKERS = env.int("WEEKLY_RUN_WORKERS", default=2)
# Workers that are asked to share a bulk run, wherever they are: its job's, and others as they are free.
BATCH_WORKERS = env.int("BATCH_WORKERS", default=2)
# Files of source rows that come by HTTP; larger ones are loaded on the server (manage.py post_batch --file).
BATCH_UPLOAD_MAX_BYTES = env.int("BATCH_UPLOAD_MAX_BYTES", default=2 * 1024 * 1024 * 1024)

# --- Logging --------------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "structured": {
            "()": "structlog.stdlib.ProcessorFormatter",
            # Plain tracebacks: the coloured ones take half a second each.
            "processor": structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
            if DEBUG
            else structlog.processors.JSONRenderer(),
            "foreign_pre_chain": [
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso"),
            ],
        },
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="WARNING")},
}
