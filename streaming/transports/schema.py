"""The protocol as a JSON Schema, made from the very structs that are written and read. Pure.

``$defs`` has every object, the data of every event, and the envelopes: ``Event``, ``FeedEvent``, ``ServerFrame``,
``ClientFrame``, ``Error``. The document itself is an event of a run, as it stands on a ``data:`` line.
"""

from typing import Any

import msgspec

from streaming.protocol import commands, objects, pulls
from streaming.protocol.errors import ErrorObject
from streaming.protocol.events import EVENTS, HINTS, ErrorEvent
from streaming.protocol.feed import RECORDED, RESET
from streaming.transports.session import COMMANDS, MAX_REQ, PROTOCOL

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}
_ID: Schema = {"type": "integer", "minimum": 1}
_REQ: Schema = {"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": MAX_REQ}, {"type": "null"}]}
_BODIES = {
    "Send": commands.Send,
    "Chat": commands.Chat,
    "NewThread": commands.NewThread,
    "WaitingChanges": commands.WaitingChanges,
    "NewPull": pulls.NewPull,
    "LoadModel": pulls.LoadModel,
    "UnloadModel": pulls.UnloadModel,
}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


_OF_THE_FEED: dict[str, Schema] = {
    "thread": _ref("Thread"),
    "thread_id": _TEXT,
    "message_id": _TEXT,
    "follow_ups": {"type": "array", "items": _TEXT},
    "run": _ref("Run"),
    "waiting": {"type": "array", "items": _ref("Run")},
}


def protocol_schema() -> Schema:
    """The whole document."""
    definitions = {**_written(), **_read()}
    definitions["Event"] = {"anyOf": [_event(event.name, event.__name__) for event in EVENTS]}
    definitions["FeedEvent"] = {"anyOf": [*(_feed_event(name) for name in RECORDED), _reset()]}
    definitions["ClientFrame"] = {"anyOf": [_frame(name, kind.__name__) for name, kind in COMMANDS.items()]}
    definitions["ServerFrame"] = {"anyOf": [_ref("Event"), _ref("FeedEvent"), _ready(), *_replies()]}
    definitions["Error"] = _object({"error": _ref("ErrorObject")})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": PROTOCOL,
        "description": "An event of a run. The other messages of the protocol stand under $defs.",
        **_ref("Event"),
        "$defs": dict(sorted(definitions.items())),
    }


def _written() -> dict[str, Schema]:
    """What the server writes: every field is there, but those that an event leaves out where it has nothing to say."""
    _, found = msgspec.json.schema_components(
        [*EVENTS, objects.Thread, pulls.ModelPull, ErrorObject], ref_template="#/$defs/{name}"
    )
    for schema in found.values():
        properties = schema["properties"]
        optional_in_python = {name for name, field in properties.items() if "default" in field}
        schema["required"] = [name for name in properties if name in {*schema.get("required", ()), *optional_in_python}]
        for field in properties.values():
            field.pop("default", None)
    return found


def _read() -> dict[str, Schema]:
    """What the server takes: a field that it does not know is refused."""
    kinds = {**_BODIES, **{kind.__name__: kind for kind in COMMANDS.values()}}
    _, found = msgspec.json.schema_components(list(kinds.values()), ref_template="#/$defs/{name}")
    for schema in found.values():
        schema["additionalProperties"] = False
    return found


def _object(properties: dict[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _event(name: str, struct: str) -> Schema:
    """``error`` has no number where it speaks of a connection instead of a run; hints never have one."""
    named: dict[str, Schema] = {"event": {"const": name}}
    if name in HINTS:
        return {**_object({**named, "data": _ref(struct)}), "not": {"required": ["id"]}}
    return _object({**named, "id": _ID, "data": _ref(struct)}, optional=("id",) if name == ErrorEvent.name else ())


def _feed_event(name: str) -> Schema:
    data = {field: _OF_THE_FEED[field] for field in sorted(RECORDED[name])}
    return _object({"event": {"const": name}, "feed": _ID, "data": _object(data)})


def _reset() -> Schema:
    number: Schema = {"type": "integer", "minimum": 0}
    data = _object({"head": number, "reason": {"enum": ["cursor_ahead", "feed_pruned"]}})
    return _object({"event": {"const": RESET}, "feed": number, "data": data})


def _frame(name: str, struct: str) -> Schema:
    frame = _object({"event": {"const": name}, "req": _REQ, "data": _ref(struct)}, optional=("req", "data"))
    return {**frame, "additionalProperties": False}


def _reply(name: str, data: Schema) -> Schema:
    return {**_object({"event": {"const": name}, "req": _REQ, "data": data}), "not": {"required": ["id"]}}


def _replies() -> list[Schema]:
    heads: Schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    pong = _object({"t": {}, "server_time": _TEXT, "heads": heads})
    return [_reply("ack", {"type": "object"}), _reply("error", _ref("ErrorObject")), _reply("pong", pong)]


def _ready() -> Schema:
    number: Schema = {"type": "number"}
    data = {
        "protocol": {"const": PROTOCOL},
        "session_id": _TEXT,
        "user_id": _TEXT,
        "heartbeat_s": number,
        "max_frame": number,
        "max_subscriptions": number,
    }
    return _object({"event": {"const": "session.ready"}, "data": _object(data)})
