"""PostgreSQL and Redis of a test's own, from the system's programs: to be restarted, killed and stopped at will.

They listen on loopback, on ports of their own, keep their data in a directory of their own, and end with whoever
started them.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from tests.support.environment import free_port

START_WITHIN = 30.0
# Ends a service whose starter is gone without having ended it.
_GUARD = "while kill -0 {parent} 2>/dev/null && kill -0 {pid} 2>/dev/null; do sleep 2; done; kill -9 -{pid} 2>/dev/null"


def missing_services() -> list[str]:
    """What of the two this machine has not got, as words for whoever runs the tests."""
    missing = [] if postgres_programs() else ["PostgreSQL (its server programs, such as Debian's package postgresql)"]
    return missing + ([] if _redis_program() else ["Redis (redis-server)"])


class Service:
    """A process with a port and a directory. ``with`` starts it, and at the end kills it and removes its data."""

    def __init__(self, name: str, *, owner: str | None = None) -> None:
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix=f"chat-{name}-"))
        self._owner = owner if os.geteuid() == 0 else None
        if self._owner:
            shutil.chown(self.directory, self._owner)
        self._process: subprocess.Popen[bytes] | None = None
        self._log = self.directory / "log"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Returns when it answers."""
        assert not self.runs
        deadline = time.monotonic() + START_WITHIN
        self._launch()
        while not self._answers():
            assert self._process is not None
            if self._process.poll() is not None:  # after a kill, what is left of it may still hold its memory
                assert time.monotonic() < deadline, f"it does not start:\n{self.log[-3000:]}"
                time.sleep(0.2)
                self._launch()
            assert time.monotonic() < deadline, f"it does not answer:\n{self.log[-3000:]}"
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """End it in good order, without waiting for its clients."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def restart(self) -> Self:
        self.stop()
        return self.start()

    def freeze(self) -> None:
        """All its processes stand still: connections are taken, nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    stop_signal: signal.Signals = signal.SIGTERM

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self.runs:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError

    def _launch(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as_owner(), *self._command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                start_new_session=True,
            )
        guard = _GUARD.format(parent=os.getpid(), pid=self._process.pid)
        subprocess.Popen(["/bin/sh", "-c", guard], start_new_session=True, stdout=subprocess.DEVNULL)

    def _as_owner(self) -> list[str]:
        # setpriv becomes the program, so that the process is ours to signal.
        if not self._owner:
            return []
        return ["setpriv", f"--reuid={self._owner}", f"--regid={self._owner}", "--clear-groups"]

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        if number is signal.SIGKILL:
            self._signal(number)
        else:
            self._process.send_signal(number)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        """To all its processes: the group is its own."""
        assert self._process is not None
        os.killpg(self._process.pid, number)


class OwnPostgres(Service):
    """``url(name)`` leads to a database; ``postgres`` is there from the start. ``settings`` are PostgreSQL's."""

    stop_signal = signal.SIGINT  # a fast shutdown

    def __init__(self, **settings: object) -> None:
        super().__init__("postgres", owner="postgres")
        self._programs = postgres_programs()
        assert self._programs is not None
        self._data = self.directory / "data"
        # It outlives every kill of its processes without fsync, which is there for the power failures of machines.
        self._settings = {"fsync": "off", "max_connections": 100, "unix_socket_directories": "", **settings}

    def url(self, name: str = "postgres", *, port: int | None = None) -> str:
        return f"postgres://postgres@127.0.0.1:{port or self.port}/{name}"

    def dump(self, url: str) -> bytes:
        """What pg_dump makes of a database."""
        assert self._programs is not None
        return subprocess.run([str(self._programs / "pg_dump"), url], capture_output=True, check=True).stdout

    def start(self) -> Self:
        if not self._data.exists():
            assert self._programs is not None
            options = ["-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--no-locale"]
            made = subprocess.run(
                [*self._as_owner(), str(self._programs / "initdb"), "-D", str(self._data), *options],
                cwd=self.directory,
                capture_output=True,
                text=True,
                check=False,
            )
            assert made.returncode == 0, made.stderr
        return super().start()

    def _command(self) -> list[str]:
        assert self._programs is not None
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        address = ["-h", "127.0.0.1", "-p", str(self.port)]
        return [str(self._programs / "postgres"), "-D", str(self._data), *address, *options]

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


class OwnRedis(Service):
    """``keeps``: what it has been told survives a restart and a kill; else it comes back empty."""

    def __init__(self, *, keeps: bool = False) -> None:
        super().__init__("redis")
        self._keeps = keeps

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> list[str]:
        program = _redis_program()
        assert program is not None
        kept = ["--appendonly", "yes", "--appendfsync", "always"] if self._keeps else ["--appendonly", "no"]
        address = ["--bind", "127.0.0.1", "--port", str(self.port)]
        return [program, *address, "--dir", str(self.directory), "--save", "", *kept]

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


def wait_until(condition: Callable[[], bool], *, within: float, what: str) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.05)


def _redis_program() -> str | None:
    return shutil.which("redis-server")


def postgres_programs() -> Path | None:
    """The directory with ``initdb`` and ``postgres``; None also where we are root and could not become their user."""
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return None
        if not shutil.which("setpriv"):
            return None
    found = {int(path.parts[4]): path.parent for path in Path("/usr/lib/postgresql").glob("[0-9]*/bin/postgres")}
    if found:
        return found[max(found)]
    program = shutil.which("postgres")
    return Path(program).resolve().parent if program and shutil.which("initdb") else None
