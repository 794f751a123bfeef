"""The ASGI application, for every server: ``chatserver.asgi:application``."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatserver.settings")
django.setup()

from chatserver.application import application  # noqa: E402  the one late import: it needs the apps

__all__ = ["application"]
