"""SQLite's connections live as long as their threads: they hold nothing while they rest, and see what others change."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.client import Client
from tests.support.databases import POSTGRES
from tests.support.processes import MakeServer
from tests.support.server import ChatServer

pytestmark = [
    pytest.mark.process,
    pytest.mark.timeout(120),
    pytest.mark.skipif(bool(POSTGRES), reason="about SQLite's file"),
]


@pytest.fixture(scope="module")
def server(_maker: MakeServer) -> Iterator[ChatServer]:
    with _maker() as server:
        yield server


def by_another(server: ChatServer, *statements: str) -> list[tuple[int, ...]]:
    """Rows of the last statement, as another program gets them."""
    with closing(sqlite3.connect(server.data_dir / "chat.sqlite3", timeout=5, isolation_level=None)) as database:
        return [database.execute(statement).fetchall() for statement in statements][-1]


async def use(client: Client) -> None:
    """What reads, writes, is refused, is cancelled and is left in the middle; in all threads at once."""
    runs = await asyncio.gather(*(client.start(model="ollama/slow-20@40") for _ in range(6)))
    for run in runs[:2]:
        await client.cancel(run["id"])
    async with client.events(runs[2]["id"]) as left:
        await left.next()
    await asyncio.gather(
        *(client.get("/api/v1/threads") for _ in range(20)),
        *(client.get("/api/v1/search?q=hello") for _ in range(10)),
        *(client.post("/api/v1/threads/no-such-thread/messages", {"content": "x"}) for _ in range(10)),
        *(client.ended(run["id"]) for run in runs),
    )


async def test_no_thread_keeps_an_old_view_of_the_file_so_its_log_does_not_grow_for_ever(
    ada: Client, server: ChatServer
) -> None:
    for _ in range(2):
        await use(ada)
        # Only where nobody reads an older state everything can be moved into the file, and the log begun anew.
        assert by_another(server, "PRAGMA wal_checkpoint(TRUNCATE)") == [(0, 0, 0)]


async def test_what_a_migration_changes_meanwhile_is_seen_by_every_thread(ada: Client, server: ChatServer) -> None:
    await use(ada)
    by_another(
        server,
        "ALTER TABLE conversations_run ADD COLUMN of_tomorrow integer DEFAULT 7",
        "CREATE INDEX of_tomorrow ON conversations_run (of_tomorrow)",
    )
    await use(ada)
    run = await ada.start(model="ollama/slow-3@max")
    assert (await ada.ended(run["id"]))["run"]["status"] == "completed"
    assert by_another(server, "SELECT count(*) FROM conversations_run WHERE of_tomorrow <> 7") == [(0,)]
    by_another(server, "DROP INDEX of_tomorrow", "ALTER TABLE conversations_run DROP COLUMN of_tomorrow")
    await use(ada)
    assert "OperationalError" not in server.log
