from typing import Annotated, Any, Literal

import pytest

from streaming.tools.schema import describe_parameters


def sample(
    city: Annotated[str, "Where"],
    days: int,
    unit: Literal["c", "f"] = "c",
    share: float = 0.5,
    exact: bool = False,
    tags: list[str] = ["new"],  # noqa: B006
    note: Annotated[str | None, "Anything"] = None,
) -> str:
    """Sample."""
    return ""


PARAMETERS = describe_parameters(sample)
GIVEN = {"city": "Bonn", "days": 2}


def test_the_schema_says_types_descriptions_defaults_and_what_is_required() -> None:
    assert PARAMETERS.json_schema == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Where"},
            "days": {"type": "integer"},
            "unit": {"type": "string", "enum": ["c", "f"], "default": "c"},
            "share": {"type": "number", "default": 0.5},
            "exact": {"type": "boolean", "default": False},
            "tags": {"type": "array", "items": {"type": "string"}, "default": ["new"]},
            "note": {"type": "string", "description": "Anything"},
        },
        "required": ["city", "days"],
        "additionalProperties": False,
    }


def test_arguments_that_fit_are_completed_with_defaults() -> None:
    assert PARAMETERS.check(GIVEN) == {
        "city": "Bonn",
        "days": 2,
        "unit": "c",
        "share": 0.5,
        "exact": False,
        "tags": ["new"],
        "note": None,
    }


def test_a_whole_number_is_a_number() -> None:
    assert PARAMETERS.check({**GIVEN, "share": 1})["share"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"city": "Bonn"}, "required field `days`"),
        ({**GIVEN, "days": "2"}, "Expected `int`, got `str` - at `\\$.days`"),
        ({**GIVEN, "days": 2.5}, "Expected `int`"),
        ({**GIVEN, "days": True}, "Expected `int`"),
        ({**GIVEN, "unit": "k"}, "Invalid enum value"),
        ({**GIVEN, "tags": [1]}, "Expected `str`, got `int`"),
        ({**GIVEN, "city": None}, "Expected `str`"),
        ({**GIVEN, "other": 1}, "unknown field `other`"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_in_words(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        PARAMETERS.check(arguments)


def test_default_lists_are_not_shared_between_calls() -> None:
    PARAMETERS.check(GIVEN)["tags"].append("x")
    assert PARAMETERS.check(GIVEN)["tags"] == ["new"]


def test_a_choice_of_types_is_told_as_one() -> None:
    def either(value: int | str) -> str:
        return ""

    schema = describe_parameters(either).json_schema
    assert schema["properties"]["value"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}


def test_what_cannot_be_described_is_refused_when_it_is_declared() -> None:
    def untyped(x):  # type: ignore[no-untyped-def]
        return ""

    def odd(x: object) -> str:
        return ""

    def many(*x: int) -> str:
        return ""

    for function in (untyped, odd, many):
        with pytest.raises(TypeError):
            describe_parameters(function)
