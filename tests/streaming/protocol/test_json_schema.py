"""Schemas from strangers: which are taken, what fits them, and that neither takes long."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from streaming.protocol.json_schema import MAX_SCHEMA, TooMuch, Unfit, check_schema, mismatch

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Z]"},
        "age": {"type": "integer", "minimum": 0},
        "friends": {"type": "array", "items": {"$ref": "#"}, "uniqueItems": True},
    },
    "required": ["name"],
    "additionalProperties": False,
}
# Long enough for a busy machine; what it guards against takes hours.
SOON = 20.0


def doubling(levels: int) -> dict[str, Any]:
    """A few hundred bytes that mean two to the power of ``levels`` questions."""
    defs: dict[str, Any] = {f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": {**defs, f"d{levels}": {"type": "string"}}}


@pytest.mark.parametrize(
    "schema",
    [
        PERSON,
        {},
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "definitions": {"a": True}},
        {"$defs": {"a/b": {"type": "null"}}, "items": {"$ref": "#/$defs/a~1b"}},
        {"properties": {"$id": {"type": "string"}, "patternProperties": {"const": {"$ref": "http://example.com"}}}},
        {"type": "string", "pattern": "(a+)+$"},
        doubling(40),
    ],
)
def test_these_are_taken(schema: dict[str, Any]) -> None:
    check_schema(schema)


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "strin"}, "type"),
        ({"properties": {"a": 3}}, "properties.a"),
        ({"properties": []}, "properties"),
        ({"anyOf": [{}, {"$ref": "https://example.com/schema"}]}, "anyOf.1.$ref"),
        ({"$ref": "other.json#/a"}, "$ref"),
        ({"$ref": "#/$defs/none"}, "$ref"),
        ({"$ref": "#/x", "x": {"pattern": "(?=a)"}}, "$ref"),
        ({"$ref": 3}, "$ref"),
        ({"properties": {"a": {"pattern": "(?=a)b"}}}, "properties.a.pattern"),
        ({"pattern": r"(a)\1"}, "pattern"),
        ({"pattern": "a{1000}" * 300}, "pattern"),
        ({"pattern": "["}, "pattern"),
        ({"pattern": 1}, "pattern"),
        ({"items": {"$id": "http://example.com/"}}, "items.$id"),
        ({"not": {"patternProperties": {"^a": {}}}}, "not.patternProperties"),
        ({"unevaluatedProperties": False}, "unevaluatedProperties"),
        ({"$schema": "http://example.com/mine"}, "$schema"),
        ({"items": {"$schema": "https://json-schema.org/draft/2020-12/schema"}}, "items.$schema"),
        ({"description": "x" * MAX_SCHEMA}, ""),
    ],
)
def test_these_are_not_and_the_place_is_told(schema: dict[str, Any], path: str) -> None:
    with pytest.raises(Unfit) as refused:
        check_schema(schema)
    assert refused.value.path == path


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ({"name": "Ada", "age": 36, "friends": [{"name": "Bob"}]}, None),
        ({"age": 36}, "$"),
        ({"name": "ada"}, "$.name"),
        ({"name": "Ada", "age": "36"}, "$.age"),
        ({"name": "Ada", "age": True}, "$.age"),
        ({"name": "Ada", "more": 1}, "$"),
        ({"name": "Ada", "friends": [{"name": "Bob"}, {"name": 1}]}, "$.friends[1].name"),
        ({"name": "Ada", "friends": [{"name": "Bob"}, {"name": "Bob"}]}, "$.friends"),
    ],
)
def test_a_value_fits_or_the_place_is_told(value: Any, at: str | None) -> None:
    found = mismatch(value, PERSON)
    assert (found and found.at) == at


@pytest.mark.parametrize(
    ("items", "unique"),
    [([1, True], True), ([1, 1.0], False), ([[1, {"a": 2}], [1, {"a": 2}]], False), ([{"a": 1}, {"a": 2}], True)],
)
def test_the_same_is_what_json_schema_calls_the_same(items: list[Any], unique: bool) -> None:
    assert (mismatch(items, {"uniqueItems": True}) is None) == unique


def test_a_long_value_is_not_repeated_in_the_sentence() -> None:
    found = mismatch("x" * 100_000, {"type": "integer"})
    assert found is not None
    assert len(found.message) <= 300


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (doubling(40), 1),
        (doubling(40), "a" * 900_000),
        (doubling(40), [1] * 400_000),
        ({"$ref": "#"}, 1),
        ({"contains": {"anyOf": [{"const": n} for n in range(1500)]}}, [-1] * 100_000),
        ({"multipleOf": 0.1}, 10**400),
    ],
    ids=["alternatives", "of a long text", "of a long list", "a circle", "a product", "a long number"],
)
def test_what_would_take_for_ever_is_given_up(schema: dict[str, Any], value: Any) -> None:
    check_schema(schema)
    begun = time.monotonic()
    with pytest.raises(TooMuch):
        mismatch(value, schema, steps=20_000)
    assert time.monotonic() - begun < SOON


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 100_000 + "!"),
        ({"uniqueItems": True}, [{"n": n} for n in range(30_000)] + [{"n": 1}]),
        ({"items": {"enum": list(range(5000))}}, ["a"] * 100_000),
    ],
    ids=["pattern", "unique", "enum"],
)
def test_what_is_known_to_take_for_ever_elsewhere_does_not_here(schema: dict[str, Any], value: Any) -> None:
    check_schema(schema)
    begun = time.monotonic()
    assert mismatch(value, schema) is not None
    assert time.monotonic() - begun < SOON


MIXED = [each for number in range(2300) for each in (number, str(number))]  # unsortable: compared in pairs
DEEP: dict[str, Any] = {}
for _ in range(3000):
    DEEP = {"not": DEEP}


@pytest.mark.parametrize("schema", [{"type": MIXED}, {"anyOf": [{"type": MIXED[:1000]}, {"type": MIXED[:1000]}]}, DEEP])
def test_a_schema_is_looked_at_within_a_bound_too(schema: dict[str, Any]) -> None:
    """It is checked in a thread, which all others wait for as well: what is left to the library takes seconds here."""
    begun = time.process_time()
    with pytest.raises(Unfit):
        check_schema(schema)
    assert time.process_time() - begun < 1.0


def test_what_hashes_alike_and_lists_in_lists_are_told_apart_within_a_bound() -> None:
    alike = [(2**61 - 1) * number for number in range(20_000)]
    begun = time.process_time()
    assert mismatch(alike, {"uniqueItems": True}) is None
    assert mismatch([*alike, float(0)], {"uniqueItems": True}) is not None
    with pytest.raises(TooMuch):
        mismatch([[0] * 300] * 20_000, {"uniqueItems": True})
    assert time.process_time() - begun < 3.0


def test_the_bound_is_there_unless_another_is_named() -> None:
    with pytest.raises(TooMuch):
        mismatch(1, doubling(40))


def test_a_million_bytes_of_plain_json_can_be_checked() -> None:
    rows = [{"id": n, "name": f"a name of some length, number {n}"} for n in range(15_000)]
    row = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}, "required": ["id"]}
    assert len(json.dumps(rows)) > 800_000
    assert mismatch(rows, {"type": "array", "items": row}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
TYPES = st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])
SCHEMAS = st.recursive(
    st.fixed_dictionaries({}, optional={"type": TYPES, "enum": st.lists(JSON, min_size=1, max_size=3)})
    | st.fixed_dictionaries({"minLength": st.integers(0, 3), "pattern": st.sampled_from(["^a", "b$", "ab+"])})
    | st.booleans(),
    lambda inner: (
        st.fixed_dictionaries({"items": inner, "uniqueItems": st.booleans()})
        | st.fixed_dictionaries({"properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3)})
        | st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"not": inner})
    ),
    max_leaves=8,
).filter(lambda schema: isinstance(schema, dict))


@settings(max_examples=60, deadline=None)
@given(schema=SCHEMAS, value=JSON)
def test_the_verdict_is_the_library_s_own(schema: dict[str, Any], value: Any) -> None:
    check_schema(schema)
    assert (mismatch(value, schema) is None) == Draft202012Validator(schema).is_valid(value)
