"""Django's entry for this package: procrastinate finds `tasks` by it."""

from django.apps import AppConfig


class WorkerConfig(AppConfig):
    name = "hawker.worker"
