"""A server that is killed, or stands still, in mid-answer: who goes on, from where, and who is kept out.

Proves F33, F66, F67, F68 and the fence.
"""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.databases import POSTGRES
from tests.support.nodes import beside
from tests.support.people import People, Person
from tests.support.processes import QUICK_LEASES, MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn
from tests.support.transcript import Transcript

pytestmark = [pytest.mark.long, pytest.mark.process, pytest.mark.process_on_both, pytest.mark.timeout(180)]
SLACK = 8.0  # seconds that a busy machine may add
# Where no lock says that whoever holds a lease is dead, it has to run out.
UNTIL_TAKEN_OVER = 5 + (QUICK_LEASES["LEASE_EXPIRY"] + 2 if POSTGRES else 0) + SLACK
HALF = " ".join(f"t{n}" for n in range(12))
WHOLE = " ".join(f"t{n}" for n in range(24))


@asynccontextmanager
async def killed_when(
    server: ChatServer, ada: Person, model: str, sign: str, question: str = "Hello", asked: StandIn | None = None
) -> Any:
    """A run that was followed until ``sign`` was in one of its events, and then its server was killed.

    Not before ``asked`` was asked: a run is in progress a moment earlier.
    """
    before = asked.stats()["chats"] if asked else 0
    async with Client(server.url, ada.token) as client:
        run = await client.start(question, model=model)
        async with client.events(run["id"]) as stream:
            async with asyncio.timeout(20):
                while not any(sign in text for text in stream.transcript.texts):
                    await stream.next()
                while asked and asked.stats()["chats"] == before:
                    await asyncio.sleep(0.02)
            await asyncio.to_thread(server.kill)
            seen = await _rest(stream)
        yield run, seen


async def _rest(stream: Any) -> Transcript:
    """What was on its way when the connection broke."""
    with suppress(httpx.TransportError):
        await stream.rest(within=5)
    transcript: Transcript = stream.transcript
    return transcript


async def followed(server: ChatServer, ada: Person, run_id: str, after: int, *, within: float = 30) -> Transcript:
    async with (
        Client(server.url, ada.token) as client,
        client.events(run_id, after=after, query="snapshot=0") as stream,
    ):
        return await stream.until_end(within=within)


@pytest.mark.parametrize(
    ("way", "status", "text"),
    [
        ("goes-on", "completed", WHOLE),
        ("repeats", "completed", WHOLE),
        ("begins-again", "incomplete", HALF),
        ("refuses", "incomplete", HALF),
    ],
)
async def test_an_answer_goes_on_from_the_very_text_whatever_the_model_makes_of_it(
    make_server: MakeServer, people: People, standin: StandIn, way: str, status: str, text: str
) -> None:
    server = make_server().start()
    async with killed_when(server, people["ada"], f"ollama/{way}-12", "t11") as (run, seen):
        began = time.monotonic()
        server.start()
        rest = await followed(server, people["ada"], run["id"], seen.last)
        assert time.monotonic() - began < UNTIL_TAKEN_OVER + 5
    assert seen.content == HALF
    assert rest.events[0].data["attempt"] == rest.events[0].data["run"]["attempt"] == 2
    assert HALF + rest.content == text
    history = agreed_end(server, run["id"], seen)
    assert history.texts == seen.texts + rest.texts
    assert history.end.name == f"thread.run.{status}"
    if status == "incomplete":
        assert history.end.data["reason"] == "interrupted"
    asked = standin.stats()["bodies"][-1]
    assert (asked["messages"][-1], asked["think"]) == ({"role": "assistant", "content": HALF}, False)
    async with Client(server.url, people["ada"].token) as client:
        again = await client.start("And now?", model="ollama/slow-3@max", thread=run["thread_id"])
        assert (await client.ended(again["id"]))["run"]["status"] == "completed"


async def test_before_the_first_token_it_is_asked_anew(
    make_server: MakeServer, people: People, standin: StandIn
) -> None:
    server = make_server().start()
    async with killed_when(server, people["ada"], "ollama/hang-first", "run.in_progress", asked=standin) as (run, seen):
        server.start()
        await asyncio.to_thread(_attempt, server, run["id"], 2)
        async with asyncio.timeout(UNTIL_TAKEN_OVER):
            while [body["model"] for body in standin.stats()["bodies"]][-2:] != ["hang-first"] * 2:
                await asyncio.sleep(0.05)
        first, second = standin.stats()["bodies"][-2:]
        assert first["messages"] == second["messages"]
        async with Client(server.url, people["ada"].token) as client:
            await client.cancel(run["id"])
            rest = await client.replay(run["id"], after=seen.last)
    assert agreed_end(server, run["id"], seen).texts == seen.texts + rest.texts


