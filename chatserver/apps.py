import atexit
from typing import Any

from django.apps import AppConfig, apps
from django.core.management import call_command
from django.db import connection
from django.db.models.signals import post_migrate


class ChatserverConfig(AppConfig):
    name = "chatserver"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # The signal is sent once for each app with models, of which this one has none.
        post_migrate.connect(_make_cache_table, sender=apps.get_app_config("accounts"))
        if connection.vendor == "postgresql":
            # Left to the interpreter's own end, the threads of the pool hold every process up for five seconds.
            atexit.register(connection.close_pool)  # type: ignore[attr-defined]  # its backend has one


def _make_cache_table(*, using: str, verbosity: int, **_: Any) -> None:
    # The rate limits count in the database cache; with this, ``migrate`` alone makes a database complete.
    call_command("createcachetable", database=using, verbosity=min(verbosity, 1))
