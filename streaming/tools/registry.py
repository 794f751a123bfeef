"""The tools that a model may be offered: described, checked, run within bounds."""

import asyncio
import functools
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Executor
from contextlib import aclosing
from typing import Any

import structlog

from streaming.protocol.codec import dumps
from streaming.tools.base import (
    ArgumentsInvalid,
    Emit,
    Kind,
    NotAllowed,
    Progress,
    Tool,
    ToolDescription,
    ToolError,
    ToolFailed,
    ToolResult,
    ToolTimeout,
    ToolUnknown,
)
from streaming.tools.calculator import calculator
from streaming.tools.clock import clock

log = structlog.get_logger(__name__)

BUILT_IN: tuple[Tool, ...] = (calculator, clock)
MAX_OUTPUT = 64 * 1024


class ToolRegistry:
    """``executor`` is where sync tools run, and bounds how many do at once; ``max_output`` is in characters."""

    def __init__(self, tools: Iterable[Tool], *, executor: Executor | None, max_output: int = MAX_OUTPUT) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise ValueError(f"two tools are named {tool.name}")
            self._tools[tool.name] = tool
        self._executor = executor
        self._max_output = max_output

    @property
    def names(self) -> Collection[str]:
        return self._tools.keys()

    def restricted(self, names: Collection[str] | None) -> "ToolRegistry":
        """Those of the tools that are named; all of them for None."""
        chosen = [tool for name, tool in self._tools.items() if names is None or name in names]
        return ToolRegistry(chosen, executor=self._executor, max_output=self._max_output)

    def describe(self) -> tuple[ToolDescription, ...]:
        return tuple(
            ToolDescription(
                name=tool.name,
                title=tool.title,
                description=tool.description,
                parameters=tool.parameters.json_schema,
            )
            for tool in self._tools.values()
        )

    def check(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments as the tool takes them. Raises ToolUnknown or ArgumentsInvalid."""
        tool = self._tool(name)
        try:
            return tool.parameters.check(arguments)
        except ValueError as fault:
            raise ArgumentsInvalid(f"The arguments do not fit the tool {name}: {fault}.") from fault

    def needs_approval(self, name: str, arguments: dict[str, Any]) -> bool:
        """Whether a person must be asked first. Nobody is asked about a call that could not be run anyway."""
        if name not in self._tools or not self._tools[name].approval:
            return False
        try:
            self.check(name, arguments)
        except ArgumentsInvalid:
            return False
        return True

    async def run(
        self, name: str, arguments: dict[str, Any], *, emit: Emit, deadline: float, approved: bool = False
    ) -> ToolResult:
        """Check and run. ``emit`` gets what a streaming tool says meanwhile; the result has all of it.

        Raises a ToolError in every case but success; its message is safe to show. ``deadline`` (seconds) is for tools
        that name none. A sync tool that is given up goes on in its thread until it returns.
        """
        tool = self._tool(name)
        checked = self.check(name, arguments)
        if tool.approval and not approved:
            raise NotAllowed()
        seconds = tool.deadline or deadline
        try:
            async with asyncio.timeout(seconds) as timer:
                return await self._execute(tool, checked, emit)
        except ToolError:
            raise
        except Exception as fault:
            if isinstance(fault, TimeoutError) and timer.expired():
                raise ToolTimeout(f"The tool {name} did not finish within {seconds:g} seconds.") from fault
            log.warning("tool failed", tool=name, exc_info=fault)
            raise ToolFailed(f"The tool {name} failed.") from fault

    def _tool(self, name: str) -> Tool:
        if name not in self._tools:
            known = ", ".join(self._tools) or "none"
            raise ToolUnknown(f"There is no tool named {name!r}. The tools are: {known}.")
        return self._tools[name]

    async def _execute(self, tool: Tool, arguments: dict[str, Any], emit: Emit) -> ToolResult:
        match tool.kind:
            case Kind.STREAM:
                return await self._stream(tool, arguments, emit)
            case Kind.ASYNC:
                value = await tool.function(**arguments)
            case Kind.SYNC:
                call = functools.partial(_called_in_thread, tool.function, arguments)
                value = await asyncio.get_running_loop().run_in_executor(self._executor, call)
        output = value if isinstance(value, str) else dumps(value)
        return ToolResult(output=output[: self._max_output], output_cut=len(output) > self._max_output)

    async def _stream(self, tool: Tool, arguments: dict[str, Any], emit: Emit) -> ToolResult:
        pieces: list[str] = []
        room = self._max_output
        told = 0.0
        async with aclosing(tool.function(**arguments)) as stream:
            async for piece in stream:
                if isinstance(piece, Progress):
                    if abs(piece.share - told) >= 0.01:  # a bar has no more than a hundred steps
                        told = piece.share
                        emit(progress=told)
                    continue
                if len(piece) > room:
                    pieces.append(piece[:room])
                    emit(output=piece[:room])
                    return ToolResult(output="".join(pieces), output_cut=True)
                if piece:
                    room -= len(piece)
                    pieces.append(piece)
                    emit(output=piece)
        return ToolResult(output="".join(pieces))


def _called_in_thread(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    try:
        return function(**arguments)
    except (StopIteration, SystemExit, KeyboardInterrupt) as fault:
        # A future cannot carry the first; the others would stop the event loop, and with it everybody's runs.
        raise RuntimeError(f"the tool raised {type(fault).__name__}") from fault