async def test_a_thought_that_was_cut_short_is_closed_and_the_model_thinks_anew(
    make_server: MakeServer, people: People
) -> None:
    server = make_server().start()
    async with killed_when(server, people["ada"], "ollama/think-40@40", "t5") as (run, seen):
        server.start()
        rest = await followed(server, people["ada"], run["id"], seen.last)
    assert [event.name for event in rest.events[:3]] == [
        "thread.run.in_progress",
        "thread.run.step.cancelled",
        "thread.run.step.created",
    ]
    history = agreed_end(server, run["id"], seen)
    assert (history.end.name, history.content) == ("thread.run.completed", " ".join(f"t{n}" for n in range(40)))


async def test_a_tool_that_was_running_is_not_run_again_and_the_answer_goes_on(
    make_server: MakeServer, people: People, standin: StandIn
) -> None:
    """Whatever it did before the kill, it did once."""
    server = make_server(DJANGO_SETTINGS_MODULE="tests.support.hanging_settings").start()
    async with killed_when(server, people["ada"], "ollama/parallel-tools", "run.step.in_progress") as (run, seen):
        deeds = server.data_dir / "deeds.txt"
        before = deeds.read_text()
        server.start()
        rest = await followed(server, people["ada"], run["id"], seen.last)
    assert deeds.read_text() == before
    assert before.count("\n") in (1, 2)
    closed = [event.data["step"] for event in rest.events if event.name == "thread.run.step.cancelled"]
    assert {step["error"]["code"] for step in closed} == {"outcome_unknown"}
    history = agreed_end(server, run["id"], seen)
    assert history.end.name == "thread.run.completed"
    told = [message for message in standin.stats()["bodies"][-1]["messages"] if message["role"] == "tool"]
    assert ["not known" in message["content"] for message in told] == [True, True]


async def test_what_was_to_be_stopped_is_stopped(make_server: MakeServer, people: People) -> None:
    server = make_server().start()
    async with killed_when(server, people["ada"], "ollama/goes-on-12", "t11") as (run, seen):
        wish = "UPDATE conversations_run SET status = 'cancelling', cancel_by = 'user', cancel_reason = 'requested'"
        assert server.spoil(wish) == 1
        server.start()
        rest = await followed(server, people["ada"], run["id"], seen.last)
    assert [event.name for event in rest.events] == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.cancelled",
    ]
    assert rest.end.data["receipt"]["content_length"] == len(HALF)
    agreed_end(server, run["id"], seen)


async def test_after_several_deaths_it_is_whole(make_server: MakeServer, people: People) -> None:
    server = make_server().start()
    async with Client(server.url, people["ada"].token) as client:
        run = await client.start(model="ollama/goes-on-40@20")
        for attempt in (1, 2):
            await asyncio.to_thread(_attempt, server, run["id"], attempt)
            await asyncio.sleep(0.4)
            await asyncio.to_thread(server.kill)
            server.start()
        state = await client.ended(run["id"], within=UNTIL_TAKEN_OVER + 10)
    assert (state["run"]["status"], state["run"]["attempt"]) == ("completed", 3)
    assert agreed_end(server, run["id"]).content == " ".join(f"t{n}" for n in range(40))


async def test_after_too_many_deaths_it_is_left(make_server: MakeServer, people: People) -> None:
    server = make_server(MAX_ATTEMPTS=2).start()
    async with Client(server.url, people["ada"].token) as client:
        run = await client.start(model="ollama/hang-first")
        for attempt in (1, 2):
            await asyncio.to_thread(_attempt, server, run["id"], attempt)
            await asyncio.to_thread(server.kill)
            server.start()
        state = await client.ended(run["id"], within=UNTIL_TAKEN_OVER)
    assert state["run"]["status"] == "incomplete"
    left = agreed_end(server, run["id"])
    assert (left.end.data["reason"], left.names.count("thread.run.in_progress")) == ("interrupted", 2)


