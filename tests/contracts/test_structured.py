"""Answers that are to have a form, through the engine and its log: whatever the model makes of it, whoever dies. On
each database.
"""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chatserver.accounts.models import User
from conversations.models import Run
from conversations.services.run_log import prune_logs
from streaming.eventlog.recorded import recorded_snapshot
from streaming.protocol.commands import Send, parse
from streaming.protocol.errors import ChatError, InvalidRequest, UpstreamDropped
from streaming.protocol.objects import Usage
from streaming.protocol.response_format import Structured, stored
from streaming.protocol.snapshot import RunState
from streaming.providers.base import ChatRequest, Finish, Text, Thinking, ToolCall
from streaming.transports import sending
from tests.support.bench import EngineBench, Stored, principal_of, running
from tests.support.guarded import TOOLS
from tests.support.histories import assert_valid
from tests.support.redis_server import NEEDS_REDIS
from tests.support.services import OwnRedis

pytestmark = pytest.mark.django_db(transaction=True)
STOP = Finish(reason="stop", usage=Usage(prompt_tokens=3, completion_tokens=2))
CUT = Finish(reason="length", usage=Usage(prompt_tokens=3, completion_tokens=2))
SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
FORM = {"type": "json_schema", "json_schema": {"name": "age", "schema": SCHEMA, "strict": True}}
GOOD, WRONG = '{"age": 36}', '{"age": "36"}'


async def send(bench: EngineBench, body: dict[str, Any], *, thread_id: Any = None) -> Run:
    principal = principal_of(bench.user)
    if thread_id is None:
        thread_id = (await bench.send("Hello.")).thread_id
        await bench.watch(await Run.objects.aget(thread_id=thread_id))
    opened = await sending.send(bench.engine, principal, thread_id, parse(body, Send), key=None, body=body)
    return opened.run


def said(*texts: str, end: Finish = STOP) -> list[Any]:
    return [*([Text(text)] for text in texts), [end]]


async def structured(user: User, *turns: Any, **wish: Any) -> tuple[list[ChatRequest], Stored]:
    """What was asked, and what is stored in the end; readers have seen the very same."""
    async with running(user, [said("Hello."), *turns]) as bench:
        run = await send(bench, {"content": "How old?", "response_format": FORM, **wish})
        seen = await bench.watch(run)
        end = await bench.stored(run)
    assert seen.entries == end.entries
    assert seen.text == end.answer.content
    end.agree()
    assert_valid(seen.events)
    return bench.provider.requests[1:], end


async def test_the_form_is_asked_for_in_both_ways_and_what_fits_is_told(user: User) -> None:
    (request,), end = await structured(user, [[Thinking("hm")], *said('{"age"', ": 36}")])
    assert (end.run.status, end.answer.content, end.answer.thinking) == ("completed", GOOD, "hm")
    assert end.run.structured == {"valid": True, "repaired": False, "error": None}
    assert end.run.response_format == FORM
    assert (request.response_format, request.tools) == (stored(FORM), ())
    assert request.messages[0].role == "system"
    assert '"required":["age"]' in request.messages[0].content


async def test_a_block_of_code_is_opened(user: User) -> None:
    _, end = await structured(user, said(f"```json\n{GOOD}\n```"))
    assert (end.answer.content, end.run.structured["valid"]) == (GOOD, True)


async def test_what_does_not_fit_is_asked_for_once_more(user: User) -> None:
    (_, again), end = await structured(user, said(WRONG), said(GOOD))
    assert (end.run.status, end.answer.content) == ("completed", GOOD)
    assert (end.run.structured["valid"], end.run.structured["repaired"]) == (True, True)
    assert end.run.structured["error"]["details"] == {"at": "$.age"}
    assert [message.content for message in again.messages[-2:-1]] == [WRONG]
    assert "is not of type 'integer'" in again.messages[-1].content
    assert end.run.usage == {"prompt_tokens": 6, "completion_tokens": 4}


async def test_but_not_twice(user: User) -> None:
    requests, end = await structured(user, said("No."), said("Still no."))
    assert (end.run.status, end.answer.content, len(requests)) == ("completed", "Still no.", 2)
    assert (end.run.structured["valid"], end.run.structured["error"]["code"]) == (False, "not_json")


async def test_a_second_try_that_breaks_leaves_the_first(user: User) -> None:
    _, end = await structured(user, said(WRONG), [UpstreamDropped()])
    assert (end.run.status, end.answer.status, end.answer.content) == ("failed", "incomplete", WRONG)
    assert (end.run.structured["valid"], end.run.structured["repaired"]) == (False, True)


