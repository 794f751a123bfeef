"""The seam to model servers: one async iterator of a few small chunks. A vendor's shapes stop behind it.

A provider reads the wire, its pure translator makes chunks of it, and nothing above knows which server answered.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import msgspec

from streaming.protocol.objects import Usage
from streaming.protocol.parameters import Parameters
from streaming.protocol.response_format import ResponseFormat


class Text(msgspec.Struct, frozen=True):
    """The next piece of the answer."""

    text: str


class Thinking(msgspec.Struct, frozen=True):
    """The next piece of the reasoning."""

    text: str


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """One whole call. ``arguments`` is None where what the model wrote is no JSON object; the text is kept beside."""

    id: str
    name: str
    arguments: dict[str, Any] | None
    invalid_arguments: str | None = None


class Finish(msgspec.Struct, frozen=True, kw_only=True):
    """The model server says that it is done. Only after this is an answer complete. Always the last chunk.

    ``reason`` is ``stop``, ``length`` or ``content_filter``; other words are passed on as they came. ``left_out`` names
    what the server refused to take, and was asked without.
    """

    reason: str | None
    usage: Usage
    left_out: tuple[str, ...] = ()


Chunk = Text | Thinking | ToolCall | Finish


class PromptCall(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    arguments: dict[str, Any]


# What a picture counts as among characters: most models make about a thousand tokens of one.
IMAGE_LENGTH = 4_000


class PromptImage(msgspec.Struct, frozen=True):
    """A picture that a person has shown. ``data`` is base64, without a prefix."""

    type: str
    data: str


class PromptMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of the prompt. ``role`` is ``system``, ``user``, ``assistant`` or ``tool``."""

    role: str
    content: str
    thinking: str = ""
    images: tuple[PromptImage, ...] = ()
    tool_calls: tuple[PromptCall, ...] = ()
    tool_call_id: str | None = None
    tool_name: str | None = None


class ToolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as it is offered to a model; ``parameters`` is a JSON Schema object."""

    name: str
    description: str
    parameters: dict[str, Any]


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is asked. ``think`` None leaves it to the server, and counts where ``parameters`` say otherwise.
    ``tools_wished``: they were asked for by name, so that somebody minds where they are not taken. ``whole``: a prompt
    that is too long is to be refused, not cut short by the server.
    ``response_format`` is asked for in words as well, by the messages.
    """

    model: str
    messages: tuple[PromptMessage, ...]
    tools: tuple[ToolSpec, ...] = ()
    tools_wished: bool = False
    think: bool | str | None = None
    parameters: Parameters = Parameters()
    whole: bool = False
    response_format: ResponseFormat | None = None


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A model that can be chosen. ``name`` is the server's own; people write ``provider/name``.

    ``context_length`` is how many tokens it reads at once as it is, or would be, loaded. ``cannot_think``: the server
    answers the wish with an error. ``thinking_levels`` are its words for how much, weakest first, None where they are
    not known; ``thinking_switch``: it can be told whether to. ``cannot_see``: images are not for it. ``no_word_for``
    names the parameters that its server has no setting for.
    """

    provider: str
    name: str
    capabilities: tuple[str, ...] = ()
    context_length: int | None = None
    size_bytes: int | None = None
    parameter_size: str | None = None
    loaded: bool | None = None
    demonstration: bool = False
    cannot_think: bool = False
    thinking_levels: tuple[str, ...] | None = None
    thinking_switch: bool = True
    cannot_see: bool = False
    no_word_for: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        return f"{self.provider}/{self.name}"


class Provider(Protocol):
    """A model server. One instance a configured server, shared by all runs; it owns its connections."""

    name: str
    kind: str

    def stream(self, request: ChatRequest) -> AsyncIterator[Sequence[Chunk]]:
        """Ask, and yield all chunks of each read at once; the last one is a Finish.

        Raises an UpstreamError in every other case: a stream that ends without its own end mark is a failure, however
        clean the socket's end was. Closing the iterator closes the connection, which is how a model is told to stop.
        """
        ...

    async def complete(self, request: ChatRequest) -> Sequence[Chunk]:
        """The same without streaming, for servers that refuse to stream: all chunks at once, a Finish last."""
        ...

    async def models(self) -> Sequence[ModelInfo]:
        """The models that can chat, with what they can do. Raises an UpstreamError where the server cannot be asked."""
        ...

    async def close(self) -> None: ...
