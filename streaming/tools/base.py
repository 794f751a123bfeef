"""What a tool is: a plain function that a model may call, declared by one decorator.

    @tool(title="Calculator", deadline=5.0)
    def calculator(expression: Annotated[str, "For example 2 * (3 + 4)"]) -> str:
        "Work out an arithmetic expression."

A sync function runs off the event loop; an async function on it; an async generator streams its output, piece by
piece, and may yield Progress between the pieces. With ``approval=True`` a person is asked before each call. What a tool
raises as a ToolError is told to the model and to people as it stands; whatever else it raises stays in the log.
"""

import inspect
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from streaming.protocol.errors import ChatError
from streaming.tools.schema import Parameters, describe_parameters


class ToolError(ChatError):
    """A call that came to nothing. The run goes on: the model is told, and may try something else."""

    code = "tool_failed"
    status = 502
    sentence = "The tool failed."


class ToolFailed(ToolError):
    """The tool itself says what went wrong, in words fit to be shown."""


class ToolUnknown(ToolError):
    code = "tool_unknown"
    sentence = "There is no such tool."


class ArgumentsInvalid(ToolError):
    code = "arguments_invalid"
    sentence = "The arguments do not fit the tool."


class ToolTimeout(ToolError):
    code = "tool_timeout"
    sentence = "The tool did not finish in time."


class NotAllowed(ToolError):
    """Nobody was asked, or nobody has agreed."""

    code = "not_run"
    sentence = "Not run: this tool needs somebody's approval."


class Progress(msgspec.Struct, frozen=True):
    """Yielded by a streaming tool: how much is done, from 0 to 1."""

    share: float


class ToolDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as it is told to models and to people; ``parameters`` is a JSON Schema object."""

    name: str
    title: str
    description: str
    parameters: dict[str, Any]


class ToolResult(msgspec.Struct, frozen=True, kw_only=True):
    """``output_cut``: there was more than is kept."""

    output: str
    output_cut: bool = False


class Emit(Protocol):
    """Takes what a tool says while it runs. Called on the event loop only."""

    def __call__(self, *, output: str = "", progress: float | None = None) -> None: ...


class Kind(StrEnum):
    SYNC = "sync"
    ASYNC = "async"
    STREAM = "stream"


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """``deadline`` is in seconds; None leaves it to whoever runs the tool. ``approval``: a person is asked first, each
    time, with the exact arguments.
    """

    name: str
    title: str
    description: str
    parameters: Parameters
    function: Callable[..., Any]
    kind: Kind
    deadline: float | None = None
    approval: bool = False


def tool(*, title: str, deadline: float | None = None, approval: bool = False) -> Callable[[Callable[..., Any]], Tool]:
    """Make a Tool of a function: its name, the first line of its docstring and its parameters are what a model reads.

    Raises TypeError for a function that cannot be offered: no docstring, no types, or a plain generator.
    """

    def declare(function: Callable[..., Any]) -> Tool:
        description = (inspect.getdoc(function) or "").partition("\n")[0]
        if not description:
            raise TypeError(f"the tool {function.__name__} needs a docstring: it is what a model chooses by")
        return Tool(
            name=function.__name__,
            title=title,
            description=description,
            parameters=describe_parameters(function),
            function=function,
            kind=_kind_of(function),
            deadline=deadline,
            approval=approval,
        )

    return declare


def _kind_of(function: Callable[..., Any]) -> Kind:
    if inspect.isgeneratorfunction(function):
        raise TypeError(f"the tool {function.__name__} is a plain generator; make it an async one")
    if inspect.isasyncgenfunction(function):
        return Kind.STREAM
    return Kind.ASYNC if inspect.iscoroutinefunction(function) else Kind.SYNC
