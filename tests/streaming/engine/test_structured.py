"""Whether an answer has its form, how it is asked for, and what of it is told."""

import json
import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.engine.structured import (
    Verdict,
    Withheld,
    instructions,
    judge,
    once_more,
    with_instructions,
)
from streaming.protocol.errors import ErrorObject
from streaming.protocol.response_format import JsonSchema, ResponseFormat, Structured

OBJECT = ResponseFormat(type="json_object")
SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
AGE = ResponseFormat(type="json_schema", json_schema=JsonSchema(name="age", schema=SCHEMA))
ANY = ResponseFormat(type="json_schema", json_schema=JsonSchema(name="any", schema={}))
BAD = ErrorObject(code="not_json", message="No.")


def code_of(verdict: Verdict) -> str | None:
    return verdict.error and verdict.error.code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"age": 36}', None),
        (' \n{"age": 36}\n', None),
        ('{"age": "36"}', "schema_mismatch"),
        ("[36]", "schema_mismatch"),
        ("", "not_json"),
        ('{"age": 36', "not_json"),
        ('{"age": 36} Done!', "not_json"),
        ('Here it is: {"age": 36}', "not_json"),
        ('{"age": NaN}', "not_json"),
        ('{"age": 1e999}', "not_json"),
        ('{"age": ' + "[" * 100_000, "not_checked"),
    ],
)
def test_an_answer_has_its_form_or_why_not(text: str, code: str | None) -> None:
    assert code_of(judge(text, AGE)) == code
    assert judge(text, AGE).text == text


def test_the_place_is_told() -> None:
    error = judge('{"age": "36"}', AGE).error
    assert error is not None
    assert error.details == {"at": "$.age"}
    assert "'36' is not of type 'integer'" in error.message


@pytest.mark.parametrize("text", ["{}", '{"a": 1}'])
def test_any_object_will_do_where_there_is_no_schema(text: str) -> None:
    assert code_of(judge(text, OBJECT)) is None


@pytest.mark.parametrize("text", ["[]", "1", "null", '"{}"'])
def test_but_nothing_else(text: str) -> None:
    assert code_of(judge(text, OBJECT)) == "schema_mismatch"


@pytest.mark.parametrize(
    "block",
    ["```json\n{}\n```", "```\n{}\n```", "\n``` JSON \r\n{}\r\n```\n", "```{}```", "```json {}```"],
)
def test_one_block_of_code_is_opened(block: str) -> None:
    assert judge(block, OBJECT) == Verdict(text="{}")


@pytest.mark.parametrize("text", ["```python\n{}\n```", "```\n{}", "``````", "x ```json\n{}\n```"])
def test_other_blocks_are_not(text: str) -> None:
    assert judge(text, OBJECT).text == text
    assert code_of(judge(text, OBJECT)) == "not_json"


def test_what_readers_have_seen_is_judged_as_it_stands() -> None:
    block = "```json\n{}\n```"
    verdict = judge(block, OBJECT, told=True)
    assert (verdict.text, code_of(verdict)) == (block, "not_json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(value=JSON, indent=st.sampled_from([None, 2]), cuts=st.lists(st.integers(0, 400)))
def test_every_json_is_valid_in_whatever_pieces_it_comes(value: Any, indent: int | None, cuts: list[int]) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    withheld = Withheld(Structured(), told=False)
    for start, end in pairwise(places):
        assert withheld.take(text[start:end]) == ""
    assert withheld.settle(judge(withheld.text, ANY))
    assert withheld.outcome == Structured(valid=True)
    assert json.loads(withheld.rest()) == value
    assert withheld.rest() == ""


@given(st.floats())
def test_what_python_writes_for_no_number_is_no_json(value: float) -> None:
    assert (code_of(judge(json.dumps([value]), ANY)) is None) == math.isfinite(value)


def test_a_first_answer_that_does_not_fit_is_dropped_for_a_second() -> None:
    withheld = Withheld(Structured(), told=False)
    withheld.take("no")
    assert not withheld.settle(Verdict(text="no", error=BAD))
    assert withheld.text == ""
    assert withheld.outcome == Structured(repaired=True, error=BAD)
    withheld.take("{}")
    assert withheld.settle(Verdict(text="{}"))
    assert withheld.outcome == Structured(valid=True, repaired=True, error=BAD)
    assert withheld.rest() == "{}"


def test_a_second_one_stands_whatever_it_is() -> None:
    withheld = Withheld(Structured(), told=False)
    withheld.settle(Verdict(text="no", error=BAD))
    withheld.take("again no")
    worse = ErrorObject(code="not_json", message="Worse.")
    assert withheld.settle(Verdict(text="again no", error=worse))
    assert withheld.outcome == Structured(valid=False, repaired=True, error=worse)
    assert withheld.rest() == "again no"


def test_the_first_one_stands_where_of_the_second_there_is_nothing() -> None:
    withheld = Withheld(Structured(), told=False)
    withheld.take("no")
    withheld.settle(Verdict(text="no", error=BAD))
    assert withheld.rest() == "no"


def test_what_cannot_be_checked_is_not_asked_for_again() -> None:
    withheld = Withheld(Structured(), told=False)
    error = ErrorObject(code="not_checked", message="Too large.")
    assert withheld.settle(Verdict(text="1", error=error))
    assert withheld.outcome == Structured(valid=False, error=error)


def test_what_was_told_before_is_gone_on_with_and_not_asked_for_again() -> None:
    withheld = Withheld(Structured(), told=True)
    assert withheld.take("}") == "}"
    assert withheld.text == ""
    assert withheld.settle(Verdict(text="no", error=BAD))
    assert withheld.rest() == ""


def test_the_model_is_told_in_words_after_what_it_is_told_anyway() -> None:
    told = with_instructions("Be brief.\n", AGE)
    assert told.startswith("Be brief.\n\nAnswer with one JSON object")
    assert json.dumps(SCHEMA, separators=(",", ":")) in told
    assert with_instructions("", OBJECT) == instructions(OBJECT)
    assert "JSON" in instructions(OBJECT)
    assert with_instructions("Be brief.", None) == "Be brief."


def test_the_second_time_it_is_told_what_was_wrong_and_where() -> None:
    error = judge('{"age": "36"}', AGE).error
    assert error is not None
    said, asking = once_more('{"age": "36"}', error)
    assert (said.role, said.content, asking.role) == ("assistant", '{"age": "36"}', "user")
    assert "'36' is not of type 'integer'" in asking.content
    assert "$.age" in asking.content
    assert once_more(" ", error)[0].content.strip()  # an empty turn is refused by some servers
