"""The form that an answer is to have: in OpenAI's own shape, and refused where it cannot be."""

from typing import Any

import pytest
from openai.lib._parsing._completions import type_to_response_format_param
from pydantic import BaseModel, Field

from streaming.protocol.commands import Send, parse
from streaming.protocol.errors import ErrorObject, InvalidRequest
from streaming.protocol.response_format import ENDED_EARLY, ResponseFormat, Structured, check, ended, stored, to_store

SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}


class Friend(BaseModel):
    name: str = Field(pattern="^[A-Z]")


class Person(BaseModel):
    name: str
    age: int | None
    friends: list[Friend]


def asked(wish: Any, **more: Any) -> Send:
    return parse({"content": "Who?", "response_format": wish, **more}, Send)


def test_what_openai_s_own_library_makes_of_a_class_is_taken_and_kept_as_it_is() -> None:
    wish = type_to_response_format_param(Person)
    format = asked(wish).response_format
    check(format)
    assert to_store(format) == wish
    assert stored(to_store(format)) == format


@pytest.mark.parametrize("wish", [None, {"type": "text"}])
def test_any_text_is_no_form(wish: Any) -> None:
    assert to_store(asked(wish).response_format) is None


def test_an_object_needs_no_schema() -> None:
    assert to_store(asked({"type": "json_object"}).response_format) == {"type": "json_object"}


@pytest.mark.parametrize(
    "wish",
    [
        "json",
        {"type": "xml"},
        {"type": "json_schema"},
        {"type": "json_object", "json_schema": {"name": "a", "schema": SCHEMA}},
        {"type": "json_schema", "json_schema": {"schema": SCHEMA}},
        {"type": "json_schema", "json_schema": {"name": "a"}},
        {"type": "json_schema", "json_schema": {"name": "a b", "schema": SCHEMA}},
        {"type": "json_schema", "json_schema": {"name": "a" * 65, "schema": SCHEMA}},
        {"type": "json_schema", "json_schema": {"name": "a", "schema": True}},
        {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "strict": "yes"}},
        {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "more": 1}},
        {"type": "json_object", "more": 1},
    ],
)
def test_another_shape_is_refused_and_the_field_named(wish: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        asked(wish)
    assert refused.value.details is not None
    assert refused.value.details["field"].startswith("response_format")


def test_what_is_gone_on_with_keeps_its_form() -> None:
    with pytest.raises(InvalidRequest, match="exclude each other"):
        parse({"continue": "id", "response_format": {"type": "json_object"}}, Send)


def test_a_schema_that_is_not_taken_is_refused_with_its_place() -> None:
    schema = {"properties": {"a": {"pattern": "(?!a)"}}}
    format = asked({"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}).response_format
    with pytest.raises(InvalidRequest) as refused:
        check(format)
    assert refused.value.details == {"field": "response_format.json_schema.schema.properties.a.pattern"}


def test_nothing_is_known_of_an_answer_that_has_not_ended() -> None:
    assert Structured() == Structured(valid=None, repaired=False, error=None)
    assert ResponseFormat(type="json_object").schema is None


BAD = ErrorObject(code="not_json", message="No.")


@pytest.mark.parametrize(
    ("outcome", "end"),
    [
        (Structured(), Structured(valid=False, error=ENDED_EARLY)),
        (Structured(repaired=True, error=BAD), Structured(valid=False, repaired=True, error=BAD)),
        (Structured(valid=True), Structured(valid=True)),
    ],
)
def test_what_was_not_found_valid_by_the_end_is_not(outcome: Structured, end: Structured) -> None:
    assert ended(outcome) == end
