"""The connections that are open in this process: counted per user, and told to end when they must."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal
from uuid import UUID

from django.conf import settings

from chatserver.accounts.principal import Principal
from chatserver.accounts.rechecking import arecheck
from streaming.protocol.errors import ChatError, Draining, NotAuthenticated, TooManyStreams, Unavailable

# rights_changed: the way in is still there, but gives other rights; whoever comes again gets those.
Reason = Literal["restart", "rotation", "not_authenticated", "rights_changed", "too_slow"]


class Live:
    """One open connection. Whoever serves it looks at ``ending`` and is woken when it changes."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.ending: Reason | None = None
        # Whether anything may still be sent: nothing at all once the right to it has gone.
        self.may_deliver = True
        self._wakes: list[Callable[[], None]] = []

    @contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call ``wake`` when the connection is told to end while this context is open."""
        self._wakes.append(wake)
        try:
            yield
        finally:
            self._wakes.remove(wake)

    def end(self, reason: Reason) -> None:
        if self.ending is None:
            self.ending = reason
            self.may_deliver = reason == "restart"
            for wake in list(self._wakes):
                wake()

    def ended(self) -> ChatError:
        """Why it was told to end, for a caller that has not been answered yet."""
        match self.ending:
            case "not_authenticated":
                return NotAuthenticated()
            case "rights_changed":
                return Unavailable("Your rights have changed. Ask again.", retry_after_ms=1000)
            case _:
                return Draining(retry_after_ms=2000)


class LiveConnections:
    """``max_streams``: how many connections one user may hold in this process."""

    def __init__(self, *, max_streams: int) -> None:
        self._max_streams = max_streams
        self._open: set[Live] = set()
        self._by_user: Counter[UUID] = Counter()
        self.draining = False
        self.server_pushes_back = False  # whether a write waits for a client that does not read

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def opened(self, principal: Principal) -> Iterator[Live]:
        """Raises Draining, or TooManyStreams where the user has their share open already."""
        live = self.admit(principal)
        try:
            yield live
        finally:
            self.leave(live)

    def admit(self, principal: Principal) -> Live:
        if self.draining:
            raise Draining(retry_after_ms=2000)
        if self._by_user[principal.user_id] >= self._max_streams:
            raise TooManyStreams(retry_after_ms=5000, details={"limit": self._max_streams})
        live = Live(principal)
        self._open.add(live)
        self._by_user[principal.user_id] += 1
        return live

    def leave(self, live: Live) -> None:
        if live not in self._open:
            return
        self._open.discard(live)
        self._by_user[live.principal.user_id] -= 1
        if not self._by_user[live.principal.user_id]:
            del self._by_user[live.principal.user_id]

    async def end_the_unwelcome(self) -> None:
        """Ask again who holds each connection, and end those whose way in is gone or gives other rights now.

        At most three queries for all.
        """
        principals = {live.principal for live in self._open}
        if not principals:
            return
        now = await arecheck(principals)
        for live in list(self._open):
            principal = now.get(live.principal, live.principal)
            if principal is None:
                live.end("not_authenticated")
            elif _rights(principal) != _rights(live.principal):
                live.end("rights_changed")

    def end_all(self, reason: Reason) -> None:
        for live in list(self._open):
            live.end(reason)


def _rights(principal: Principal) -> tuple[object, ...]:
    return principal.user_id, principal.is_staff, principal.scopes


_connections: LiveConnections | None = None


def connections() -> LiveConnections:
    """The process's open connections."""
    global _connections
    if _connections is None:
        _connections = LiveConnections(max_streams=settings.MAX_STREAMS)
    return _connections


def forget_connections() -> None:
    """Begin anew, as a process that has just started."""
    global _connections
    _connections = None
