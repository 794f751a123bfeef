"""``manage.py serve``: the product on uvicorn, in one process or several."""

import argparse
import os
import socket
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor

from chatserver.accounts.setup import setup_link
from chatserver.management.launcher import Launcher
from chatserver.management.server import Server, WorkerServer, config
from streaming.engine.data_lock import DataDirectoryInUse, DataLock
from streaming.wiring import data_lock_file

# Beyond DRAIN_GRACE: the ends of running answers 5 s, streams 2 s, the server 2 s, and some for a busy machine.
AFTER_THE_GRACE = 15.0


class Command(BaseCommand):
    help = "Serve the chat server. Ctrl-C or SIGTERM ends it after running answers have finished (DRAIN_GRACE)."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers", type=int, default=1, help="processes; more than one need PostgreSQL and Redis")
        # The launcher adds it for its workers: the descriptors of the bound socket and of its line to the worker.
        parser.add_argument("--inherited", help=argparse.SUPPRESS)

    def handle(self, *args: Any, host: str, port: int, workers: int, inherited: str | None, **options: Any) -> None:
        if inherited:
            self._work(host, port, inherited)
            return
        self._refuse_workers(workers)
        self._refuse_without_migrations()
        self._refuse_data_in_use()
        base_url = settings.BASE_URL or f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
        self.stderr.write(f"\n  chatserver is starting at {base_url}")
        if link := setup_link(base_url):
            # Printed, not logged: whoever has this link becomes the administrator.
            self.stderr.write(f"\n  There is no administrator yet. Open this link once to make one:\n\n    {link}\n")
        self.stderr.write("")
        connections.close_all()  # this thread's is not used again, and would be missing in the pool
        if workers > 1:
            self._launch(host, port, workers)
        server = Server(config(host=host, port=port))
        server.run()
        if not server.started:
            sys.exit(3)

    def _launch(self, host: str, port: int, workers: int) -> None:
        connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's has one; its threads and connections end
        launcher = Launcher(
            listening=config(host=host, port=port).bind_socket(),
            workers=workers,
            command=[sys.executable, *sys.orig_argv[1:]],
            patience=settings.DRAIN_GRACE + AFTER_THE_GRACE,
        )
        sys.exit(launcher.run())

    def _work(self, host: str, port: int, inherited: str) -> None:
        listening, line = (socket.socket(fileno=int(number)) for number in inherited.split(":"))
        for each in (listening, line):
            each.set_inheritable(False)
        patience = settings.DRAIN_GRACE + AFTER_THE_GRACE
        server = WorkerServer(config(host=host, port=port), line=line, patience=patience)
        server.run(sockets=[listening])
        if not server.started:
            sys.exit(3)

    def _refuse_workers(self, workers: int) -> None:
        if workers < 1:
            raise CommandError("--workers is a number of processes, at least 1.")
        if workers == 1:
            return
        if connection.vendor != "postgresql" or not settings.REDIS_URL:
            raise CommandError(
                f"--workers {workers} needs PostgreSQL and Redis: set DATABASE_URL=postgres://… and "
                "REDIS_URL=redis://…, or leave --workers away."
            )
        if settings.EVENT_LOG == "memory":
            raise CommandError(f"--workers {workers} needs another EVENT_LOG: memory is one process's own.")
        if not hasattr(os, "posix_spawn"):
            raise CommandError("--workers above 1 needs an operating system with posix_spawn; start several servers.")

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