@pytest.mark.skipif(bool(POSTGRES), reason="on SQLite every lease that a start finds is a dead one's")
@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_the_next_start_goes_on_within_five_seconds(make_server: MakeServer, people: People, kind: str) -> None:
    server = make_server(kind=kind).start()
    async with killed_when(server, people["ada"], "ollama/goes-on-12", "t11") as (run, _):
        server.start()  # ready; under Daphne by its first connection
        began = time.monotonic()
        await asyncio.to_thread(_attempt, server, run["id"], 2)
        assert time.monotonic() - began < 5


async def test_left_runs_go_before_those_that_wait(make_server: MakeServer, people: People) -> None:
    server = make_server(RUN_CAPACITY=1).start()
    async with Client(server.url, people["ada"].token) as client:
        waiting: list[str] = []
        async with killed_when(server, people["ada"], "ollama/slow-60@30", "t5") as (run, seen):
            server.start()
            waiting = [(await client.start(model="ollama/slow-3@max"))["id"] for _ in range(3)]
            rest = await followed(server, people["ada"], run["id"], seen.last, within=UNTIL_TAKEN_OVER + 20)
        ends = [(await client.ended(each, within=30))["run"]["started_at"] for each in waiting]
    assert agreed_end(server, run["id"], seen).end.name == "thread.run.completed"
    if not POSTGRES:  # else they may use the time until the dead one's lease is over
        assert min(ends) >= rest.end.data["run"]["finished_at"]


def _attempt(server: ChatServer, run_id: str, number: int) -> None:
    """Returns when somebody works on the run for the so-manieth time."""
    deadline = time.monotonic() + UNTIL_TAKEN_OVER
    while True:
        told = "".join(server.logged(run_id))
        if f'"attempt":{number},"run"' in told:
            return
        assert time.monotonic() < deadline, server.log[-3000:]
        time.sleep(0.02)


# --- two servers on one database -----------------------------------------------------------------------------------

ON_POSTGRES = pytest.mark.skipif(not POSTGRES, reason="SQLite has one server at a time")


@pytest.fixture
def two(make_server: MakeServer) -> Iterator[tuple[ChatServer, ChatServer]]:
    """The first one works; the second is there to be started, when the first has something to lose."""
    first = make_server(DRAIN_GRACE=3).start()
    second = beside(first)
    yield first, second
    second.kill()


async def until(stream: Any, sign: str, *, within: float = 20) -> None:
    async with asyncio.timeout(within):
        while not any(sign in text for text in stream.transcript.texts):
            assert await stream.next() is not None, stream.transcript.names


@ON_POSTGRES
async def test_readers_at_another_node_see_the_answer_go_on(two: tuple[ChatServer, ChatServer], people: People) -> None:
    first, second = two
    async with Client(first.url, people["ada"].token) as at_first, Client(second.url, people["ada"].token) as at_second:
        run = await at_first.start(model="ollama/goes-on-12")
        await asyncio.to_thread(_logged, first, run["id"], "t11")
        await asyncio.to_thread(second.start)
        async with at_second.events(run["id"]) as stream:
            await until(stream, "t11")
            await asyncio.to_thread(first.kill)
            killed = time.monotonic()
            await until(stream, '"attempt":2', within=UNTIL_TAKEN_OVER)
            assert time.monotonic() - killed < QUICK_LEASES["LEASE_EXPIRY"] + 2 + SLACK
            seen = await stream.until_end()
    history = agreed_end(second, run["id"], seen)
    assert (history.end.name, history.content) == ("thread.run.completed", WHOLE)
    assert history.names.count("thread.run.in_progress") == 2


