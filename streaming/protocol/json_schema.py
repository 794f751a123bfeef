"""JSON Schemas from strangers: which of them are taken, and whether a value fits one, within a bound. Pure.

jsonschema knows the rules. Left to itself it would fetch what ``$ref`` names, match ``pattern`` with an engine that may
take for ever, and follow alternatives of alternatives to the end of time. So references stay within the schema,
patterns are matched in linear time (RE2), and every step is paid for.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import lru_cache, partial
from itertools import islice
from typing import Any

import msgspec
import re2
from jsonschema import Draft7Validator, Draft201909Validator, Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend
from jsonschema_specifications import REGISTRY as SPECIFICATIONS
from referencing import Registry
from referencing.jsonschema import specification_with

Schema = dict[str, Any]

MAX_SCHEMA = 32 * 1024  # bytes of JSON: a form of a thousand fields; more is told to no model
# What checking a value may cost, in steps of some microseconds: about a second, for a million bytes of plain JSON.
MAX_STEPS = 200_000
FOLLOWING = 3  # of them for a reference, which is looked up each time
FINDING = 2  # of them for an error
PATTERN_MEMORY = 256 * 1024  # bytes for one compiled pattern; RE2 refuses what takes more
MAX_ERRORS = 20  # are looked at, to tell the most telling one
MAX_TOLD = 300  # characters of what is said about a value

_DIALECTS = {
    "http://json-schema.org/draft-07/schema": Draft7Validator,
    "https://json-schema.org/draft/2019-09/schema": Draft201909Validator,
    "https://json-schema.org/draft/2020-12/schema": Draft202012Validator,
}
# The first few make a name mean something else in the middle of a schema; the others match patterns on their own, or
# look at a value once for every way to look at it.
NOT_TAKEN = frozenset(
    {"$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef", "$vocabulary"}
    | {"patternProperties", "unevaluatedItems", "unevaluatedProperties"}
)
# Where further schemas stand: as the keyword's value, in a list or a mapping of it.
_HOLDS_ONE = (
    *("additionalItems", "additionalProperties", "contains", "items", "propertyNames"),
    *("if", "then", "else", "not"),
)
_HOLDS_LIST = ("allOf", "anyOf", "items", "oneOf", "prefixItems")
_HOLDS_MAP = ("$defs", "definitions", "dependencies", "dependentSchemas", "properties")


_REFERS = frozenset({"$ref", "$dynamicRef"})
_TOO_DEEP = "This schema is nested too deeply, or takes too long to be checked."


class Unfit(ValueError):
    """This schema is not taken. ``path`` leads to the place, with dots; the sentence says why."""

    def __init__(self, sentence: str, path: Iterable[str | int] = ()) -> None:
        super().__init__(sentence)
        self.path = ".".join(map(str, path))


class TooMuch(Exception):
    """To check this value against this schema would take too long."""


class Mismatch(msgspec.Struct, frozen=True, kw_only=True):
    """A value is not what a schema wants: ``at`` is where in it, from ``$`` on, and ``message`` why."""

    at: str
    message: str


def check_schema(schema: Schema) -> None:
    """Raises Unfit for what is no JSON Schema, or is one that is not taken. Takes a tenth of a second for what people
    write, and no more than ``mismatch`` for what was made to take long: not for the event loop.
    """
    try:
        size, found = len(json.dumps(schema)), dict(_schemas(schema, ()))
    except RecursionError:
        raise Unfit(_TOO_DEEP) from None
    if size > MAX_SCHEMA:
        raise Unfit(f"A schema has at most {MAX_SCHEMA} bytes as JSON.")
    dialect = _dialect(schema)
    places = {"#" + "".join(f"/{_escaped(part)}" for part in path) for path in found}
    for path, each in found.items():
        _refuse_keywords(each, path)
        if "$ref" in each:
            _check_reference(each["$ref"], path, places)
        if "pattern" in each:
            _check_pattern(each["pattern"], path)
    try:
        errors = _errors(schema, _plain(dialect.META_SCHEMA), dialect, steps=MAX_STEPS, registry=_meta_schemas())
    except TooMuch:
        raise Unfit(_TOO_DEEP) from None
    if fault := best_match(errors):
        raise Unfit(f"This is not a JSON Schema: {_told(fault)}.", fault.absolute_path)


def mismatch(value: Any, schema: Schema, *, steps: int = MAX_STEPS) -> Mismatch | None:
    """Why ``value`` does not fit ``schema``, which ``check_schema`` has taken; None where it does.

    Raises TooMuch where that takes more than ``steps``, a second or two: not for the event loop.
    """
    worst = best_match(_errors(value, schema, _dialect(schema), steps=steps, registry=Registry()))
    return None if worst is None else Mismatch(at=worst.json_path[:MAX_TOLD], message=_told(worst))


def _errors(value: Any, schema: Schema, dialect: Any, *, steps: int, registry: Any) -> list[ValidationError]:
    """The first of what is wrong with ``value``. Raises TooMuch."""
    purse = _Purse(steps)
    ruled = {**dialect.VALIDATORS, "pattern": _pattern, "uniqueItems": partial(_unique_items, purse)}
    checker = extend(
        dialect, {name: _paid(rule, purse, price=FOLLOWING if name in _REFERS else 1) for name, rule in ruled.items()}
    )
    try:
        return list(islice(checker(schema, registry=registry).iter_errors(value), MAX_ERRORS))
    except (RecursionError, ArithmeticError):  # the latter of numbers of hundreds of digits
        raise TooMuch from None


@lru_cache(maxsize=1)
def _meta_schemas() -> Any:
    """What the dialects' own schemas refer to."""
    contents = ((uri, SPECIFICATIONS.contents(uri)) for uri in SPECIFICATIONS)
    return Registry().with_resources(
        (uri, specification_with(schema["$schema"]).create_resource(_plain(schema))) for uri, schema in contents
    )


