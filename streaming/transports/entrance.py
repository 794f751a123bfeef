"""Who is at the socket's door: known by the handshake, or to be told by the first frame."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from chatserver.accounts.principal import Principal, aprincipal_of_session_key, aprincipal_of_token
from chatserver.gates import refused
from chatserver.origins import allowed
from streaming.protocol.errors import Forbidden, NotAuthenticated

TELL_WITHIN = 10.0  # seconds
MOST_UNKNOWN = 1024


async def principal_of_handshake(scope: dict[str, Any]) -> Principal | None:
    """By bearer token, or by session; None where the handshake names nobody whom we know.

    Raises NotAuthenticated for a wrong token, Forbidden for a session's cookie from another origin.
    """
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    bearer = headers.get("authorization", "")
    if bearer.lower().startswith("bearer "):
        principal = await aprincipal_of_token(bearer[7:].strip())
        if principal is None:
            refused("token", socket=True)
            raise NotAuthenticated()
        return principal
    key = scope.get("cookies", {}).get(settings.SESSION_COOKIE_NAME)
    if not key:
        return None
    scheme = "https" if scope.get("scheme") in ("wss", "https") else "http"
    if not allowed(headers.get("origin"), host=headers.get("host", ""), scheme=scheme):
        refused("origin", socket=True)
        raise Forbidden()
    return await aprincipal_of_session_key(key)


class Doorstep:
    """The sockets of a process that have not said who they are: at most ``most``, each for ``patience`` seconds.

    When one more comes, the one that has waited longest is sent away: who fills the place cannot keep others out who
    say at once who they are.
    """

    def __init__(self, *, most: int = MOST_UNKNOWN, patience: float = TELL_WITHIN) -> None:
        self._most = most
        self._patience = patience
        self._waiting: dict[asyncio.Event, None] = {}  # in the order in which they came

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self) -> None:
        """Return when this one's time is over."""
        with self._place() as sent_away:
            try:
                async with asyncio.timeout(self._patience):
                    await sent_away.wait()
            except TimeoutError:
                return

    @contextmanager
    def _place(self) -> Iterator[asyncio.Event]:
        sent_away = asyncio.Event()
        self._waiting[sent_away] = None
        if len(self._waiting) > self._most:
            longest = next(iter(self._waiting))
            del self._waiting[longest]
            longest.set()
        try:
            yield sent_away
        finally:
            self._waiting.pop(sent_away, None)


doorstep = Doorstep()