@ON_POSTGRES
async def test_one_that_stood_still_and_wakes_is_kept_out(
    two: tuple[ChatServer, ChatServer], people: People, standin: StandIn
) -> None:
    first, second = two
    async with Client(first.url, people["ada"].token) as at_first, Client(second.url, people["ada"].token) as at_second:
        # One that speaks on while it sleeps, and one that is silent: nothing but the beat tells it.
        runs = [await at_first.start(model=f"ollama/{name}") for name in ("goes-on-300@20", "goes-on-12")]
        await asyncio.to_thread(_logged, first, runs[1]["id"], "t11")
        await asyncio.to_thread(second.start)
        async with at_first.events(runs[0]["id"]) as asleep, at_second.events(runs[0]["id"]) as awake:
            await until(awake, "t5")
            await until(asleep, "t5")
            os.kill(first.pid, signal.SIGSTOP)
            try:
                await until(awake, '"attempt":2', within=UNTIL_TAKEN_OVER)
                await asyncio.to_thread(_attempt, second, runs[1]["id"], 2)
            finally:
                os.kill(first.pid, signal.SIGCONT)
            over_second = await awake.until_end(within=30)
            over_first = await asleep.until_end(within=30)
            standin.wait_for(lambda stats: stats["active"] == 0, timeout=5 + SLACK)
        ended = [await at_second.ended(run["id"]) for run in runs]
    assert over_first.texts == over_second.texts
    assert [state["run"]["status"] for state in ended] == ["completed", "completed"]
    history = agreed_end(second, runs[0]["id"], over_first, over_second)
    assert history.content == " ".join(f"t{n}" for n in range(300))
    assert agreed_end(second, runs[1]["id"]).content == WHOLE
    for run in runs:
        assert second.run_row(run["id"])["attempt"] == 2
    assert "run ended" not in first.log


@ON_POSTGRES
async def test_one_that_is_told_to_end_hands_over_at_once_what_loses_nothing_by_it(
    two: tuple[ChatServer, ChatServer], people: People
) -> None:
    first, second = two
    await _learn_that_it_goes_on(first, people["ada"])
    async with Client(first.url, people["ada"].token) as at_first, Client(second.url, people["ada"].token) as at_second:
        known = await at_first.start(model="ollama/goes-on-12")
        silent = await at_first.start(model="ollama/hang-first")
        unknown = await at_first.start(model="ollama/gated-12")
        for run in (known, unknown):
            await asyncio.to_thread(_logged, first, run["id"], "t11")
        await asyncio.to_thread(second.start)
        async with at_second.events(known["id"]) as stream:
            await until(stream, "t11")
            first.terminate()
            told = time.monotonic()
            seen = await stream.until_end(within=3 + SLACK)
            await asyncio.to_thread(_attempt, second, silent["id"], 2)
            handed_over = time.monotonic() - told
            holder = await asyncio.to_thread(_holder, second, unknown["id"])
        assert handed_over < 2 + SLACK
        if handed_over < 2:  # else the grace may be over
            assert holder == await asyncio.to_thread(_pid, first)
        assert await asyncio.to_thread(first.wait, within=3 + 3 + SLACK) == 0
        assert time.monotonic() - told < 3 + 3 + SLACK
        # It begins again, as a model does that cannot go on: what there is stays.
        left = await at_second.ended(unknown["id"], within=UNTIL_TAKEN_OVER)
        await at_second.cancel(silent["id"])
    assert (seen.end.name, seen.content) == ("thread.run.completed", WHOLE)
    assert agreed_end(second, known["id"], seen).names.count("thread.run.in_progress") == 2
    assert (left["run"]["status"], left["messages"][-1]["content"]) == ("incomplete", HALF)


async def _learn_that_it_goes_on(server: ChatServer, ada: Person) -> None:
    """By an answer that is stopped and continued."""
    async with Client(server.url, ada.token) as client:
        run = await client.start(model="ollama/goes-on-12")
        async with client.events(run["id"]) as stream:
            await until(stream, "t11")
            await client.cancel(run["id"])
            await stream.until_end()
        path = f"/api/v1/threads/{run['thread_id']}/runs?wait=true"
        answer = await client.post(path, {"continue": run["assistant_message_id"]})
        assert answer.json()["run"]["status"] == "completed"
    deadline = time.monotonic() + SLACK
    while not server.rows("SELECT 1 FROM conversations_learnedmodel WHERE continues"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def _holder(server: ChatServer, run_id: str) -> int:
    """The process that works on it."""
    sql = "SELECT holder FROM conversations_runlease WHERE run_id = ?"
    return int(server.rows(sql, run_id.replace("-", ""))[0]["holder"].split(":")[1])


def _pid(server: ChatServer) -> int:
    return server.pid


def _logged(server: ChatServer, run_id: str, sign: str) -> None:
    deadline = time.monotonic() + SLACK
    while sign not in "".join(server.logged(run_id)):
        assert time.monotonic() < deadline, server.logged(run_id)
        time.sleep(0.02)
