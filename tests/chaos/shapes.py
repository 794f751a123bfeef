"""The shapes in which the server is run: one process on SQLite, one on PostgreSQL, several on PostgreSQL and Redis.

Every wire goes through a proxy: from clients to nodes, and from each node to its model server, database and Redis.
"""

import contextlib
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from tests.chaos.history import Row
from tests.chaos.proxy import FaultProxy, Wires
from tests.chaos.readers import Way
from tests.support.databases import Database, PostgresDatabase, PostgresServer, SqliteFile, name_in
from tests.support.people import People, settle
from tests.support.processes import QUICK, QUICK_LEASES, TOOL_CALLERS
from tests.support.server import ChatServer
from tests.support.services import OwnPostgres, OwnRedis
from tests.support.standin import StandIn

START_WITHIN = 60.0
ROWS = """
    SELECT run.id, run.status, run.head, run.attempt, question.content AS question, answer.content AS content,
           answer.status AS message_status
    FROM conversations_run run
    LEFT JOIN conversations_message question ON question.id = run.question_id
    LEFT JOIN conversations_message answer ON answer.id = run.answer_id
"""
HELD = """
    SELECT lease.run_id FROM conversations_runlease lease JOIN conversations_run run ON run.id = lease.run_id
    WHERE run.status IN ('in_progress', 'cancelling') AND lease.holder LIKE ?
"""


@dataclass
class Node:
    """One server process and its wires; ``ways`` leads clients to it."""

    name: str
    server: ChatServer
    clients: FaultProxy
    models: FaultProxy
    database: FaultProxy | None = None
    redis: FaultProxy | None = None
    up: bool = False

    @property
    def way(self) -> Way:
        return Way(self.name, self.clients.url)

    def start(self) -> None:
        """As a service manager does it: what ends while its database is away is started again."""
        deadline = time.monotonic() + START_WITHIN
        while True:
            try:
                self.server.start()
                break
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                self.server.kill()
        self.up = True


@dataclass(frozen=True)
class Plan:
    """What a shape consists of."""

    name: str
    nodes: int
    postgres: bool = False
    redis: bool = False
    settings: dict[str, Any] = field(default_factory=dict)


SQLITE = Plan("SQLite, one process", 1)
POSTGRES = Plan("PostgreSQL, one process", 1, postgres=True)
SEVERAL = Plan("PostgreSQL and Redis, three processes", 3, postgres=True, redis=True)
STREAMS = Plan(
    "the same, events in Redis, two processes",
    2,
    postgres=True,
    redis=True,
    settings={"EVENT_LOG": "redis"},
)
PLANS = {"sqlite": SQLITE, "postgres": POSTGRES, "several": SEVERAL, "streams": STREAMS}


class Shape:
    """``with Shape(SQLITE) as shape``: everything of a plan, running; at the end nothing of it is left."""

    def __init__(self, plan: Plan, **settings: object) -> None:
        self.plan = plan
        self._settings = {**plan.settings, **settings}
        self.nodes: list[Node] = []
        self.people: People
        self.postgres: OwnPostgres | None = None
        self.redis: OwnRedis | None = None
        self.database: Database
        self.url = ""  # of the database, on PostgreSQL, past all proxies
        self._held = contextlib.ExitStack()

    @property
    def ways(self) -> list[Way]:
        return [node.way for node in self.nodes]

    @property
    def wires(self) -> list[FaultProxy]:
        return [
            wire
            for node in self.nodes
            for wire in (node.clients, node.models, node.database, node.redis)
            if wire is not None
        ]

    @property
    def log(self) -> str:
        """What the servers have said last."""
        return "\n".join(f"--- {node.name}\n{node.server.log[-8000:]}" for node in self.nodes)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as held:
            self._begin(held)
            self._held = held.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"The servers' logs:\n{self.log}")
        self._held.close()

    def rows(self) -> dict[str, Row]:
        """All runs, as the database has them."""
        found = {}
        for row in self.database.rows(ROWS):
            run_id = str(UUID(str(row.pop("id"))))
            row["content"], row["message_status"] = row["content"] or "", row["message_status"] or ""
            found[run_id] = Row(run_id=run_id, **{**row, "question": row["question"] or ""})
        return found

    def held_by(self, pid: int) -> list[str]:
        """The runs that this process works on, as the database has it."""
        return [str(UUID(str(row["run_id"]))) for row in self.database.rows(HELD, f"%:{pid}:%")]

    def active(self) -> int:
        sql = "SELECT count(*) AS n FROM conversations_run WHERE finished_at IS NULL"
        return int(self.database.rows(sql)[0]["n"])

    def heal(self) -> None:
        """Everything runs, and every wire is whole."""
        for wire in self.wires:
            wire.heal()
        if self.postgres and not self.postgres.runs:
            self.postgres.start()
        if self.redis and not self.redis.runs:
            self.redis.start()
        for node in self.nodes:
            if not node.up:
                node.start()

    def _begin(self, held: contextlib.ExitStack) -> None:
        home = Path(tempfile.mkdtemp(prefix="chat-chaos-"))
        held.callback(shutil.rmtree, home, ignore_errors=True)
        wires = held.enter_context(Wires())
        self.standin = held.enter_context(StandIn("--listed", *TOOL_CALLERS))
        many = {
            "MAX_STREAMS": 1000,
            "MAX_ATTEMPTS": 1000,
        }  # here it is no sign of anything that processes die over a run
        stacks = {"PYTHONFAULTHANDLER": 1}  # in the log of a process that has to be aborted
        common: dict[str, Any] = {**QUICK, **many, **stacks, "DRAIN_GRACE": 1, **self._settings}
        if self.plan.redis:
            self.redis = held.enter_context(OwnRedis())
        first = home / "made"
        first.mkdir()
        if self.plan.postgres:
            self.postgres = held.enter_context(OwnPostgres())
            url = PostgresServer(self.postgres.url()).create()
            common |= {**QUICK_LEASES, **self._settings}
            self.people = settle(first, DATABASE_URL=url)
            self.url = url
            self.database = PostgresDatabase(url)
        else:
            self.people = settle(first)
        for number in range(self.plan.nodes):
            data_dir = home / f"node-{number + 1}"
            shutil.copytree(first, data_dir)
            settings = dict(common)
            models = wires.to(self.standin.port)
            settings["OLLAMA_BASE_URL"] = models.url
            database = redis = None
            if self.postgres is not None:
                database = wires.to(self.postgres.port)
                settings["DATABASE_URL"] = self.postgres.url(name_in(url), port=database.port)
            if self.redis is not None:
                redis = wires.to(self.redis.port)
                settings["REDIS_URL"] = f"redis://127.0.0.1:{redis.port}/0"
            server = ChatServer(data_dir, **settings)
            if self.postgres is not None:
                server.database = self.database  # tests look by a wire of their own
            held.callback(server.kill)
            self.nodes.append(Node(data_dir.name, server, wires.to(server.port), models, database, redis))
            if self.postgres is None:
                self.database = SqliteFile(data_dir / "chat.sqlite3")
        for node in self.nodes:
            node.server.launch()
        for node in self.nodes:
            node.server.wait_until_ready()
            node.up = True
