import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from streaming.tools.base import (
    ArgumentsInvalid,
    NotAllowed,
    Progress,
    Tool,
    ToolError,
    ToolFailed,
    ToolTimeout,
    ToolUnknown,
    tool,
)
from streaming.tools.registry import BUILT_IN, ToolRegistry


class Listener:
    def __init__(self) -> None:
        self.output: list[str] = []
        self.progress: list[float] = []

    def __call__(self, *, output: str = "", progress: float | None = None) -> None:
        if progress is not None:
            self.progress.append(progress)
        if output:
            self.output.append(output)


def registry(*tools: Tool, **more: Any) -> ToolRegistry:
    return ToolRegistry(tools, executor=None, **more)


async def run(offered: Tool, *, deadline: float = 5, max_output: int = 100, **arguments: Any) -> tuple[Any, Listener]:
    listener = Listener()
    known = registry(offered, max_output=max_output)
    return await known.run(offered.name, arguments, emit=listener, deadline=deadline), listener


def test_the_built_in_tools_are_described() -> None:
    calculator, clock = registry(*BUILT_IN).describe()
    assert (calculator.name, calculator.title) == ("calculator", "Calculator")
    assert calculator.description == "Work out an arithmetic expression, exactly for whole numbers."
    assert clock.parameters["properties"]["timezone"]["type"] == "string"


def test_a_registry_may_be_restricted() -> None:
    whole = registry(*BUILT_IN)
    assert [tool.name for tool in whole.restricted(["clock", "gone"]).describe()] == ["clock"]
    assert whole.restricted([]).describe() == ()
    assert whole.restricted(None).describe() == whole.describe()


@tool(title="Risky", approval=True)
def risky(x: int) -> str:
    """Do it."""
    return f"did {x}"


async def test_a_tool_that_needs_approval_does_not_run_without_one() -> None:
    known = registry(risky, *BUILT_IN)
    with pytest.raises(NotAllowed):
        await known.run("risky", {"x": 1}, emit=Listener(), deadline=5)
    done = await known.run("risky", {"x": 1}, emit=Listener(), deadline=5, approved=True)
    assert done.output == "did 1"


def test_a_person_is_asked_about_calls_that_could_run_and_need_it() -> None:
    known = registry(risky, *BUILT_IN)
    assert known.needs_approval("risky", {"x": 1})
    assert not known.needs_approval("risky", {"x": "one"})
    assert not known.needs_approval("calculator", {"expression": "1"})
    assert not known.needs_approval("gone", {})


def test_two_tools_cannot_have_one_name() -> None:
    with pytest.raises(ValueError, match="two tools are named calculator"):
        registry(BUILT_IN[0], BUILT_IN[0])


def test_an_unknown_tool_and_wrong_arguments_have_codes_of_their_own() -> None:
    known = registry(*BUILT_IN)
    with pytest.raises(ToolUnknown, match="calculator, clock"):
        known.check("shell", {})
    with pytest.raises(ArgumentsInvalid, match=r"calculator: .*required field `expression`"):
        known.check("calculator", {})
    assert known.check("calculator", {"expression": "1"}) == {"expression": "1"}
    assert [ToolUnknown.code, ArgumentsInvalid.code, ToolFailed.code, ToolTimeout.code] == [
        "tool_unknown",
        "arguments_invalid",
        "tool_failed",
        "tool_timeout",
    ]


async def test_the_calculator_answers_and_says_what_is_wrong() -> None:
    assert (await run(BUILT_IN[0], expression="6 * 7"))[0].output == "42"
    with pytest.raises(ToolFailed, match=r"^Division by zero\.$"):
        await run(BUILT_IN[0], expression="1/0")


async def test_nothing_is_run_with_arguments_that_do_not_fit() -> None:
    ran = []

    @tool(title="Mark")
    def mark(x: int) -> str:
        """Mark."""
        ran.append(x)
        return ""

    with pytest.raises(ArgumentsInvalid):
        await run(mark, x="1")
    assert ran == []


