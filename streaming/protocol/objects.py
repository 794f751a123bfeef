"""The objects on the wire: one shape each, for REST, pages, admin timelines and events.

Times are RFC 3339 in UTC, ids are UUIDv7 strings, durations are milliseconds.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from streaming.protocol.errors import ErrorObject
from streaming.protocol.notices import Notice
from streaming.protocol.response_format import Structured

AttachmentKind = Literal["image", "pdf", "text"]
StepKind = Literal["reasoning", "tool_calls"]


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Token counts as the model server gave them; None where it said nothing. Never computed from nothing."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    queue_ms: int | None = None
    first_token_ms: int | None = None
    duration_ms: int | None = None
    tokens_per_second: float | None = None
    chunks: int | None = None


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a message. ``kind`` is image, pdf or text; a picture has its sides, a PDF its pages."""

    id: str
    name: str
    type: str
    size: int
    kind: AttachmentKind
    width: int | None = None
    height: int | None = None
    pages: int | None = None
    characters: int | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a waiting send will ask when its turn comes."""

    content: str
    attachments: list[Attachment] = []
    model: str = ""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    thread_id: str
    status: str
    lane: int = 0
    waiting: bool = False
    request: Request | None = None
    model: str = ""
    provider: str = ""
    attempt: int = 0
    user_message_id: str | None = None
    assistant_message_id: str | None = None
    created_at: str | None = None
    started_at: str | None = None
    first_token_at: str | None = None
    finished_at: str | None = None
    finish_reason: str | None = None
    reason: str | None = None
    error: ErrorObject | None = None
    usage: Usage | None = None
    timing: Timing | None = None
    notices: list[Notice] = []
    structured: Structured | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A reasoning step's text is its ``details``; a tool step has ``name``, ``arguments`` and ``output``."""

    id: str
    index: int
    step: StepKind
    status: str
    title: str = ""
    name: str | None = None
    arguments: dict[str, Any] | None = None
    output: str | None = None
    output_cut: bool = False
    details: str | None = None
    error: ErrorObject | None = None
    started_at: str | None = None
    finished_at: str | None = None
    duration_ms: int | None = None


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """What a parked run asks a person: may this tool run with exactly these arguments?"""

    approval_id: str
    step_id: str
    tool: str
    arguments: dict[str, Any]
    expires_at: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """``parts`` is the order of text and steps: ``{"text": [start, end]}`` in code points, or ``{"step_id": id}``.
    ``follow_ups`` and ``versions`` stand only in the list of a thread's messages: those are thought of when the run is
    over, and these are the ids of all that was said in this place, the oldest first, this one among them.

    ``content`` is None only in a snapshot that would be too long with it; then its length in code points and the hash
    of its UTF-8 stand there instead, and REST has the text.
    """

    id: str
    thread_id: str
    parent_id: str | None = None
    role: Literal["user", "assistant"]
    status: str
    content: str | None = ""
    parts: list[dict[str, Any]] = []
    thinking: str = ""
    model: str = ""
    run_id: str | None = None
    attachments: list[Attachment] = []
    created_at: str | None = None
    finished_at: str | None = None
    follow_ups: list[str] | UnsetType = UNSET
    versions: list[str] | UnsetType = UNSET
    content_length: int | UnsetType = UNSET
    sha256: str | UnsetType = UNSET

    @property
    def text(self) -> str:
        """The content of a message that is whole. Raises ValueError where it was left out."""
        if self.content is None:
            raise ValueError("the content of this message was left out")
        return self.content


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    title: str
    title_by: str
    model: str
    system_prompt: str
    parameters: dict[str, Any]
    folder: str | None
    tags: list[str]
    pinned: bool
    archived: bool
    head: str | None
    active_runs: list[str]
    waiting_runs: list[str]
    created_at: str
    updated_at: str
