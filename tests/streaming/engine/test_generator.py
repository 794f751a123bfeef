import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import pytest

from streaming.engine.generator import Phase, generate, specs
from streaming.engine.limits import Limits
from streaming.engine.machine import End, RunMachine, RunTools
from streaming.engine.outcome import Completed, Incomplete
from streaming.protocol.errors import UpstreamDropped, UpstreamTruncated
from streaming.protocol.events import Event, StepInProgress
from streaming.protocol.objects import Usage
from streaming.protocol.parameters import Parameters
from streaming.providers.base import ChatRequest, Chunk, Finish, Text, Thinking, ToolCall
from streaming.providers.scripted import ScriptedProvider, Turn
from streaming.tasks import TaskRegistry
from streaming.tools.base import Tool, tool
from streaming.tools.registry import BUILT_IN, ToolRegistry
from tests.support.histories import assert_valid
from tests.support.runs import CREATED, PROMPT, new_machine, opening_events

STOP = Finish(reason="stop", usage=Usage())


def call(name: str, id: str = "", **arguments: object) -> ToolCall:
    return ToolCall(id=id, name=name, arguments=arguments)


class Stage:
    """A machine, a scripted provider and tools, and the generator over them."""

    def __init__(self, *turns: Turn, tools: Sequence[Tool] = BUILT_IN, limits: Limits | None = None) -> None:
        self.machine: RunMachine = new_machine(limits=limits)
        self.provider = ScriptedProvider(turns)
        self.tasks = TaskRegistry()
        self.tools = ToolRegistry(tools, executor=None)

    def events(
        self,
        ask: Callable[..., AsyncIterator[Sequence[Chunk]]] | None = None,
        first_wait: Phase = "waiting_for_model",
    ):
        return generate(
            self.machine,
            request=ChatRequest(
                model="model", messages=(), tools=specs(self.tools), think=True, parameters=Parameters(seed=1)
            ),
            ask=ask or self.provider.stream,
            tools=self.tools,
            spawn=self.tasks.spawn,
            clock=lambda: CREATED + 1,
            first_wait=first_wait,
        )

    async def play(self) -> list[Event]:
        return [event async for batch in self.events() for event in batch]


def names(events: Sequence[Event]) -> list[str]:
    return [event.name.removeprefix("thread.") for event in events]


async def test_a_plain_answer_from_begin_to_end() -> None:
    stage = Stage([[Text("Hel")], [Text("lo"), STOP]])
    events = await stage.play()
    assert names(events) == ["run.in_progress", "run.status", "message.delta", "message.delta"]
    assert stage.machine.next == End(Completed("stop"))
    assert (stage.provider.closed_early, len(stage.tasks)) == (0, 0)


async def test_the_model_is_asked_with_what_the_run_asks_for() -> None:
    stage = Stage([[STOP]])
    await stage.play()
    (request,) = stage.provider.requests
    assert (request.model, request.think, request.parameters) == ("model", True, Parameters(seed=1))
    assert request.messages == PROMPT
    assert [spec.name for spec in request.tools] == ["calculator", "clock"]
    assert request.tools[0].parameters["required"] == ["expression"]


async def test_every_wait_for_the_model_is_announced_by_itself() -> None:
    stage = Stage([[call("calculator", expression="2+2"), STOP]], [[Text("4"), STOP]])
    batches = [batch async for batch in stage.events()]
    waits = [batch for batch in batches if any(event.name == "thread.run.status" for event in batch)]
    assert [[event.phase for event in batch] for batch in waits] == [["waiting_for_model"]] * 2
    assert all(batches)


async def test_only_the_first_turn_waits_for_the_model_to_be_loaded() -> None:
    stage = Stage([[call("calculator", expression="2+2"), STOP]], [[Text("4"), STOP]])
    events = [event async for batch in stage.events(first_wait="loading_model") for event in batch]
    phases = [event.phase for event in events if event.name == "thread.run.status"]
    assert phases == ["loading_model", "waiting_for_model"]


async def test_an_answer_that_is_full_is_not_listened_to_any_longer() -> None:
    stage = Stage([[Text("abcde")], [Text("def")], asyncio.Event()], limits=Limits(max_answer=5))
    async with asyncio.timeout(5):
        await stage.play()
    assert stage.machine.next == End(Incomplete("max_tokens"))
    assert stage.machine.answer.content == "abcde"
    assert stage.provider.closed_early == 1


