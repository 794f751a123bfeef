import sys
from typing import Any

from django.core.mail.backends.console import EmailBackend


class StandardErrorBackend(EmailBackend):
    """Shows mail to whoever started the server. Standard output is for what commands print."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"stream": sys.stderr, **kwargs})
