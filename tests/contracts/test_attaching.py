"""``GET …/events``, every line of the protocol's table, over HTTP and on whatever database the tests run with."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.http.response import HttpResponseBase
from django.test import AsyncClient

from chatserver.accounts.models import User
from conversations.models import Run, RunEvent
from conversations.services.run_log import prune_logs
from conversations.services.run_open import open_run
from conversations.services.run_rows import Choice
from streaming.protocol.commands import Send
from streaming.protocol.errors import UpstreamDropped
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text
from streaming.providers.scripted import ScriptedProvider, Turn
from streaming.transports.live import connections, forget_connections
from streaming.wiring import engine, start_engine, stop_engine
from tests.support.bench import principal_of
from tests.support.sse import Parser
from tests.support.transcript import Transcript

pytestmark = pytest.mark.django_db(transaction=True)
STOP = Finish(reason="stop", usage=Usage())


@dataclass
class Desk:
    """A user with a token, a server's insides, and a model that says what the test gives it to say."""

    user: User
    token: str
    provider: ScriptedProvider
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, turn: Turn) -> Run:
        self.provider.turns = [turn]
        opened = await sync_to_async(open_run)(
            principal=principal_of(self.user),
            thread_id=None,
            command=Send(content="Well?"),
            choose=lambda: [Choice(provider="scripted", model="model")],
        )
        return opened.run

    async def logged(self, run: Run) -> list[str]:
        events = RunEvent.objects.filter(run_id=run.pk).order_by("seq")
        return [text async for text in events.values_list("text", flat=True)]

    async def halfway(self, *words: str) -> tuple[Run, int]:
        """A run that has said ``words``, each in an event, and goes on when the gate opens; and its head."""
        run = await self.ask([*[[Text(word)] for word in words], self.gate, [Text("end")], [STOP]])
        async with asyncio.timeout(20):
            while len(texts := await self.logged(run)) < 4 + len(words):
                await asyncio.sleep(0.01)
        return run, len(texts)

    async def ended(self, *words: str) -> tuple[Run, list[str]]:
        """A run that has ended, and its log."""
        run = await self.ask([*[[Text(word)] for word in words], [STOP]])
        return run, (await self.read(await self.attach(run))).texts

    async def attach(self, run: Run, query: str = "", **headers: str) -> HttpResponseBase:
        return await self.get(f"/api/v1/runs/{run.pk}/events{query}", **headers)

    async def get(self, path: str, **headers: str) -> HttpResponseBase:
        answer: HttpResponseBase = await AsyncClient().get(
            path, headers={"Authorization": f"Bearer {self.token}", **headers}
        )
        return answer

    async def read(self, answer: Any, *, after: int = 0) -> Transcript:
        assert answer.status_code == 200, answer.content
        parser, transcript = Parser(), Transcript(after=after)
        async with asyncio.timeout(20):
            async for chunk in answer:
                for message in parser.feed(chunk):
                    transcript.take(message.data)
        assert transcript.ended
        return transcript


@pytest.fixture
async def desk(user: User, token_for: Callable[..., str], settings: Any) -> AsyncIterator[Desk]:
    settings.FLUSH_INTERVAL, settings.FLUSH_BYTES, settings.MAX_STREAMS = 0, 1, 2  # each word an event
    token = await sync_to_async(token_for)(user)
    provider = ScriptedProvider([])
    forget_connections()
    await start_engine(providers=[provider])
    desk = Desk(user, token, provider)
    yield desk
    desk.gate.set()
    await stop_engine()
    forget_connections()


def content_of(seen: Transcript) -> str:
    """The answer as a reader has it who was given this."""
    before = seen.snapshot.data["messages"][-1]["content"] if seen.snapshot else ""
    return str(before) + seen.content


def told(seen: Transcript) -> tuple[bool, str]:
    assert seen.snapshot is not None
    assert seen.snapshot.data["run"]["status"] not in ("completed", "failed")
    return seen.snapshot.data["gap"], seen.snapshot.data["reason"]