async def test_a_tool_s_result_goes_back_to_the_model() -> None:
    stage = Stage([[Text("so "), call("calculator", "a", expression="6*7"), STOP]], [[Text("42"), STOP]])
    events = await stage.play()
    told = stage.provider.requests[1].messages[-1]
    assert (told.role, told.tool_call_id, told.content) == ("tool", "a", "42")
    assert stage.machine.answer.content == "so 42"
    ending = stage.machine.end(stage.machine.next.outcome, at=CREATED + 2)
    assert_valid([*opening_events(), *(event for event in events if "status" not in event.name), *ending.events])


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (call("no_such_tool"), "tool_unknown"),
        (call("calculator", expression=4), "arguments_invalid"),
        (call("calculator"), "arguments_invalid"),
        (call("calculator", expression="1/0"), "tool_failed"),
    ],
)
async def test_a_call_that_comes_to_nothing_is_told_to_the_model_and_the_run_goes_on(made: ToolCall, code: str) -> None:
    stage = Stage([[made, STOP]], [[Text("Sorry."), STOP]])
    events = await stage.play()
    (failed,) = [event.step for event in events if event.name.endswith("step.failed")]
    assert failed.error.code == code
    assert stage.provider.requests[1].messages[-1].content == f"Error: {failed.error.message}"
    assert stage.machine.next == End(Completed("stop"))


async def test_a_tool_does_not_run_before_its_step_was_taken() -> None:
    ran: list[str] = []

    @tool(title="Touch")
    async def touch() -> str:
        """Leave a mark."""
        ran.append("touch")
        return ""

    stage = Stage([[call("touch"), STOP]], [[STOP]], tools=[touch])
    async with aclosing(stage.events()) as events:
        async for batch in events:
            if "run.step.created" in names(batch):
                await asyncio.sleep(0.01)
                assert ran == []
                assert stage.provider.closed_early == 0
    assert ran == ["touch"]


async def test_calls_of_one_turn_run_side_by_side_and_are_told_to_the_model_in_their_order() -> None:
    first, second = asyncio.Event(), asyncio.Event()

    @tool(title="Slow")
    async def slow() -> AsyncIterator[str]:
        """Wait for quick."""
        yield "slow begins"
        first.set()
        await second.wait()
        yield ", slow ends"

    @tool(title="Quick")
    async def quick() -> str:
        """Wait for slow."""
        await first.wait()
        second.set()
        return "quick"

    stage = Stage([[call("slow", "a"), call("quick", "b"), STOP]], [[STOP]], tools=[slow, quick])
    events = await asyncio.wait_for(stage.play(), 5)
    outputs = [event.output for event in events if isinstance(event, StepInProgress) and isinstance(event.output, str)]
    assert sorted(outputs) == [", slow ends", "quick", "slow begins"]
    results = [turn.content for turn in stage.provider.requests[1].messages if turn.role == "tool"]
    assert results == ["slow begins, slow ends", "quick"]


async def test_what_a_tool_says_is_told_while_it_runs() -> None:
    go_on = asyncio.Event()

    @tool(title="Talk")
    async def talk() -> AsyncIterator[str]:
        """Talk."""
        yield "one"
        await go_on.wait()
        yield "two"

    stage = Stage([[call("talk"), STOP]], [[STOP]], tools=[talk])
    async with aclosing(stage.events()) as events:
        async for batch in events:
            if any(getattr(event, "output", None) == "one" for event in batch):
                go_on.set()
    assert go_on.is_set()


async def test_an_answer_without_its_end_is_truncated() -> None:
    stage = Stage([[Text("half")]])
    with pytest.raises(UpstreamTruncated):
        await stage.play()
    assert stage.machine.answer.content == "half"


async def test_a_failure_of_the_model_server_is_the_driver_s_to_tell() -> None:
    stage = Stage([[Text("half")], UpstreamDropped()])
    with pytest.raises(UpstreamDropped):
        await stage.play()
    assert stage.machine.answer.content == "half"


async def test_a_failure_after_the_finish_changes_nothing() -> None:
    stage = Stage([[Text("whole"), STOP], UpstreamDropped()])
    await stage.play()
    assert stage.machine.next == End(Completed("stop"))


