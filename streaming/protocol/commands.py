"""What clients may ask for: the bodies of HTTP calls and the data of socket frames, checked in one place."""

import hashlib
import json
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from streaming.protocol.errors import InvalidRequest, UnknownField
from streaming.protocol.parameters import Parameters, unknown_names
from streaming.protocol.response_format import ResponseFormat
from streaming.protocol.text import clean

MAX_CONTENT = 400_000  # characters: beyond any model's window worth paying for, well under the body limit
# Of JSON text in ASCII, where a character takes up to twelve: so that no event of it, and no snapshot, is over 4 MiB.
MAX_CONTENT_BYTES = 2_500_000
MAX_PARAMETERS = 8_192  # bytes of JSON: generous for a dozen numbers and a few stop words
MAX_TAGS = 20
MAX_ATTACHMENTS = 10  # of one message: more is a library, and no model reads it through at once
MAX_LANES = 4  # answers side by side: more fit on no screen, and each is a generation of its own

Content = Annotated[str, Meta(min_length=1, max_length=MAX_CONTENT)]
ModelName = Annotated[str, Meta(max_length=200)]
NamedModel = Annotated[str, Meta(min_length=1, max_length=200)]
Id = Annotated[str, Meta(max_length=64)]
Key = Annotated[str, Meta(min_length=1, max_length=200)]
ToolName = Annotated[str, Meta(max_length=100)]
Title = Annotated[str, Meta(max_length=200)]
SystemPrompt = Annotated[str, Meta(max_length=32_000)]
Note = Annotated[str, Meta(max_length=2_000)]
Tag = Annotated[str, Meta(min_length=1, max_length=50)]
Tags = Annotated[list[Tag], Meta(max_length=MAX_TAGS)]


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """Send a message; or make a new branch beside an old answer (``regenerate``) or question (``edit``); or go on with
    an answer that ended early (``continue``). Each of ``models`` gives an answer of its own to the one question. An
    empty ``system_prompt`` is none; without one the thread's counts.
    """

    content: Content | None = None
    model: ModelName | None = None
    models: Annotated[list[NamedModel], Meta(min_length=2, max_length=MAX_LANES)] | None = None
    parent_id: Id | None = None
    expected_head: Id | None = None
    regenerate: Id | None = None
    edit: Id | None = None
    go_on: Id | None = msgspec.field(name="continue", default=None)
    if_busy: Literal["reject", "enqueue", "interrupt"] = "reject"
    attachments: Annotated[list[Id], Meta(max_length=MAX_ATTACHMENTS)] = []
    tools: Annotated[list[ToolName], Meta(max_length=100)] | None = None
    system_prompt: SystemPrompt | None = None
    parameters: dict[str, Any] = {}
    response_format: ResponseFormat | None = None

    def __post_init__(self) -> None:
        if self.regenerate and (self.content or self.edit or self.parent_id or self.go_on):
            raise ValueError("regenerate stands alone: it asks the old question again")
        if self.go_on and (self.content or self.edit or self.parent_id or self.models):
            raise ValueError("continue stands alone: it goes on with the old answer")
        if self.go_on and self.response_format:
            raise ValueError("continue and response_format exclude each other: an answer goes on in the form it has")
        if self.attachments and (self.regenerate or self.go_on):
            raise ValueError("attachments belong to a new question")
        if self.edit and self.parent_id:
            raise ValueError("edit and parent_id exclude each other")
        if self.model and self.models:
            raise ValueError("model and models exclude each other")
        if self.if_busy == "enqueue" and (
            self.regenerate or self.edit or self.go_on or self.parent_id or self.models is not None
        ):
            raise ValueError(
                "only a plain question can wait: with if_busy enqueue go neither regenerate, edit, continue, parent_id "
                "nor models"
            )
        if not self.regenerate and not self.go_on and not (self.content and self.content.strip()):
            raise ValueError("content is required and must not be blank")
        _check_size(self.content or "", "content")
        _check_parameters(self.parameters)


class WaitingChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What may be changed of a send that waits."""

    content: Content

    def __post_init__(self) -> None:
        if not self.content.strip():
            raise ValueError("content must not be blank")
        _check_size(self.content, "content")


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """The short way in."""

    message: Content
    thread_id: Id | None = None
    model: ModelName | None = None

    def __post_init__(self) -> None:
        if not self.message.strip():
            raise ValueError("message must not be blank")
        _check_size(self.message, "message")


class NewThread(msgspec.Struct, frozen=True, kw_only=True):
    title: Title = ""
    model: ModelName = ""
    system_prompt: SystemPrompt = ""
    parameters: dict[str, Any] = {}

    def __post_init__(self) -> None:
        _check_parameters(self.parameters)


class ThreadChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may change of a thread; what is not named stays as it is.

    ``head``: a message. The branch that is shown from now on is the one in which something was said last upon it.
    """

    title: Title | UnsetType = UNSET
    model: ModelName | UnsetType = UNSET
    system_prompt: SystemPrompt | UnsetType = UNSET
    parameters: dict[str, Any] | UnsetType = UNSET
    pinned: bool | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    head: Id | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.parameters is not UNSET:
            _check_parameters(self.parameters)


