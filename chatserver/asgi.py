"""The ASGI application, for every server: ``chatserver.asgi:application``."""

import os
import sys

import django

# The loop gives the interpreter away at every socket, and a thread that works on rows keeps it for so long. With
# Python's own 5 ms, 200 questions within 1.5 s waited half as long again for their first words.
sys.setswitchinterval(0.0005)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatserver.settings")
django.setup()

from chatserver.application import application  # noqa: E402  the one late import: it needs the apps

__all__ = ["application"]
