"""A conversation that is longer than its model reads, from the send to the stored run."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chatserver.accounts.models import User
from conversations.models import Attachment
from streaming.engine.tokens import of_messages
from streaming.protocol.errors import ContextExceeded
from streaming.protocol.events import RunCompleted, RunInProgress
from streaming.protocol.notices import Notice
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, ModelInfo, Text, ToolCall
from streaming.tools.base import tool
from tests.support.bench import EngineBench, Seen, running
from tests.support.guarded import TOOLS

pytestmark = pytest.mark.django_db(transaction=True)

STOP = [Finish(reason="stop", usage=Usage())]
ANSWER = [[Text("Because.")], STOP]
LONG = "word " * 200  # 250 tokens and a few
ABLE = ("completion", "tools")


@tool(title="Read")
async def read(page: str) -> str:
    """Reads a long page."""
    return f"{page} " + "x" * 8000


def reading(page: str) -> list[Any]:
    return [[ToolCall(id=page, name="read", arguments={"page": page})], STOP]


async def known_as(bench: EngineBench, **facts: Any) -> None:
    bench.provider.listed = [ModelInfo(provider="scripted", name="model", **{"capabilities": ABLE, **facts})]
    await bench.engine.registry.refresh()


def begun(seen: Seen) -> list[Notice]:
    (event,) = (event for event in seen.events if isinstance(event, RunInProgress))
    return event.run.notices


def ended(seen: Seen) -> list[Notice]:
    event = seen.events[-1]
    assert isinstance(event, RunCompleted)
    return event.run.notices


def told(bench: EngineBench, request: int = -1) -> list[tuple[str, str]]:
    return [(message.role, message.content[:4]) for message in bench.provider.requests[request].messages]


async def test_the_oldest_are_left_out_and_the_run_says_so_from_its_beginning(user: User) -> None:
    async with running(user, [ANSWER]) as bench:
        await known_as(bench, context_length=1300)
        first = await bench.send(f"one {LONG}")
        await bench.watch(first)
        await bench.watch(await bench.send(f"two {LONG}", thread_id=first.thread_id))
        assert told(bench) == [("user", "one "), ("assistant", "Beca"), ("user", "two ")]
        run = await bench.send(f"six {LONG}", thread_id=first.thread_id)
        seen = await bench.watch(run)
        assert told(bench) == [("user", "two "), ("assistant", "Beca"), ("user", "six ")]
        assert begun(seen) == ended(seen)
        assert [(notice.code, notice.details) for notice in begun(seen)] == [
            ("context_dropped", {"messages": 2, "turns": 1, "window": 1300, "at_least": False})
        ]
        stored = (await bench.stored(run)).run.notices
        assert [notice["code"] for notice in stored] == ["context_dropped"]


async def test_what_fits_is_told_whole_and_nothing_is_said(user: User) -> None:
    async with running(user, [ANSWER]) as bench:
        await known_as(bench, context_length=8192)
        first = await bench.send(f"one {LONG}")
        await bench.watch(first)
        seen = await bench.watch(await bench.send("two", thread_id=first.thread_id))
        assert (begun(seen), ended(seen), len(bench.provider.requests[-1].messages)) == ([], [], 3)


async def test_a_long_way_of_tools_stays_within_the_window_and_ends_with_the_news(user: User) -> None:
    turns = [reading(page) for page in "abcdef"]
    async with running(user, [*turns, ANSWER], tools=[read]) as bench:
        await known_as(bench, context_length=4096)
        seen = await bench.watch(await bench.send("Read it all."))
        assert begun(seen) == []
        assert [(notice.code, notice.details) for notice in ended(seen)] == [
            ("tool_results_shortened", {"names": ["read"], "window": 4096})
        ]
        for request in bench.provider.requests:
            assert of_messages(request.messages) <= 3072
            assert request.messages[0].content == "Read it all."
        results = [message for message in bench.provider.requests[-1].messages if message.role == "tool"]
        assert [result.content[:2] for result in results] == ["a ", "b ", "c ", "d ", "e ", "f "]
        assert [len(result.content) == 8002 for result in results] == [False] * 5 + [True]
        shown = [event.step.output for event in seen.events if event.name == "thread.run.step.completed"]  # type: ignore[attr-defined]
        assert all(len(output) == 8002 for output in shown)  # whoever reads along has all of it


async def test_where_the_server_finds_it_too_long_all_the_same_it_is_asked_with_less(user: User) -> None:
    refusal = ContextExceeded(details={"status": 400, "n_ctx": 1024})
    async with running(user, [ANSWER, ANSWER, [refusal], ANSWER]) as bench:
        await known_as(bench, context_length=131_072)
        first = await bench.send(f"one {LONG}")
        await bench.watch(first)
        await bench.watch(await bench.send(f"two {LONG}", thread_id=first.thread_id))
        seen = await bench.watch(await bench.send("six", thread_id=first.thread_id))
        assert [len(request.messages) for request in bench.provider.requests] == [1, 3, 5, 3]
        assert begun(seen) == []
        assert [notice.details for notice in ended(seen)] == [
            {"messages": 2, "turns": 1, "window": 1024, "at_least": False}
        ]
        assert seen.text == "Because."


async def test_of_a_file_that_is_too_long_as_much_is_given_as_turns_out_to_fit(
    user: User, attach: Callable[..., Attachment]
) -> None:
    file = await sync_to_async(attach)(user, "x" * 40_000)
    refusal = ContextExceeded(details={"status": 400, "n_ctx": 2048})
    async with running(user, [[refusal], ANSWER, [refusal], ANSWER]) as bench:
        await known_as(bench)
        run = await bench.send("What is it?", attachments=[str(file.pk)])
        seen = await bench.watch(run)
        whole, less = (request.messages[0].content for request in bench.provider.requests)
        assert whole.count("x" * 1000) == 40
        assert 1 <= less.count("x" * 1000) <= 5
        assert less.endswith("\n\nWhat is it?")
        assert begun(seen) == []
        assert [(notice.code, notice.details) for notice in ended(seen)] == [
            ("attachment_shortened", {"names": ["hello.txt"]})
        ]
        assert seen.text == "Because."
        await bench.watch(await bench.send("And now?", thread_id=run.thread_id))
        assert told(bench) == [("user", "And ")]  # what is old goes first, with its files


async def test_a_file_that_cannot_be_made_short_enough_is_left_out(
    user: User, attach: Callable[..., Attachment]
) -> None:
    file = await sync_to_async(attach)(user, "x" * 40_000)
    async with running(user, [[ContextExceeded(details={"n_ctx": 256})], ANSWER]) as bench:
        await known_as(bench)
        seen = await bench.watch(await bench.send("What is it?", attachments=[str(file.pk)]))
        assert "there was no room for its content" in bench.provider.requests[-1].messages[0].content
        assert [notice.code for notice in ended(seen)] == ["attachments_left_out"]


async def test_what_the_server_knows_of_its_model_by_then_counts(user: User) -> None:
    gate = asyncio.Event()
    async with running(user, [ANSWER, [gate, ContextExceeded()], ANSWER]) as bench:
        await known_as(bench, context_length=131_072)
        first = await bench.send(f"one {LONG}")
        await bench.watch(first)
        watching = asyncio.ensure_future(bench.watch(await bench.send(f"two {LONG}", thread_id=first.thread_id)))
        async with asyncio.timeout(5):
            while len(bench.provider.requests) < 2:
                await asyncio.sleep(0.01)
        bench.provider.listed = [
            ModelInfo(provider="scripted", name="model", capabilities=ABLE, context_length=512, loaded=True)
        ]
        gate.set()
        seen = await watching
        assert [len(request.messages) for request in bench.provider.requests] == [1, 3, 1]
        assert ended(seen)[0].details["window"] == 512  # type: ignore[index]


async def test_where_not_even_the_question_fits_the_server_s_word_is_told(user: User) -> None:
    async with running(user, [[ContextExceeded()]]) as bench:
        await known_as(bench, context_length=512)
        run = await bench.send("word " * 4000)
        await bench.watch(run)
        assert (await bench.stored(run)).run.error_code == "context_exceeded"
        assert len(bench.provider.requests) == 1


async def test_whoever_takes_the_run_over_says_it_too(user: User) -> None:
    async with running(user, [ANSWER, [asyncio.Event()]], tools=TOOLS) as bench:
        await known_as(bench, context_length=1024)
        first = await bench.send(f"one {LONG * 2}")
        await bench.watch(first)
        run = await bench.send(f"two {LONG}", thread_id=first.thread_id)
        await bench.until(run, "thread.run.in_progress")
        await bench.die()
    async with running(user, [ANSWER], tools=TOOLS) as bench:
        await known_as(bench, context_length=1024)
        seen = await bench.watch(run)
        attempts = [event.run.notices for event in seen.events if isinstance(event, RunInProgress)]
        assert [[notice.code for notice in notices] for notices in attempts] == [["context_dropped"]] * 2
        assert [notice.code for notice in ended(seen)] == ["context_dropped"]
        assert told(bench) == [("user", "two ")]


async def test_wishes_that_the_model_cannot_have_are_told_from_the_beginning(user: User) -> None:
    async with running(user, [ANSWER]) as bench:
        await known_as(bench, capabilities=("completion",), cannot_think=True, no_word_for=("keep_alive",))
        run = await bench.send(tools=["clock"], parameters={"thinking": True, "keep_alive": 60})
        seen = await bench.watch(run)
        assert sorted(notice.code for notice in begun(seen)) == [
            "parameters_left_out",
            "thinking_left_out",
            "tools_left_out",
        ]
        assert (bench.provider.requests[-1].think, bench.provider.requests[-1].tools) == (None, ())