class Auth(msgspec.Struct, frozen=True, kw_only=True):
    token: Annotated[str, Meta(max_length=500)]


class SocketSend(Send, frozen=True, kw_only=True):
    thread_id: Id
    idempotency_key: Key | None = None
    subscribe: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.idempotency_key is not None and not self.idempotency_key.isprintable():
            raise ValueError("an idempotency key is 1 to 200 printable characters")


class SubscriptionKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is followed: a run, or the user's feed."""

    run_id: Id | None = None
    feed: bool = False

    def __post_init__(self) -> None:
        if (self.run_id is None) != self.feed:
            raise ValueError("name a run_id, or feed: true")


class Subscribe(SubscriptionKey, frozen=True, kw_only=True):
    after: Annotated[int, Meta(ge=0)] = 0
    snapshot: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.feed and self.snapshot is not None:
            raise ValueError("the feed has no snapshot: read the list of threads")


class RunKey(msgspec.Struct, frozen=True, kw_only=True):
    """``run.cancel``."""

    run_id: Id


class FlowAck(msgspec.Struct, frozen=True, kw_only=True):
    """The client has applied the run's events up to ``id``."""

    run_id: Id
    id: Annotated[int, Meta(ge=0)]


class Decide(msgspec.Struct, frozen=True, kw_only=True):
    """``arguments``: approve these instead of those that were asked about."""

    decision: Literal["approve", "deny"]
    arguments: dict[str, Any] | None = None
    note: Note = ""

    def __post_init__(self) -> None:
        if self.decision == "deny" and self.arguments is not None:
            raise ValueError("arguments belong to approve")


class SocketDecide(Decide, frozen=True, kw_only=True):
    run_id: Id
    approval_id: Id


class Ping(msgspec.Struct, frozen=True, kw_only=True):
    t: Any = None


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a call that takes none."""


Command = TypeVar("Command", bound=msgspec.Struct)


def parse(body: Any, kind: type[Command]) -> Command:
    """``body`` as a ``kind``, all its text cleaned.

    Raises UnknownField with all the names that ``kind`` does not know, or InvalidRequest saying what is wrong where.
    """
    if not isinstance(body, dict):
        raise InvalidRequest("Send one JSON object.")
    if unknown := _unknown(body, kind):
        raise UnknownField(details={"fields": unknown[:20]})
    try:
        return msgspec.convert(_cleaned(body), kind)
    except msgspec.ValidationError as fault:
        sentence, _, path = str(fault).partition(" - at ")
        where = path.strip("`").removeprefix("$.") if path else ""
        raise InvalidRequest(
            f"{where}: {sentence}" if where else sentence, details={"field": where} if where else None
        ) from fault


def body_hash(body: Any, *, scope: str) -> str:
    """A hash of what a request means, for its idempotency key: canonical JSON, without transport fields."""
    meaning = {name: value for name, value in body.items() if name not in ("idempotency_key", "subscribe", "thread_id")}
    canonical = json.dumps([scope, meaning], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def json_size(text: str) -> int:
    """How many bytes a text is on the wire, as JSON in ASCII."""
    return len(json.dumps(text))


def _check_size(text: str, field: str) -> None:
    if 12 * len(text) > MAX_CONTENT_BYTES and json_size(text) > MAX_CONTENT_BYTES:
        raise ValueError(f"{field} is larger than {MAX_CONTENT_BYTES} bytes of JSON in ASCII")


def _check_parameters(parameters: dict[str, Any]) -> None:
    if len(json.dumps(parameters)) > MAX_PARAMETERS:
        raise ValueError(f"parameters is larger than {MAX_PARAMETERS} bytes of JSON")
    try:
        msgspec.convert(parameters, Parameters)
    except msgspec.ValidationError as fault:
        raise ValueError(str(fault).replace(" - at `$", " - at `$.parameters")) from fault


def _unknown(body: dict[str, Any], kind: type[msgspec.Struct]) -> list[str]:
    known = kind.__struct_encode_fields__
    names = [str(name) for name in body if name not in known]
    if "parameters" in known and isinstance(parameters := body.get("parameters"), dict):
        names += [f"parameters.{name}" for name in unknown_names(parameters)]
    return sorted(name[:100] for name in names)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {clean(name): _cleaned(item) for name, item in value.items()}
    return value
