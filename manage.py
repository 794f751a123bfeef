#!/usr/bin/env python
import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

if __name__ == "__main__":  # workers are spawned, and import this file again
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatserver.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as fault:
        sys.exit(str(fault))  # a bad setting is one sentence, not a traceback
