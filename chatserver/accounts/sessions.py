from importlib import import_module

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase


def session_store(key: str) -> SessionBase:
    """The session under ``key`` as the configured engine keeps it; nothing is loaded before it is asked for."""
    store: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(key)
    return store
