"""The product as a process of its own, on any of its servers, with a data directory of its own."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from uuid import UUID

from tests.support.databases import database_of
from tests.support.environment import ROOT, free_port, product_environment
from tests.support.redis_server import logged_in_redis

Kind = Literal["uvicorn", "daphne", "runserver"]
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ChatServer:
    """A server on ``data_dir``, which is migrated already; always at the same port, also when started again.

    ``settings`` are variables of the environment, ``arguments`` more words for its command. ``with ChatServer(…) as
    server`` starts it and at the end kills it; its log is part of the message of every failure of its own.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        kind: Kind = "uvicorn",
        workers: int = 1,
        arguments: Sequence[str] = (),
        **settings: object,
    ) -> None:
        self.data_dir = data_dir
        self.kind = kind
        self.workers = workers
        self.arguments = arguments
        self.settings = settings
        self.database = database_of(data_dir, settings)
        self.port = free_port()
        self.log_file = data_dir.parent / f"{data_dir.name}-{kind}-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return self.url

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def start(self, *, within: float = 90.0) -> Self:
        """Returns when it is ready."""
        self.launch()
        return self.wait_until_ready(within=within)

    def wait_until_ready(self, *, within: float = 90.0) -> Self:
        deadline = time.monotonic() + within
        while not self.is_ready():
            assert self._process is not None
            assert self._process.poll() is None, f"the server ended by itself:\n{self.log}"
            assert time.monotonic() < deadline, f"the server was not ready in {within} s:\n{self.log}"
            time.sleep(0.03)
        return self

    def launch(self) -> None:
        """Begin to start, and come back at once."""
        assert self._process is None
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=ROOT,
                env=product_environment(self.data_dir, **self.settings),
                stdout=log,
                stderr=log,
            )

    def is_ready(self) -> bool:
        try:
            with _NO_PROXY.open(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def health(self) -> dict[str, Any]:
        """What it says of itself."""
        with _NO_PROXY.open(f"{self.url}/readyz", timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def terminate(self, number: int = signal.SIGTERM) -> None:
        """Ask it to end; ``wait`` tells how that went."""
        os.kill(self.pid, number)

    def wait(self, *, within: float) -> int:
        """Its exit code."""
        assert self._process is not None
        try:
            code = self._process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not end in {within} s:\n{self.log}") from None
        self._process = None
        return code

    def restart(self) -> Self:
        self.kill()
        return self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if error is not None:
            error.add_note(f"The server's log:\n{self.log[-6000:]}")

    # --- what it costs ---------------------------------------------------------------------------------------------

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def open_sockets(self) -> int:
        """As the process has them; a link may vanish while we look."""
        found = 0
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found += link.readlink().name.startswith("socket:")
        return found

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def memory(self) -> int:
        """Bytes of its resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    # --- what it has stored ----------------------------------------------------------------------------------------

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """What its database has, whether it runs or not."""
        return self.database.rows(sql, *values)

    def spoil(self, sql: str, *values: Any) -> int:
        """Change its database behind its back; returns how many rows."""
        return self.database.spoil(sql, *values)

    def run_row(self, run_id: str) -> dict[str, Any]:
        return self.rows("SELECT * FROM conversations_run WHERE id = ?", key(run_id))[0]

    def logged(self, run_id: str) -> list[str]:
        """The texts of the run's log, in order; they are numbered 1 to n, or this fails."""
        if self.settings.get("EVENT_LOG") == "redis":
            return logged_in_redis(str(self.settings["REDIS_URL"]), run_id)
        sql = "SELECT seq, text FROM conversations_runevent WHERE run_id = ? ORDER BY seq"
        found = self.rows(sql, key(run_id))
        assert [row["seq"] for row in found] == list(range(1, len(found) + 1))
        return [row["text"] for row in found]

    def message_row(self, message_id: str) -> dict[str, Any]:
        return self.rows("SELECT * FROM conversations_message WHERE id = ?", key(message_id))[0]

    def active_runs(self) -> int:
        sql = "SELECT count(*) AS n FROM conversations_run WHERE finished_at IS NULL"
        return int(self.rows(sql)[0]["n"])

    def setup_link(self) -> str | None:
        found = re.search(r"http://\S+/accounts/setup/\?code=\S+", self.log)
        return found[0] if found else None

    def _command(self) -> list[str]:
        address = ["127.0.0.1", str(self.port)]
        match self.kind:
            case "uvicorn":
                several = ["--workers", str(self.workers)] if self.workers > 1 else []
                return [
                    sys.executable,
                    "manage.py",
                    "serve",
                    "--host",
                    address[0],
                    "--port",
                    address[1],
                    *several,
                    *self.arguments,
                ]
            case "daphne":
                return [
                    sys.executable,
                    "-m",
                    "daphne",
                    "-b",
                    address[0],
                    "-p",
                    address[1],
                    *self.arguments,
                    "chatserver.asgi:application",
                ]
            case "runserver":
                return [sys.executable, "manage.py", "runserver", "--noreload", *self.arguments, ":".join(address)]


def key(identifier: str) -> str:
    """An id as SQLite keeps it, and PostgreSQL takes it."""
    return UUID(identifier).hex
