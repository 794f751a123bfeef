"""What stands in front of several nodes: the shipped configurations of nginx and Caddy, and a bare balancer of TCP."""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.support.environment import ROOT, free_port

DEPLOY = ROOT / "deploy"


def needs(program: str) -> pytest.MarkDecorator:
    """Debian keeps servers out of the PATH of people."""
    missing = _program(program) is None and os.environ.get("REQUIRE_SERVICES", "0") != "1"
    return pytest.mark.skipif(missing, reason=f"needs {program}")


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class Proxy:
    """A proxy as it is shipped, but for its address, its certificate and the ports of its nodes."""

    program = ""

    def __init__(self, directory: Path, ports: Sequence[int]) -> None:
        self.port = free_port()
        self._directory = directory
        self._ports = ports
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        with (self._directory / "proxy.log").open("ab") as log:
            environment = {**os.environ, "HOME": str(self._directory), "XDG_DATA_HOME": str(self._directory)}
            self._process = subprocess.Popen(
                self._command(), stdout=log, stderr=log, cwd=self._directory, env=environment, start_new_session=True
            )
        deadline = time.monotonic() + 20
        while True:
            assert self._process.poll() is None, (self._directory / "proxy.log").read_text()
            assert time.monotonic() < deadline
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _found(self) -> str:
        found = _program(self.program)
        assert found is not None, f"{self.program} is not installed"
        return found


class Nginx(Proxy):
    program = "nginx"

    def _command(self) -> list[str]:
        for name in ("body", "proxy"):
            (self._directory / name).mkdir(exist_ok=True)
        config = self._directory / "nginx.conf"
        config.write_text(
            "daemon off; worker_processes 1; pid nginx.pid; error_log stderr warn;\n"
            f"{'user root;' if os.geteuid() == 0 else ''}\n"
            "events { worker_connections 1024; }\n"
            "http {\naccess_log off; client_body_temp_path body; proxy_temp_path proxy;\n"
            f"fastcgi_temp_path body; scgi_temp_path body; uwsgi_temp_path body;\n{self._shipped()}\n}}\n"
        )
        return [self._found(), "-p", str(self._directory), "-c", str(config)]

    def _shipped(self) -> str:
        text = (DEPLOY / "nginx.conf").read_text()
        nodes = "\n".join(f"server 127.0.0.1:{port} max_fails=2 fail_timeout=1s;" for port in self._ports)
        text = _once(r"server 127\.0\.0\.1:8000 max_fails=2 fail_timeout=1s;\n", f"{nodes}\n", text)
        text = _once(r"server \{\n    listen 80;.*?\n\}\n", "", text)
        text = _once(r"listen 443 ssl http2;", f"listen 127.0.0.1:{self.port};", text)
        return _once(r"    ssl_certificate .*?\n.*?\n", "", text)


class Caddy(Proxy):
    program = "caddy"

    def _command(self) -> list[str]:
        text = (DEPLOY / "Caddyfile").read_text()
        text = _once(r"^\{\n", "{\nadmin off\nauto_https off\n", text)
        text = _once(r"^chat\.example\.org \{", f"http://127.0.0.1:{self.port} {{", text)
        text = _once(r"Host chat\.example\.org", "Host localhost", text)
        nodes = " ".join(f"127.0.0.1:{port}" for port in self._ports)
        text = _once(r"reverse_proxy 127\.0\.0\.1:8000 \{", f"reverse_proxy {nodes} {{", text)
        config = self._directory / "Caddyfile"
        config.write_text(text)
        return [self._found(), "run", "--config", str(config), "--adapter", "caddyfile"]


def _once(pattern: str, by: str, text: str) -> str:
    changed, times = re.subn(pattern, lambda _: by, text, flags=re.M | re.S)
    assert times == 1, f"{pattern} stands {times} times in what is shipped"
    return changed


@asynccontextmanager
async def round_robin(ports: Sequence[int]) -> AsyncIterator[int]:
    """Each connection goes to the next node that takes it. The port at which it listens."""
    turn = count()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        begin = next(turn)
        for offset in range(len(ports)):
            try:
                up, down = await asyncio.open_connection("127.0.0.1", ports[(begin + offset) % len(ports)])
            except OSError:
                continue
            await asyncio.gather(_pump(reader, down), _pump(up, writer))
            return
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()
