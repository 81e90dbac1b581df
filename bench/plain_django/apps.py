"""Django's entry for the project's one application."""

from django.apps import AppConfig


class PlainConfig(AppConfig):
    name = "bench.plain_django"
    label = "plain"
