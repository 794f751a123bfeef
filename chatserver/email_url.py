"""EMAIL_URL: where mail goes, in one setting.

``smtp://user:password@host:587`` (STARTTLS where there is a password, ``?starttls=on|off`` to say otherwise),
``smtps://user:password@host:465``, ``file:///directory``, ``console://`` (standard error), ``none://``. All take
``?from=chat@example.org``.
"""

from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_BACKENDS = {
    "smtp": "django.core.mail.backends.smtp.EmailBackend",
    "smtps": "django.core.mail.backends.smtp.EmailBackend",
    "file": "django.core.mail.backends.filebased.EmailBackend",
    "console": "chatserver.mail.StandardErrorBackend",
    "none": "django.core.mail.backends.dummy.EmailBackend",
}
_PORTS = {"smtp": 587, "smtps": 465}


def email_settings(url: str) -> dict[str, Any]:
    """Django's settings for ``url``. Raises ImproperlyConfigured, in a sentence that does not repeat the password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ImproperlyConfigured("EMAIL_URL is not an address; check its port and brackets.") from None
    if parts.scheme not in _BACKENDS:
        raise ImproperlyConfigured(f"EMAIL_URL must begin with one of: {', '.join(f'{name}://' for name in _BACKENDS)}")
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    found: dict[str, Any] = {"EMAIL_BACKEND": _BACKENDS[parts.scheme], "EMAIL_TIMEOUT": 10}
    if parts.scheme in _PORTS:
        found |= _smtp(parts, port, options)
    if parts.scheme == "file":
        if not parts.path.strip("/"):
            raise ImproperlyConfigured("EMAIL_URL names no directory; write file:///var/mail/chat or the like.")
        found["EMAIL_FILE_PATH"] = unquote(parts.path)
    if sender := options.get("from"):
        found["DEFAULT_FROM_EMAIL"] = found["SERVER_EMAIL"] = sender
    return found


def _smtp(parts: SplitResult, port: int | None, options: dict[str, str]) -> dict[str, Any]:
    if not parts.hostname:
        raise ImproperlyConfigured("EMAIL_URL names no host; write smtp://user:password@mail.example.org:587.")
    starttls = options.get("starttls", "on" if parts.password else "off")
    if starttls not in ("on", "off"):
        raise ImproperlyConfigured("EMAIL_URL says starttls, but neither on nor off.")
    return {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port or _PORTS[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp" and starttls == "on",
    }
