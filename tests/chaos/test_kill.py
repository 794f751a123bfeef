"""kill -9 at random moments, again and again on the same data: what anybody has seen stays, and everything ends."""

import asyncio
import os
import random
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.databases import POSTGRES
from tests.support.people import People, Person
from tests.support.processes import QUICK_LEASES, MakeServer
from tests.support.server import ChatServer
from tests.support.transcript import RuleBroken, Transcript

pytestmark = [pytest.mark.process, pytest.mark.process_on_both, pytest.mark.timeout(600)]
# After a restart on PostgreSQL each life of the server waits for the leases of the one before.
KILLS = int(os.environ.get("CHAOS_KILLS", "6" if POSTGRES else "30"))
RUNS_AT_ONCE = 4
MODELS = [
    "ollama/slow-200@100",
    "ollama/think-60@100",
    "ollama/slow-30@100",
    "ollama/slow-3@max",
    "ollama/parallel-tools",
]


@dataclass
class Witness:
    """What was seen of the runs of one life of the server."""

    threads: list[str] = field(default_factory=list)
    seen: dict[str, list[Transcript]] = field(default_factory=dict)


async def read_over_sse(client: Client, run_id: str, witness: Witness) -> None:
    async with client.events(run_id) as stream:
        witness.seen.setdefault(run_id, []).append(stream.transcript)
        await stream.rest(within=30)


async def read_over_socket(client: Client, run_id: str, witness: Witness) -> None:
    async with client.socket() as socket:
        await socket.subscribe(run_id)
        witness.seen.setdefault(run_id, []).append(socket.runs[run_id])
        await socket.closed(within=30)


async def live(server: ChatServer, person: Person, threads: list[str]) -> Witness:
    """Start runs, follow each over both transports, and kill the server at a random moment of it."""
    witness = Witness()
    async with Client(server.url, person.token) as client:
        runs = []
        for number in range(RUNS_AT_ONCE):
            thread = threads[number] if number < len(threads) else None
            runs.append(await client.start(model=random.choice(MODELS), thread=thread))
        witness.threads = [run["thread_id"] for run in runs]
        readers = [
            asyncio.create_task(read(client, run["id"], witness))
            for run in runs
            for read in (read_over_sse, read_over_socket)
        ]
        stopper = asyncio.create_task(_cancel_one(client, runs[0]["id"]))
        if random.random() < 0.8:  # else perhaps before anything was seen; on a busy machine that would be always
            await _something_is_seen(witness)
        await asyncio.sleep(random.uniform(0.0, 0.5))
        await asyncio.to_thread(server.kill)
        for result in await asyncio.gather(*readers, stopper, return_exceptions=True):
            if isinstance(result, RuleBroken):
                raise result
    return witness


async def _something_is_seen(witness: Witness) -> None:
    async with asyncio.timeout(30):
        while not any(len(transcript.events) > 3 for seen in witness.seen.values() for transcript in seen):
            await asyncio.sleep(0.01)


async def _cancel_one(client: Client, run_id: str) -> None:
    await asyncio.sleep(random.uniform(0.0, 0.5))
    await client.cancel(run_id)


async def test_whatever_was_seen_before_a_kill_is_there_after_it_and_everything_ends(
    make_server: MakeServer, people: People
) -> None:
    server = make_server().start()
    threads: list[str] = []
    ends: dict[str, int] = {}
    events = 0
    for _ in range(KILLS):
        witness = await live(server, people["ada"], threads)
        threads = witness.threads
        held = server.rows("SELECT id FROM conversations_run WHERE status IN ('in_progress', 'cancelling')")
        server.start()
        await _left_ones_ended(server, held, within=5 + (QUICK_LEASES["LEASE_EXPIRY"] if POSTGRES else 0))
        await _all_ended(server, within=15)  # those that were still queued are answered first
        for run_id, transcripts in witness.seen.items():
            history = agreed_end(server, run_id, *transcripts)
            events += sum(len(transcript.events) for transcript in transcripts)
            ends[history.end.name] = ends.get(history.end.name, 0) + 1
            if history.end.name == "thread.run.incomplete":
                assert history.end.data["reason"] == "interrupted"
    if not POSTGRES:
        assert server.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    async with Client(server.url, people["ada"].token) as client:
        for thread in threads:
            run = await client.start("And now?", model="ollama/slow-3@max", thread=thread)
            assert (await client.ended(run["id"]))["run"]["status"] == "completed"
    assert events > KILLS * RUNS_AT_ONCE, "too little was seen for this to prove anything"
    assert ends.get("thread.run.incomplete", 0) > 0
    print(f"{KILLS} kills, {events} events seen, ends: {ends}")


async def _all_ended(server: ChatServer, *, within: float) -> None:
    deadline = time.monotonic() + within
    while server.active_runs():
        assert time.monotonic() < deadline, f"{server.active_runs()} runs have not ended {within} s after the start"
        await asyncio.sleep(0.02)


async def _left_ones_ended(server: ChatServer, held: list[dict[str, Any]], *, within: float) -> None:
    """Those that were being worked on when the server died are closed at once, whoever waits in the queue; where nobody
    can know that it died, when their leases are over.
    """
    deadline = time.monotonic() + within
    sql = "SELECT 1 FROM conversations_run WHERE id = ? AND finished_at IS NULL"
    while any(server.rows(sql, run["id"]) for run in held):
        assert time.monotonic() < deadline, f"runs left by the dead server have not ended {within} s after the start"
        await asyncio.sleep(0.02)
