"""Django's settings, derived from hawker.core.settings; nothing is configured here by hand."""

import os
from pathlib import Path

from psycopg import conninfo

from hawker.core.database import CONNECTION_TIMEOUTS, DatabaseAccess, database_url, session_options
from hawker.core.settings import settings

_settings = settings()
_access = DatabaseAccess(os.environ.get("HAWKER_DATABASE_ACCESS", "app"))
_address = {name: str(value) for name, value in conninfo.conninfo_to_dict(database_url(_settings, _access)).items()}

SECRET_KEY = _settings.secret_key.get_secret_value() if _settings.secret_key else "unset"
DEBUG = False
ALLOWED_HOSTS = [name.strip() for name in _settings.allowed_hosts.split(",")]
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
LOGGING_CONFIG = None  # core.logs sets logging up for every kind of process alike

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "procrastinate.contrib.django",
    "hawker.core.apps.CoreConfig",
    "hawker.alerts",
    "hawker.audit",
    "hawker.limits",
    "hawker.accounts",
    "hawker.ledger",
    "hawker.catalog",
    "hawker.providers",
    "hawker.posts",
    "hawker.orders",
    "hawker.operations",
    "hawker.health",
    "hawker.worker",
]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware", "hawker.web.errors.DatabaseOutageMiddleware"]
"""CommonMiddleware refuses hosts that are not allowed and says how long an answer is. Security headers are added by
asgi.py, to the answers that Django does not make too."""
APPEND_SLASH = False  # A redirect would lose the body of a POST.
ROOT_URLCONF = "hawker.web.urls"
DATA_UPLOAD_MAX_MEMORY_SIZE = FILE_UPLOAD_MAX_MEMORY_SIZE = _settings.page_max_body_bytes
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).with_name("web") / "templates"],
    }
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _address.pop("dbname", "hawker"),
        "USER": _address.pop("user", ""),
        "PASSWORD": _address.pop("password", ""),
        "HOST": _address.pop("host", ""),
        "PORT": _address.pop("port", ""),
        "CONN_MAX_AGE": None,
        # A connection that broke while idle is replaced before its next use, not after it failed a customer.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **CONNECTION_TIMEOUTS,
            **_address,
            "options": session_options(_settings, _access),
            # Values travel apart from the statement, and statements of the hot path are prepared at once.
            "server_side_binding": True,
            "prepare_threshold": 1,
            "application_name": "hawker",
        },
    }
}