def _plain(schema: Schema) -> Schema:
    """Where one names its dialect, the library takes its own checker for it, which is not paid for."""
    return {name: value for name, value in schema.items() if name != "$schema"}


class _Purse:
    def __init__(self, steps: int) -> None:
        self._left = steps

    def pay(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise TooMuch


Rule = Callable[[Any, Any, Any, Any], Iterable[ValidationError] | None]


def _paid(rule: Rule, purse: _Purse, *, price: int) -> Rule:
    """``rule``, paid for by what it has to look at: names and alternatives of the schema one by one, of the value a
    sixteenth. An error is paid for by its length, for it repeats what is wrong.
    """

    def paying(checker: Any, wanted: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        listed = len(wanted) if isinstance(wanted, list | dict) else 0
        purse.pay(price + listed + (len(value) >> 4 if isinstance(value, str | list | dict) else 0))
        for error in rule(checker, wanted, value, schema) or ():
            purse.pay(FINDING + (len(error.message) >> 4))
            yield error

    return paying


def _pattern(checker: Any, pattern: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _compiled(pattern).search(value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _unique_items(purse: _Purse, checker: Any, wanted: bool, value: Any, schema: Any) -> Iterator[ValidationError]:
    """In one pass, where the library compares each with each."""
    if wanted and isinstance(value, list) and len({_same(item, purse) for item in value}) < len(value):
        yield ValidationError("it has non-unique elements")


def _same(value: Any, purse: _Purse) -> Any:
    """Equal for what JSON Schema calls equal: 1 and 1.0, but not 1 and true. Numbers become texts: those of a stranger
    can be chosen so that they all hash alike, and then a set compares each with each.
    """
    match value:
        case bool() | None:
            return (type(value), value)
        case int():
            return (int, hex(value))
        case float():
            return (int, hex(int(value))) if value.is_integer() else (float, value.hex())
        case list():
            purse.pay(1 + (len(value) >> 2))
            return (list, tuple(_same(inner, purse) for inner in value))
        case dict():
            purse.pay(1 + (len(value) >> 2))
            return (dict, frozenset((name, _same(inner, purse)) for name, inner in value.items()))
    return value


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_MEMORY
    return re2.compile(pattern, options)


def _dialect(schema: Schema) -> Any:
    named = schema.get("$schema")
    if named is None:
        return Draft202012Validator
    dialect = _DIALECTS.get(named.removesuffix("#")) if isinstance(named, str) else None
    if dialect is None:
        raise Unfit(f"Known are {', '.join(_DIALECTS)}.", ("$schema",))
    return dialect


def _schemas(schema: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Schema]]:
    """The schema and all that stand in it, with their places."""
    if not isinstance(schema, dict):  # true, false, or what the meta-schema will refuse
        return
    yield path, schema
    for name in _HOLDS_ONE:
        yield from _schemas(schema.get(name), (*path, name))
    for name in _HOLDS_LIST:
        if isinstance(held := schema.get(name), list):
            for index, inner in enumerate(held):
                yield from _schemas(inner, (*path, name, index))
    for name in _HOLDS_MAP:
        if isinstance(held := schema.get(name), dict):
            for key, inner in held.items():
                yield from _schemas(inner, (*path, name, key))


def _refuse_keywords(schema: Schema, path: tuple[str | int, ...]) -> None:
    if refused := sorted(NOT_TAKEN & schema.keys()):
        raise Unfit(f"{refused[0]} is not taken here.", (*path, refused[0]))
    if path and "$schema" in schema:
        raise Unfit("$schema belongs to the whole schema.", (*path, "$schema"))


def _check_reference(reference: Any, path: tuple[str | int, ...], places: Collection[str]) -> None:
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise Unfit("A $ref leads to a place in this schema (#/$defs/name); nothing is fetched.", (*path, "$ref"))
    if reference not in places:
        raise Unfit(f"No schema stands at {reference[:MAX_TOLD]}.", (*path, "$ref"))


def _escaped(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _check_pattern(pattern: Any, path: tuple[str | int, ...]) -> None:
    if not isinstance(pattern, str):
        raise Unfit("A pattern is a text.", (*path, "pattern"))
    try:
        _compiled(pattern)
    except re2.error as fault:
        why = fault.args[0].decode(errors="replace") if fault.args and isinstance(fault.args[0], bytes) else "too large"
        raise Unfit(
            f"This pattern is not taken ({why[:100]}). Patterns are those of RE2: no look-around, no back-references.",
            (*path, "pattern"),
        ) from None


def _told(fault: ValidationError) -> str:
    message = str(fault.message)
    return message if len(message) <= MAX_TOLD else f"{message[: MAX_TOLD - 1]}…"