async def test_without_a_cursor_everything_comes_however_long_it_is(desk: Desk) -> None:
    words = [f"{n} " for n in range(300)]
    run, logged = await desk.ended(*words)
    for query in ("", "?after=0", "?after=0&snapshot=auto", "?snapshot=0"):
        seen = await desk.read(await desk.attach(run, query))
        assert (seen.snapshot, seen.texts) == (None, logged)
    assert content_of(seen) == "".join(words)


async def test_from_the_middle_what_is_missing_comes_and_then_what_is_new(desk: Desk) -> None:
    run, head = await desk.halfway("one ", "two ")
    answers = {after: await desk.attach(run, f"?after={after}") for after in (head - 1, head)}
    desk.gate.set()
    seen = {after: await desk.read(answer, after=after) for after, answer in answers.items()}
    logged = await desk.logged(run)
    assert all(each.snapshot is None and each.texts == logged[after:] for after, each in seen.items())


async def test_who_has_all_of_an_ended_run_is_told_204(desk: Desk) -> None:
    run, logged = await desk.ended("one ")
    for query in (f"?after={len(logged)}", f"?after={len(logged) + 9}", f"?after={len(logged)}&snapshot=1"):
        assert (await desk.attach(run, query)).status_code == 204
    assert (await desk.attach(run, "?after=1", **{"Last-Event-ID": str(len(logged))})).status_code == 204
    assert len(connections()) == 0
    assert (await desk.attach(run, f"?after={len(logged) - 1}")).status_code == 200


async def test_of_an_ended_run_a_snapshot_is_followed_by_the_events_of_its_end(desk: Desk) -> None:
    run, logged = await desk.ended("one ", "two ")
    seen = await desk.read(await desk.attach(run, "?after=2&snapshot=1"))
    assert (told(seen), seen.texts) == ((False, "asked"), logged[-1:])
    assert content_of(seen) == "one two "


@pytest.mark.parametrize("fails", [False, True])
async def test_of_a_pruned_log_as_well(desk: Desk, fails: bool) -> None:
    run = await desk.ask([[Text("one ")], [Text("two ")], UpstreamDropped() if fails else [STOP]])
    logged = (await desk.read(await desk.attach(run))).texts
    assert await sync_to_async(prune_logs)(kept=0, most=10) == 1
    closing = logged[-2:] if fails else logged[-1:]
    assert await desk.logged(run) == closing
    for query in ("", "?after=2", "?after=2&snapshot=0"):
        seen = await desk.read(await desk.attach(run, query))
        assert (told(seen), seen.texts) == ((False, "log_pruned"), closing)
        assert content_of(seen) == "one two "
    after = len(logged) - len(closing)
    assert (await desk.read(await desk.attach(run, f"?after={after}"), after=after)).texts == closing


async def test_beyond_the_head_of_a_live_run_a_snapshot_says_that_there_is_a_gap(desk: Desk) -> None:
    run, head = await desk.halfway("one ", "two ")
    answers = [await desk.attach(run, f"?after={head + 1}{wish}") for wish in ("", "&snapshot=0")]
    desk.gate.set()
    for answer in answers:
        seen = await desk.read(answer)
        assert (told(seen), seen.snapshot and seen.snapshot.id) == ((True, "cursor_ahead"), head)
        assert content_of(seen) == "one two end"


async def test_where_the_log_of_a_live_run_has_lost_its_beginning_too(desk: Desk) -> None:
    run, head = await desk.halfway("one ", "two ")
    await RunEvent.objects.filter(run_id=run.pk, seq__lt=head).adelete()
    engine().tailer._channels.clear()  # as in a process that has seen nothing of the run
    answer = await desk.attach(run, "?after=1&snapshot=0")
    desk.gate.set()
    seen = await desk.read(answer)
    assert told(seen) == (True, "log_lost")
    assert seen.end.name == "thread.run.completed"


