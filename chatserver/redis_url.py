"""Redis, where there is one: its address checked, and what Django and Channels are told of it."""

from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_OPTIONS = frozenset({"ssl_ca_certs", "ssl_cert_reqs", "ssl_check_hostname"})
_REMEDY = "write redis://:password@host:6379/0, or rediss:// for TLS"
# Seconds. A Redis that does not answer costs the one who asks this much, once: after that it counts as away.
PATIENCE = 1.0


def redis_url(text: str) -> str:
    """REDIS_URL as it may be used, or the empty text. Raises ImproperlyConfigured without repeating its password."""
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        number = parts.path.removeprefix("/")
        usable = parts.hostname and (parts.port or 6379) and (not number or (number.isascii() and number.isdigit()))
    except ValueError:  # a port that is none
        raise ImproperlyConfigured(f"REDIS_URL has a port that is no number; {_REMEDY}.") from None
    if parts.scheme not in ("redis", "rediss") or not usable or parts.fragment:
        raise ImproperlyConfigured(f"REDIS_URL is {_without_password(parts)!r}; {_REMEDY}.")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(options.keys() - _OPTIONS):
        known = ", ".join(sorted(_OPTIONS))
        raise ImproperlyConfigured(f"REDIS_URL has {', '.join(unknown)} after its ?; only these are known: {known}.")
    if (file := options.get("ssl_ca_certs")) and not Path(file).is_file():
        raise ImproperlyConfigured(f"REDIS_URL names {file} as ssl_ca_certs, which is no file.")
    return text


def redis_secrets(url: str) -> list[str]:
    """What of the address no line of the log may have."""
    password = urlsplit(url).password or ""
    return [password, unquote(password)]


def channel_layers(url: str, prefix: str) -> dict[str, Any]:
    """The layer that carries wake-ups, and nothing else, between processes. One process alone has none.

    It is not the default one: Channels would subscribe each socket to that, and refuse it while Redis is away.
    """
    if not url:
        return {}
    host = {"address": url, "socket_connect_timeout": PATIENCE, "socket_timeout": PATIENCE}
    # Pub/sub, not the core layer: of that, groups are forgotten when Redis starts empty, and nobody notices.
    backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
    return {"doorbell": {"BACKEND": backend, "CONFIG": {"hosts": [host], "prefix": f"{prefix}:"}}}


def caches(url: str, prefix: str) -> dict[str, Any]:
    """Never per-process memory: limits that are counted there would break with the second process."""
    database = {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"}
    if not url:
        return {"default": database}
    return {
        "default": {"BACKEND": "chatserver.cache.Cache", "LOCATION": url, "KEY_PREFIX": prefix},
        "database": database,
    }


def _without_password(parts: SplitResult) -> str:
    if "@" not in parts.netloc:
        return parts.geturl()
    return parts._replace(netloc=f"…@{parts.netloc.rpartition('@')[2]}").geturl()