async def test_what_comes_after_the_finish_is_ignored() -> None:
    stage = Stage([[Text("whole"), STOP], [Text("more")], [call("clock"), STOP]])
    await stage.play()
    assert (stage.machine.answer.content, stage.machine.next) == ("whole", End(Completed("stop")))


async def test_a_server_that_does_not_hang_up_after_the_finish_is_not_waited_for() -> None:
    stage = Stage([[Text("whole"), STOP], asyncio.Event()])
    started = time.monotonic()
    await stage.play()
    assert time.monotonic() - started < 2
    assert (stage.provider.closed_early, stage.machine.next) == (1, End(Completed("stop")))


async def test_the_connection_is_closed_before_the_tools_run() -> None:
    closed: list[bool] = []

    async def ask(request: object) -> AsyncIterator[Sequence[Chunk]]:
        try:
            yield [call("look"), STOP]
        finally:
            closed.append(True)

    @tool(title="Look")
    async def look() -> str:
        """Look whether it is closed."""
        return str(closed)

    stage = Stage(tools=[look], limits=Limits(max_tool_steps=1))
    events = [event async for batch in stage.events(ask) for event in batch]
    assert [event.step.output for event in events if event.name.endswith("step.completed")] == ["[True]"]


async def test_closing_the_generator_closes_the_model_s_stream() -> None:
    stage = Stage([[Text("a")], asyncio.Event()])
    events = stage.events()
    async for batch in events:
        if "message.delta" in names(batch):
            break
    await events.aclose()
    assert stage.provider.closed_early == 1


async def test_cancelling_the_driver_closes_the_model_s_stream() -> None:
    stage = Stage([[Text("a")], asyncio.Event()])
    driver = stage.tasks.spawn(stage.play(), name="driver")
    await asyncio.sleep(0.02)
    driver.cancel()
    await asyncio.wait({driver}, timeout=1)
    assert driver.cancelled()
    assert stage.provider.closed_early == 1


async def test_cancelling_the_driver_cancels_the_tools_and_waits_for_them() -> None:
    ended: list[str] = []

    @tool(title="Hang")
    async def hang() -> str:
        """Hang."""
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.append("hang")
        return ""

    @tool(title="Pour")
    async def pour() -> AsyncIterator[str]:
        """Pour."""
        try:
            yield "x"
            await asyncio.Event().wait()
        finally:
            ended.append("pour")

    stage = Stage([[call("hang"), call("pour"), STOP]], tools=[hang, pour])
    driver = stage.tasks.spawn(stage.play(), name="driver")
    await asyncio.sleep(0.02)
    assert isinstance(stage.machine.next, RunTools)
    driver.cancel()
    await asyncio.wait({driver}, timeout=1)
    await asyncio.sleep(0)
    assert sorted(ended) == ["hang", "pour"]
    assert len(stage.tasks) == 0


async def test_a_tool_whose_task_is_cancelled_by_somebody_else_fails_and_nobody_waits_for_ever() -> None:
    @tool(title="Hang")
    async def hang() -> str:
        """Hang."""
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)
        return ""

    stage = Stage([[call("hang"), STOP]], [[Text("Sorry."), STOP]], tools=[hang])
    events = await asyncio.wait_for(stage.play(), 5)
    assert [event.step.error.code for event in events if event.name.endswith("step.failed")] == ["tool_failed"]


async def test_a_tool_that_takes_too_long_is_given_up() -> None:
    @tool(title="Hang")
    async def hang() -> str:
        """Hang."""
        await asyncio.sleep(60)
        return ""

    stage = Stage([[call("hang"), STOP]], [[STOP]], tools=[hang], limits=Limits(tool_timeout=0.02))
    events = await stage.play()
    assert [event.step.error.code for event in events if event.name.endswith("step.failed")] == ["tool_timeout"]


async def test_a_blocking_tool_does_not_hold_up_the_loop() -> None:
    @tool(title="Block")
    def block() -> str:
        """Block."""
        time.sleep(0.5)
        return "done"

    with ThreadPoolExecutor(max_workers=1) as executor:
        stage = Stage([[Thinking("hm"), call("block"), STOP]], [[STOP]])
        stage.tools = ToolRegistry([block], executor=executor)
        driver = stage.tasks.spawn(stage.play(), name="driver")
        turns = 0
        while not driver.done():
            await asyncio.sleep(0.005)
            turns += 1
    assert turns > 10  # while the tool slept; held up, the loop would turn two or three times
    assert stage.machine.state.steps[1].output == "done"
