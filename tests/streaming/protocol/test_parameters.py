from typing import Any

import msgspec
import pytest

from streaming.protocol.commands import NewThread, Send, ThreadChanges, parse
from streaming.protocol.errors import InvalidRequest, UnknownField
from streaming.protocol.parameters import Parameters, merged, readable

ALL: dict[str, Any] = {
    "temperature": 0,
    "top_p": 1,
    "top_k": 40,
    "seed": 7,
    "stop": ["a", "b"],
    "max_tokens": 100,
    "context_length": 4096,
    "thinking": "high",
    "keep_alive": -1,
}
BAD: list[dict[str, Any]] = [
    {"temperature": 2.1},
    {"temperature": "warm"},
    {"top_p": -0.1},
    {"top_k": 1.5},
    {"seed": -1},
    {"stop": []},
    {"stop": [""]},
    {"stop": ["a", "b", "c", "d", "e"]},
    {"max_tokens": 0},
    {"context_length": 10},
    {"thinking": "extreme"},
    {"keep_alive": -2},
]


def test_what_is_named_is_what_there_is() -> None:
    assert set(ALL) == set(Parameters.__struct_fields__)
    assert msgspec.structs.asdict(readable(ALL)) == ALL


@pytest.mark.parametrize("kind", [Send, NewThread, ThreadChanges])
def test_all_are_taken_wherever_parameters_are(kind: Any) -> None:
    content = {"content": "Why?"} if kind is Send else {}
    assert parse({**content, "parameters": ALL}, kind).parameters == ALL


@pytest.mark.parametrize("kind", [Send, NewThread, ThreadChanges])
@pytest.mark.parametrize("bad", BAD, ids=str)
def test_what_cannot_be_is_refused_with_its_name(kind: Any, bad: dict[str, Any]) -> None:
    content = {"content": "Why?"} if kind is Send else {}
    with pytest.raises(InvalidRequest) as refused:
        parse({**content, "parameters": bad}, kind)
    field = f"parameters.{next(iter(bad))}"
    assert refused.value.details is not None
    assert refused.value.details["field"].startswith(field)
    assert str(refused.value).startswith(field)


def test_an_unknown_name_is_refused_as_a_field_is() -> None:
    with pytest.raises(UnknownField) as refused:
        parse({"content": "Why?", "nonsense": 1, "parameters": {"num_ctx": 1, "seed": 1}}, Send)
    assert refused.value.details == {"fields": ["nonsense", "parameters.num_ctx"]}


def test_a_run_s_own_come_before_the_thread_s_and_null_takes_one_back() -> None:
    thread = {"temperature": 0.2, "seed": 7, "top_p": None}
    assert merged(thread, {"temperature": 1, "seed": None}) == {"temperature": 1}
    assert merged(thread, {}) == {"temperature": 0.2, "seed": 7}


def test_what_was_stored_when_anything_could_be_is_left_out() -> None:
    assert readable({"temperature": 9, "num_ctx": 1, "a": [{}], "seed": 7, "stop": "END"}) == Parameters(
        seed=7, stop="END"
    )


@pytest.mark.parametrize("stop", ["END", ["END"]])
def test_stop_words_are_a_list(stop: Any) -> None:
    assert readable({"stop": stop}).stops == ["END"]


def test_no_stop_words_are_none() -> None:
    assert Parameters().stops is None
