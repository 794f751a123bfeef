"""What form an answer is to have, in OpenAI's own shape: any text, any JSON object, or JSON of a schema. Pure.

``{"type": "json_schema", "json_schema": {"name": "person", "schema": {…}, "strict": true}}``
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from streaming.protocol.errors import ErrorObject, InvalidRequest
from streaming.protocol.json_schema import Unfit, check_schema

SchemaName = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[a-zA-Z0-9_-]+$")]
ENDED_EARLY = ErrorObject(code="ended_early", message="The answer ended before it was whole.")
_PATH = ("response_format", "json_schema", "schema")


class JsonSchema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``name`` and ``description`` are for the model; ``strict`` is passed on to a model server that knows it."""

    name: SchemaName
    schema: dict[str, Any]
    strict: bool | None = None
    description: Annotated[str, Meta(max_length=2_000)] | None = None


class ResponseFormat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    def __post_init__(self) -> None:
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise ValueError("json_schema stands beside the type of that name, and nowhere else")

    @property
    def schema(self) -> dict[str, Any] | None:
        return None if self.json_schema is None else self.json_schema.schema


class Structured(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an answer that was to have a form. ``valid`` is None until it has ended. ``repaired``: the model
    was asked a second time; ``error`` is what was wrong with its last answer that did not have the form.
    """

    valid: bool | None = None
    repaired: bool = False
    error: ErrorObject | None = None


def ended(outcome: Structured) -> Structured:
    """Of a run that ends: what was not found valid is not."""
    if outcome.valid is not None:
        return outcome
    return replace(outcome, valid=False, error=outcome.error or ENDED_EARLY)


def check(response_format: ResponseFormat | None) -> None:
    """Raises InvalidRequest that leads to the place where a schema is not taken. Not for the event loop: 0.1 s."""
    if response_format is None or response_format.schema is None:
        return
    try:
        check_schema(response_format.schema)
    except Unfit as unfit:
        place = ".".join(filter(None, (*_PATH, unfit.path)))
        raise InvalidRequest(f"{place}: {unfit}", details={"field": place}) from None


def to_store(response_format: ResponseFormat | None) -> dict[str, Any] | None:
    """As a row has it; None where any text will do."""
    if response_format is None or response_format.type == "text":
        return None
    stored: dict[str, Any] = msgspec.to_builtins(response_format)
    return stored


def stored(row: Any) -> ResponseFormat | None:
    """The inverse of ``to_store``."""
    return None if row is None else msgspec.convert(row, ResponseFormat)
