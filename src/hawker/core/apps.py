"""The Django application of `core`: it has no tables, and sets up database connections."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created

from hawker.core.connections import on_connection_created


class CoreConfig(AppConfig):
    """Connects the set-up of connections to Django's signal."""

    name = "hawker.core"
    label = "hawker_core"

    def ready(self) -> None:
        connection_created.connect(on_connection_created, dispatch_uid="hawker.core.connections")