async def test_a_tool_that_is_named_is_offered_and_its_round_is_no_part_of_the_answer(user: User) -> None:
    call = ToolCall(id="c", name="calculator", arguments={"expression": "6*6"})
    turns = [[Text("Let me see.")], [call], [STOP]], said(WRONG), said(GOOD)
    requests, end = await structured(user, *turns, tools=["calculator"])
    assert [[tool.name for tool in request.tools] for request in requests] == [["calculator"], ["calculator"], []]
    assert (end.answer.content, end.answer.thinking) == (GOOD, "Let me see.")
    assert [step.kind for step in end.steps] == ["reasoning", "tool_calls"]


@pytest.mark.parametrize("turn", [[said(WRONG), [[Thinking("hm")], asyncio.Event()]], [[[Text("{")], asyncio.Event()]]])
async def test_whoever_takes_over_asks_anew_and_one_answer_is_told(user: User, turn: list[Any]) -> None:
    """Amid the second try, and amid the first."""
    async with running(user, [said("Hello."), *turn]) as bench:
        run = await send(bench, {"content": "How old?", "response_format": FORM})
        async with asyncio.timeout(10):
            while len(bench.provider.requests) <= len(turn):
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        await bench.die()
        assert "thread.message.delta" not in [entry.text.split('"')[3] for entry in (await bench.stored(run)).entries]
    async with running(user, [said("No."), said(GOOD)]) as bench:
        seen = await bench.watch(run)
        end = await bench.stored(run)
    end.agree()
    assert_valid(seen.events)
    assert (seen.text, end.answer.content, end.run.attempt) == (GOOD, GOOD, 2)
    assert (end.run.structured["valid"], end.run.structured["repaired"]) == (True, True)


async def test_a_stop_keeps_what_was_written(user: User) -> None:
    async with running(user, [said("Hello."), [[Text('{"age": ')], asyncio.Event()]]) as bench:
        run = await send(bench, {"content": "How old?", "response_format": FORM})
        async with asyncio.timeout(10):
            while len(bench.provider.requests) < 2:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        await bench.cancel(run)
        seen = await bench.watch(run)
        end = await bench.stored(run)
    end.agree()
    assert_valid(seen.events)
    assert (end.run.status, end.answer.content, seen.text) == ("cancelled", '{"age": ', '{"age": ')
    assert end.run.structured["error"]["code"] == "ended_early"


async def test_it_goes_on_in_its_form_as_it_was_asked_but_for_what_had_cut_it(user: User) -> None:
    wish = {"parameters": {"seed": 7, "max_tokens": 2}, "tools": ["calculator"]}
    async with running(user, [said("Hello."), said('{"age": ', end=CUT), said("36}")]) as bench:
        first = await send(bench, {"content": "How old?", "response_format": FORM, **wish})
        await bench.watch(first)
        cut = await bench.stored(first)
        assert (cut.run.status, cut.answer.content) == ("incomplete", '{"age": ')
        assert cut.run.structured["error"]["code"] == "ended_early"
        second = await send(bench, {"continue": str(first.answer_id)}, thread_id=first.thread_id)
        seen = await bench.watch(second)
        end = await bench.stored(second)
    end.agree()
    assert_valid(seen.events)
    assert (end.run.status, end.answer.content) == ("completed", GOOD)
    assert (seen.text, end.run.structured["valid"]) == ("36}", True)
    assert (end.run.response_format, end.run.tools, end.run.parameters) == (FORM, ["calculator"], {"seed": 7})
    asked = bench.provider.requests[-1]
    # A form is held to from the first word on: with it the model could only begin again.
    assert (asked.response_format, asked.messages[-1].content) == (None, '{"age":')
    assert '"required":["age"]' in asked.messages[0].content


async def test_what_was_gone_on_with_is_judged_as_a_whole_and_not_asked_for_again(user: User) -> None:
    async with running(user, [said("Hello."), said('{"age": ', end=CUT), said('"36"}')]) as bench:
        first = await send(bench, {"content": "How old?", "response_format": FORM})
        await bench.watch(first)
        second = await send(bench, {"continue": str(first.answer_id)}, thread_id=first.thread_id)
        await bench.watch(second)
        end = await bench.stored(second)
    assert (end.run.status, end.answer.content) == ("completed", WRONG)
    assert (end.run.structured["valid"], end.run.structured["repaired"]) == (False, False)


async def test_a_send_that_waits_keeps_its_form(user: User) -> None:
    gate = asyncio.Event()
    async with running(user, [said("Hello."), [[Text("One")], gate, [STOP]], said(GOOD)]) as bench:
        first = await send(bench, {"content": "One?"})
        body = {"content": "How old?", "response_format": FORM, "if_busy": "enqueue"}
        waits = await send(bench, body, thread_id=first.thread_id)
        assert waits.waiting
        gate.set()
        await bench.watch(waits)
        end = await bench.stored(waits)
    assert (end.answer.content, end.run.structured["valid"]) == (GOOD, True)


@pytest.fixture(scope="module")
def redis() -> Iterator[OwnRedis]:
    with OwnRedis() as redis:
        yield redis


