"""uvicorn's server as we start it: with the settings it was measured with, and an end that follows our drain."""

import os
import socket
import threading
import time
from signal import SIGTERM
from types import FrameType

import uvicorn
from django.conf import settings

from chatserver.management.line import AT_ONCE, READY
from streaming.transports.live import connections as live_connections


class Server(uvicorn.Server):
    """Ends with exit code 0 after a drain: uvicorn would raise the signal again. A second signal ends it at once.

    The kernel drops connections whose other side takes nothing or is not there any more. When we have given one up,
    what is written to it already still waits to be taken, for ever where the other side says that it is not ready.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in (each for server in self.servers for each in server.sockets):
            with socket.socket(fileno=os.dup(listening.fileno())) as own:
                if own.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_USER_TIMEOUT"):
                    # In milliseconds; connections take it over. Twice our own time-out: that one shall come first.
                    own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(2000 * settings.WRITE_TIMEOUT))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Called without a frame when a drain is over; a signal that comes in the middle of one is a second one.
        in_a_hurry = frame is not None and live_connections().draining
        if self.should_exit or in_a_hurry:
            self.force_exit = True
        self.should_exit = True


class WorkerServer(Server):
    """One of several, on a socket that the launcher has bound; ``line`` is what it shares with the launcher.

    It drains when the launcher says so, and when the launcher is gone, however it went. Signals do the same; a second
    one does nothing, because a service manager may tell the launcher and all workers: only the launcher hurries.
    ``patience`` seconds after the launcher has gone the process ends whatever state it is in.
    """

    def __init__(self, config: uvicorn.Config, *, line: socket.socket, patience: float) -> None:
        super().__init__(config)
        self._line = line
        self._patience = patience

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # A thread, so that a launcher that is gone is noticed by a process whose loop stands still, too.
        threading.Thread(target=self._obey, name="launcher", daemon=True).start()
        await super().startup(sockets)
        self._line.send(READY)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if frame is None or not live_connections().draining:
            self.should_exit = True

    def _obey(self) -> None:
        while word := self._word():
            if word == AT_ONCE:
                self.force_exit = self.should_exit = True
            else:
                os.kill(os.getpid(), SIGTERM)
        os.kill(os.getpid(), SIGTERM)
        time.sleep(self._patience)
        os._exit(1)

    def _word(self) -> bytes:
        """What the launcher says next; nothing where there is no launcher any more."""
        try:
            return self._line.recv(1)
        except OSError:
            return b""


def config(*, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        "chatserver.asgi:application",
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,  # the drain is over by then
        ws_max_size=settings.MAX_FRAME,
        ws_max_queue=16,
        ws_per_message_deflate=False,  # doubles an idle socket's memory and costs up to a quarter of the CPU
        ws_ping_interval=settings.HEARTBEAT,
        ws_ping_timeout=settings.CLIENT_DEAD_AFTER,
        proxy_headers=bool(settings.TRUSTED_PROXIES),
        forwarded_allow_ips=settings.TRUSTED_PROXIES or None,
        backlog=2048,
    )