async def test_a_snapshot_of_a_live_run_comes_where_it_is_asked_for(desk: Desk) -> None:
    run, head = await desk.halfway("one ", "two ")
    answers = [await desk.attach(run, f"?after={after}&snapshot=1") for after in (0, head)]
    desk.gate.set()
    for answer in answers:
        seen = await desk.read(answer)
        assert (told(seen), content_of(seen)) == ((False, "asked"), "one two end")


@pytest.mark.parametrize(
    ("words", "missing", "expected"),
    [
        (["x"] * 260, 256, None),
        (["x"] * 260, 257, (False, "far_behind")),
        (["x" * 15_000] * 9, 8, None),
        (["x" * 15_000] * 9, 9, (False, "far_behind")),
    ],
)
async def test_who_misses_much_gets_a_snapshot_unless_they_will_not_have_it(
    desk: Desk, words: list[str], missing: int, expected: tuple[bool, str] | None
) -> None:
    run, head = await desk.halfway(*words)
    auto = await desk.attach(run, f"?after={head - missing}")
    never = await desk.attach(run, f"?after={head - missing}&snapshot=0")
    desk.gate.set()
    seen = await desk.read(auto, after=head - missing)
    assert (seen.snapshot and told(seen)) == expected
    everything = await desk.read(never, after=head - missing)
    assert (everything.snapshot, everything.texts) == (None, (await desk.logged(run))[head - missing :])


async def test_too_many_streams_and_a_server_that_is_being_stopped_come_before_every_answer(desk: Desk) -> None:
    run, logged = await desk.ended("one ")
    held = [connections().admit(principal_of(desk.user)) for _ in range(2)]
    for query in ("?after=1", f"?after={len(logged)}"):
        refused: Any = await desk.attach(run, query)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_streams")
        assert int(refused.headers["Retry-After"]) > 0
    connections().leave(held[0])
    assert (await desk.attach(run, f"?after={len(logged)}")).status_code == 204
    connections().draining = True
    stopped: Any = await desk.attach(run, "?after=1")
    assert (stopped.status_code, stopped.json()["error"]["code"]) == (503, "draining")
    assert int(stopped.headers["Retry-After"]) > 0


async def test_a_long_poll_beyond_the_head_of_a_live_run_is_answered_at_once(desk: Desk) -> None:
    run, head = await desk.halfway("one ")
    async with asyncio.timeout(20):
        answer: Any = await desk.get(f"/api/v1/runs/{run.pk}?wait=60&after={head + 1}")
    assert (answer.json()["events"], answer.json()["head"]) == ([], head)


async def test_a_long_poll_of_a_log_that_has_lost_its_beginning_answers_with_what_the_rows_have(desk: Desk) -> None:
    run, head = await desk.halfway("one ", "two ")
    await RunEvent.objects.filter(run_id=run.pk, seq__lt=head).adelete()
    answer: Any = await desk.get(f"/api/v1/runs/{run.pk}?wait=1&after=1")
    assert (answer.status_code, answer.json()["events"]) == (200, [])
    assert answer.json()["run"]["status"] == "in_progress"


async def test_a_long_poll_of_a_pruned_log_gives_the_state_and_no_event_that_does_not_follow(desk: Desk) -> None:
    run = await desk.ask([[Text("one ")], [STOP]])
    head = len((await desk.read(await desk.attach(run))).texts)
    await sync_to_async(prune_logs)(kept=0, most=10)
    answer: Any = await desk.get(f"/api/v1/runs/{run.pk}?wait=1&after=2")
    assert (answer.json()["events"], answer.json()["head"]) == ([], head)
    assert answer.json()["messages"][-1]["content"] == "one "
    last: Any = await desk.get(f"/api/v1/runs/{run.pk}?wait=1&after={head - 1}")
    assert [event["id"] for event in last.json()["events"]] == [head]