async def test_a_sync_tool_runs_in_the_executor_that_was_given() -> None:
    @tool(title="Where")
    def where() -> str:
        """Tell the thread."""
        return threading.current_thread().name

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="tools") as executor:
        result = await ToolRegistry([where], executor=executor).run("where", {}, emit=Listener(), deadline=5)
    assert result.output.startswith("tools")


async def test_what_is_not_text_is_told_as_json() -> None:
    @tool(title="Table")
    async def table() -> dict[str, int]:
        """Tell a table."""
        return {"a": 1}

    assert (await run(table))[0].output == '{"a":1}'


async def test_a_streaming_tool_is_heard_piece_by_piece() -> None:
    @tool(title="Count")
    async def count(to: int) -> AsyncIterator[str | Progress]:
        """Count."""
        for number in range(to):
            yield Progress(number / to)
            yield str(number)
            yield ""

    result, listener = await run(count, to=4)
    assert (result.output, result.output_cut) == ("0123", False)
    assert (listener.output, listener.progress) == (["0", "1", "2", "3"], [0.25, 0.5, 0.75])


async def test_progress_that_hardly_moves_is_not_told() -> None:
    @tool(title="Crawl")
    async def crawl() -> AsyncIterator[Progress]:
        """Crawl."""
        for number in range(10_000):
            yield Progress(number / 10_000)

    assert len((await run(crawl))[1].progress) <= 100


async def test_output_is_cut_and_a_streaming_tool_that_says_too_much_is_closed() -> None:
    closed = []

    @tool(title="Flood")
    async def flood() -> AsyncIterator[str]:
        """Flood."""
        try:
            while True:
                yield "abc"
        finally:
            closed.append(True)

    @tool(title="Long")
    def long(count: int) -> str:
        """Say much."""
        return "x" * count

    result, listener = await run(flood, max_output=10)
    assert (result.output, result.output_cut, "".join(listener.output)) == ("abcabcabca", True, "abcabcabca")
    assert closed == [True]
    assert [(await run(long, max_output=10, count=n))[0].output_cut for n in (10, 11)] == [False, True]
    assert (await run(long, max_output=10, count=11))[0].output == "x" * 10


async def test_what_a_tool_raises_stays_in_the_log() -> None:
    @tool(title="Leak")
    async def leak() -> str:
        """Leak."""
        raise ValueError("postgres://user:secret@host")

    with pytest.raises(ToolFailed) as caught:
        await run(leak)
    assert caught.value.message == "The tool leak failed."


@pytest.mark.parametrize("fault", [StopIteration, SystemExit, KeyboardInterrupt, TimeoutError, RecursionError])
async def test_no_exception_of_a_tool_hangs_or_ends_the_server(fault: type[BaseException]) -> None:
    @tool(title="Rude")
    def rude() -> str:
        """Be rude."""
        if fault is SystemExit:
            sys.exit(1)
        raise fault

    with pytest.raises(ToolFailed):
        await asyncio.wait_for(run(rude), 5)


@pytest.mark.parametrize("own", [None, 0.02])
async def test_a_tool_that_hangs_is_given_up_after_its_own_deadline_or_the_common_one(own: float | None) -> None:
    @tool(title="Hang", deadline=own)
    async def hang() -> AsyncIterator[str]:
        """Hang."""
        yield "x"
        await asyncio.sleep(60)

    with pytest.raises(ToolTimeout, match=r"did not finish within 0\.0[12] seconds"):
        await run(hang, deadline=0.01 if own is None else 60)


async def test_cancelling_is_not_a_failure_of_the_tool() -> None:
    @tool(title="Hang")
    async def hang() -> str:
        """Hang."""
        await asyncio.sleep(60)
        return ""

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await run(hang, deadline=60)


def test_a_tool_that_cannot_be_offered_is_refused_when_it_is_declared() -> None:
    def silent() -> str:
        return ""

    def plain():  # type: ignore[no-untyped-def]
        """Yield."""
        yield ""

    for function in (silent, plain):
        with pytest.raises(TypeError):
            tool(title="x")(function)


def test_tool_errors_are_of_the_one_error_tree() -> None:
    assert ToolError("x").as_object().code == "tool_failed"
