"""Settings as `startproject` makes them, less what an API does not need."""

import os

SECRET_KEY = "measured, never exposed"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "bench.plain_django.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["bench.plain_django.apps.PlainConfig"]
MIDDLEWARE: list[str] = []
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "plain",
        "USER": "plain",
        "HOST": os.environ["BENCH_PLAIN_HOST"],
        "PORT": "5432",
        "CONN_MAX_AGE": None,
    }
}
