"""The systems that are measured, each started afresh as processes of their own on loopback."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.bench.dialects import ChatSocket, ChatStream, Dialect, Direct, Relay
from tests.support.databases import PostgresServer
from tests.support.environment import ROOT, free_port, product_environment
from tests.support.server import ChatServer
from tests.support.services import OwnPostgres, OwnRedis

# A person may have twelve streams at once, and a thousand streams are the most that is asked for.
PEOPLE = 100
_START_WITHIN = 30.0


@dataclass(frozen=True)
class Shape:
    """What a chat server stands on. All else is as it comes: no setting is made for the benchmark."""

    name: str
    postgres: bool = False
    redis: bool = False
    event_log: str = "database"
    processes: int = 1


SQLITE = Shape("SQLite")
POSTGRES = Shape("PostgreSQL", postgres=True)
POSTGRES_REDIS = Shape("PostgreSQL + Redis", postgres=True, redis=True)
REDIS_LOG = Shape("PostgreSQL + Redis, events in Redis", postgres=True, redis=True, event_log="redis")
TWO = Shape("PostgreSQL + Redis, two processes", postgres=True, redis=True, processes=2)
SHAPES = (SQLITE, POSTGRES, POSTGRES_REDIS, REDIS_LOG, TWO)


@dataclass(frozen=True)
class System:
    """``ways`` are how it can be asked, by name; ``pid`` is the root of its processes, ``beside`` those of what it
    stands on.
    """

    name: str
    pid: int
    port: int
    ways: dict[str, Callable[[], Dialect]]
    tokens: Sequence[str] = field(default=(), repr=False)
    beside: dict[str, int] = field(default_factory=dict)


@contextmanager
def model_server() -> Iterator[System]:
    port = free_port()
    with _process([sys.executable, "-m", "tests.bench.upstream", str(port)], port=port, ready="/api/version") as pid:
        yield System("direct", pid, port, {"HTTP": lambda: Direct(port)})


@contextmanager
def bare_relay(upstream: System) -> Iterator[System]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "tests.bench.relay:app", "--port", str(port), "--loop", "uvloop"]
    command += ["--http", "httptools", "--log-level", "error", "--no-access-log", "--backlog", "4096"]
    settings = {"UPSTREAM": f"http://127.0.0.1:{upstream.port}"}
    with _process(command, port=port, ready="/", **settings) as pid:
        yield System("bare relay", pid, port, {"SSE": lambda: Relay(port)})


@contextmanager
def chat_server(shape: Shape, upstream: System, *, people: int = PEOPLE, **settings: Any) -> Iterator[System]:
    """Uvicorn, as ``manage.py serve`` starts it, with people in it."""
    with ExitStack() as held:
        home = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="chat-bench-")))
        data_dir = home / "data"
        data_dir.mkdir()
        beside: dict[str, int] = {}
        where: dict[str, Any] = {"OLLAMA_BASE_URL": f"http://127.0.0.1:{upstream.port}", **settings}
        if shape.postgres:
            own = held.enter_context(OwnPostgres(fsync="on"))
            where["DATABASE_URL"] = PostgresServer(own.url()).create()
            beside["PostgreSQL"] = own.pid
        tokens = _people(people, data_dir, **where)
        if shape.redis:
            redis = held.enter_context(OwnRedis())
            where["REDIS_URL"] = redis.url
            where["EVENT_LOG"] = shape.event_log
            beside["Redis"] = redis.pid
        arguments = ["--workers", str(shape.processes)] if shape.processes > 1 else []
        server = ChatServer(data_dir, arguments=arguments, **where)
        held.callback(server.kill)
        server.start()
        ways: dict[str, Callable[[], Dialect]] = {
            "SSE": lambda: ChatStream(server.port, tokens=tokens),
            "WebSocket": lambda: ChatSocket(server.port, tokens=tokens),
        }
        yield System(shape.name, server.pid, server.port, ways, tokens, beside)


def _people(number: int, data_dir: Path, **settings: Any) -> list[str]:
    command = [sys.executable, "-m", "tests.bench.people", str(number)]
    environment = product_environment(data_dir, **settings)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tokens: list[str] = json.loads(done.stdout)
    return tokens


@contextmanager
def _process(command: list[str], *, port: int, ready: str, **settings: str) -> Iterator[int]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **settings}, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + _START_WITHIN
            while not _answers(f"http://127.0.0.1:{port}{ready}"):
                assert process.poll() is None, _said(log)
                assert time.monotonic() < deadline, _said(log)
                time.sleep(0.05)
            yield process.pid
        finally:
            process.kill()
            process.wait()


def _said(log: Any) -> str:
    log.seek(0)
    return str(log.read()[-3000:], errors="replace")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=2).status_code == 200
    except httpx.TransportError:
        return False
