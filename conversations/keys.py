"""The keys of model servers in the database: sealed before they are stored, opened only to be sent. Whatever passes
here is kept out of this process's log from then on.
"""

from functools import lru_cache

from django.conf import settings

from chatserver.model_servers import origin_of
from chatserver.redaction import conceal
from chatserver.sealing import Sealer
from conversations.models import ModelServer


def seal_key(server: ModelServer, key: str) -> None:
    """Put ``key`` into the row, which is not saved, for the address that it has. Raises CannotSeal."""
    conceal(key)
    server.encrypted_key = sealer().seal(key, **_bound_to(server))


def open_key(server: ModelServer) -> str:
    """The server's key; the empty text where it has none. Raises CannotOpen."""
    if server.encrypted_key is None:
        return ""
    key = sealer().open(bytes(server.encrypted_key), **_bound_to(server))
    conceal(key)
    return key


def sealer() -> Sealer:
    return _sealer(tuple(settings.ENCRYPTION_KEYS))


def _bound_to(server: ModelServer) -> dict[str, str]:
    return {"server": str(server.pk), "origin": origin_of(server.url)}


@lru_cache(maxsize=2)
def _sealer(secrets: tuple[str, ...]) -> Sealer:
    return Sealer(secrets)
