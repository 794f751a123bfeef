"""A function's signature as a JSON Schema for models, and as the type that their arguments are checked against."""

import inspect
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

_SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean"}


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """``json_schema`` is what a model reads; ``check`` holds its arguments to the same types."""

    json_schema: dict[str, Any]
    type: Any

    def check(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments with the defaults filled in. Raises ValueError with a sentence. Strict: "2" is no number."""
        return msgspec.structs.asdict(msgspec.convert(arguments, self.type, strict=True))


def describe_parameters(function: Callable[..., Any]) -> Parameters:
    """Known types are str, int, float, bool, Literal, list of these, Optional, and Annotated with a description.

    Raises TypeError for any other type, for a parameter without one, and for ``*args`` and ``**kwargs``.
    """
    hints = get_type_hints(function, include_extras=True)
    properties: dict[str, Any] = {}
    required: list[str] = []
    fields: list[Any] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in hints or parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{function.__name__}: {name} cannot be a parameter of a tool")
        properties[name] = _schema(hints[name])
        if parameter.default is parameter.empty:
            required.append(name)
            fields.append((name, hints[name]))
        else:
            if parameter.default is not None:
                properties[name]["default"] = parameter.default
            fields.append((name, hints[name], _default(parameter.default)))
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    checked = msgspec.defstruct(function.__name__, fields, kw_only=True, forbid_unknown_fields=True)
    return Parameters(json_schema=schema, type=checked)


def _schema(hint: Any) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _SIMPLE:
        return {"type": _SIMPLE[hint]}
    if origin is Annotated:
        words = [word for word in arguments[1:] if isinstance(word, str)]
        return {**_schema(arguments[0]), **({"description": words[0]} if words else {})}
    if origin is Literal:
        kinds = {_SIMPLE.get(type(value)) for value in arguments}
        return {**({"type": kinds.pop()} if len(kinds) == 1 else {}), "enum": list(arguments)}
    if origin in (Union, types.UnionType):
        # Null is left out: a model leaves out what it does not want to give, and many stumble over a union.
        kept = [_schema(argument) for argument in arguments if argument is not types.NoneType]
        return kept[0] if len(kept) == 1 else {"anyOf": kept}
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0])}
    raise TypeError(f"{hint} cannot be the type of a tool's parameter")


def _default(value: Any) -> Any:
    return msgspec.field(default_factory=value.copy) if isinstance(value, list) else value