@pytest.mark.parametrize("log", ["database", "memory", pytest.param("redis", marks=NEEDS_REDIS)])
async def test_every_log_tells_it_whole_and_so_do_the_rows_when_it_is_gone(
    user: User, settings: Any, request: pytest.FixtureRequest, log: str
) -> None:
    settings.EVENT_LOG = log
    settings.REDIS_URL = request.getfixturevalue("redis").url if log == "redis" else ""
    long = f'{{"age": 36, "text": "{"🦉" * 60_000}"}}'  # several deltas
    async with running(user, [said("Hello."), said(WRONG), said(long)]) as bench:
        run = await send(bench, {"content": "How old?", "response_format": FORM})
        seen = await bench.watch(run)
        late = await bench.watch(run)
        await sync_to_async(prune_logs)(kept=-60, most=10)
        await run.arefresh_from_db()
        snapshot = await sync_to_async(recorded_snapshot)(run, gap=False, reason="log_pruned")
        rest = await bench.engine.event_log.read(run_id=run.pk, after=snapshot.as_of)
    assert seen.text == late.text == long
    assert seen.names.count("thread.message.delta") > 1
    assert snapshot.run.structured == Structured()
    state = RunState()
    state.apply(snapshot.as_of, snapshot)
    state.extend(rest)
    assert state.answer is not None
    assert state.run is not None
    assert state.run.structured is not None
    assert (state.answer.content, state.terminal, state.run.structured.valid) == (long, True, True)


@pytest.mark.parametrize("way", ["regenerate", "edit", "models"])
async def test_every_way_of_asking_has_it(user: User, way: str) -> None:
    async with running(user, [said("Hello."), said(GOOD)]) as bench:
        first = await bench.send("How old?")
        await bench.watch(first)
        body: dict[str, Any] = {
            "regenerate": {"regenerate": str(first.answer_id)},
            "edit": {"edit": str(first.question_id), "content": "How old is she?"},
            "models": {"content": "And he?", "models": ["scripted/model", "scripted/model"]},
        }[way]
        body["response_format"] = FORM
        opened = await sending.send(
            bench.engine, principal_of(user), first.thread_id, parse(body, Send), key=None, body=body
        )
        for run in opened.runs:
            await bench.watch(run)
            end = await bench.stored(run)
            assert (end.answer.content, end.run.structured["valid"]) == (GOOD, True)


async def test_a_parked_run_keeps_its_form(user: User) -> None:
    call = ToolCall(id="c", name="write_journal", arguments={"line": "36"})
    async with running(user, [said("Hello."), [[call], [STOP]], said(WRONG), said(GOOD)], tools=TOOLS) as bench:
        run = await send(bench, {"content": "How old?", "response_format": FORM, "tools": ["write_journal"]})
        (approval,) = await bench.parked(run)
        await bench.decide(run, approval, "deny")
        await bench.watch(run)
        end = await bench.stored(run)
    end.agree()
    assert (end.answer.content, end.run.structured["valid"], end.run.structured["repaired"]) == (GOOD, True, True)


@pytest.mark.parametrize(
    "schema", [{"$ref": "http://127.0.0.1:9/schema"}, {"pattern": "(?=a)"}, {"type": "none"}, {"items": {"$id": "x"}}]
)
async def test_a_schema_that_is_not_taken_opens_nothing(user: User, schema: dict[str, Any]) -> None:
    wish = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    async with running(user, [said("Hello.")]) as bench:
        with pytest.raises(InvalidRequest) as refused:
            await send(bench, {"content": "How old?", "response_format": wish})
        assert await sync_to_async(Run.objects.count)() == 1
    fault: ChatError = refused.value
    assert fault.details is not None
    assert fault.details["field"].startswith("response_format.json_schema.schema.")


async def test_a_model_that_must_look_for_ever_is_not_waited_for(user: User) -> None:
    defs: dict[str, Any] = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    schema = {"$ref": "#/$defs/d0", "$defs": {**defs, "d40": {"type": "string"}}}
    wish = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    requests, end = await structured(user, said("1"), response_format=wish)
    assert (end.run.status, end.run.structured["error"]["code"], len(requests)) == ("completed", "not_checked", 1)


async def test_forms_that_take_long_to_check_keep_no_other_question_waiting(user: User) -> None:
    """What is asked and what comes are both checked apart from the engine's work, however many there are."""
    for_now = threading.Event()
    async with running(user, [said("Hello."), said("Hello."), said(GOOD)]) as bench:
        held = [asyncio.create_task(bench.engine.checks(for_now.wait)) for _ in range(8)]
        try:
            async with asyncio.timeout(10):
                first = await bench.send("Hello.")
                await bench.watch(first)
            asking = asyncio.create_task(send(bench, {"content": "How old?", "response_format": FORM}))
            await asyncio.wait({asking}, timeout=0.5)
            assert not asking.done()
        finally:
            for_now.set()
        await asyncio.gather(*held)
        run = await asking
        assert (await bench.watch(run)).text == GOOD
