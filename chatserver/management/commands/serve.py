"""``manage.py serve``: the product on uvicorn, with the settings it was measured with."""

import argparse
import os
import socket
import sys
from types import FrameType
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor

from chatserver.accounts.setup import setup_link
from streaming.engine.data_lock import DataDirectoryInUse, DataLock
from streaming.transports.live import connections as live_connections
from streaming.wiring import data_lock_file


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


class Command(BaseCommand):
    help = "Serve the chat server. Ctrl-C or SIGTERM ends it after running answers have finished (DRAIN_GRACE)."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        self._refuse_without_migrations()
        self._refuse_data_in_use()
        base_url = settings.BASE_URL or f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
        self.stderr.write(f"\n  chatserver is starting at {base_url}")
        if link := setup_link(base_url):
            # Printed, not logged: whoever has this link becomes the administrator.
            self.stderr.write(f"\n  There is no administrator yet. Open this link once to make one:\n\n    {link}\n")
        self.stderr.write("")
        connections.close_all()  # this thread's is not used again, and would be missing in the pool
        server = Server(
            uvicorn.Config(
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
        )
        server.run()
        if not server.started:
            sys.exit(3)

    def _refuse_data_in_use(self) -> None:
        """Said here, before a new setup link would make the running server's one worthless."""
        if connections[DEFAULT_DB_ALIAS].vendor != "sqlite":
            return
        lock = DataLock(data_lock_file())
        try:
            lock.take()
        except DataDirectoryInUse as fault:
            raise CommandError(str(fault)) from None
        lock.release()

    def _refuse_without_migrations(self) -> None:
        try:
            executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
            missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except DatabaseError as fault:
            raise CommandError(f"The database cannot be used ({type(fault).__name__}). Check DATABASE_URL.") from None
        if missing:
            raise CommandError("The database is not up to date. Run: python manage.py migrate")
