from typing import Any

import pytest

from streaming.engine.adapting import Adapted, adapted, takes_images
from streaming.protocol.notices import images_left_out
from streaming.protocol.parameters import Parameters
from streaming.providers.base import ModelInfo
from streaming.providers.openai_models import model_infos

THERE = ("calculator", "clock")
LEVELS = ("low", "medium", "high")
SWITCH = {"capabilities": ("completion", "thinking"), "thinking_levels": ()}
GPT_OSS = {"capabilities": ("completion", "thinking"), "thinking_levels": LEVELS, "thinking_switch": False}
NEVER = {"capabilities": ("completion",), "cannot_think": True}
(COMPATIBLE,) = model_infos("o", {"data": [{"id": "m"}]})


def model(**facts: Any) -> ModelInfo:
    return ModelInfo(provider="p", name="m", **facts)


def to(model: ModelInfo, *, tools: list[str] | None = None, **parameters: Any) -> Adapted:
    return adapted(parameters=Parameters(**parameters), tools=tools, there=THERE, model=model)


def codes(found: Adapted) -> list[str]:
    return [notice.code for notice in found.notices]


@pytest.mark.parametrize("wish", [None, True, False, "low", "max"])
def test_what_nobody_knows_of_a_model_is_asked_for_as_it_was_wished(wish: Any) -> None:
    assert to(model(), thinking=wish) == Adapted(think=wish, tools=(), window=None)


@pytest.mark.parametrize(
    ("facts", "wish", "think", "told"),
    [
        (SWITCH, True, True, False),
        (SWITCH, False, False, False),
        (SWITCH, "high", True, True),
        (GPT_OSS, "high", "high", False),
        (GPT_OSS, "max", "high", False),
        (GPT_OSS, True, None, False),
        (GPT_OSS, False, "low", True),
        (NEVER, True, None, True),
        (NEVER, "low", None, True),
        (NEVER, False, None, False),
    ],
)
def test_a_model_is_asked_to_think_as_it_can(facts: dict[str, Any], wish: Any, think: Any, told: bool) -> None:
    found = to(model(**facts), thinking=wish)
    assert (found.think, codes(found)) == (think, ["thinking_left_out"] * told)
    if told:
        assert found.notices[0].details == {"asked": wish, "given": think}


@pytest.mark.parametrize(
    ("wish", "think", "told"), [("max", "high", 0), ("low", "low", 0), (True, None, 1), (False, None, 1)]
)
def test_an_openai_compatible_server_has_words_for_how_much_and_not_for_whether(
    wish: Any, think: Any, told: int
) -> None:
    found = to(COMPATIBLE, thinking=wish)
    assert (found.think, codes(found)) == (think, ["thinking_left_out"] * told)


def test_tools_that_were_named_are_missed_where_a_model_cannot_call_them() -> None:
    unable, able = model(capabilities=("completion",)), model(capabilities=("completion", "tools"))
    found = to(unable, tools=["clock", "calculator"])
    assert (found.tools, codes(found)) == ((), ["tools_left_out"])
    assert found.notices[0].message == "This model cannot call tools; it was asked without calculator and clock."
    assert (to(able, tools=["clock"]).tools, codes(to(able, tools=["clock"]))) == (["clock"], [])


def test_tools_that_are_not_there_are_missed_too() -> None:
    found = to(model(capabilities=("completion", "tools")), tools=["search", "clock", "mail"])
    assert (found.tools, codes(found)) == (["search", "clock", "mail"], ["tools_left_out"])
    assert found.notices[0].message == "There is no tool called mail or search; the model was asked without."
    assert found.notices[0].details == {"names": ["mail", "search"]}


@pytest.mark.parametrize("tools", [None, []])
def test_tools_that_were_merely_offered_are_no_news(tools: Any) -> None:
    assert codes(to(model(capabilities=("completion",)), tools=tools)) == []
    assert to(model(capabilities=("completion", "tools")), tools=tools).tools == tools


def test_what_the_server_has_no_word_for_is_told() -> None:
    found = to(COMPATIBLE, keep_alive=60, seed=1, context_length=4096)
    assert [(notice.code, notice.details) for notice in found.notices] == [
        ("parameters_left_out", {"names": ["keep_alive"]})
    ]
    assert found.window == 4096
    assert codes(to(COMPATIBLE, seed=1)) == []


def test_a_longer_context_than_there_is_cannot_be_had_and_a_shorter_one_can() -> None:
    one = model(context_length=8192)
    assert (to(one, context_length=4096).window, codes(to(one, context_length=4096))) == (4096, [])
    found = to(one, context_length=100_000)
    assert (found.window, codes(found)) == (8192, ["parameters_left_out"])
    assert found.notices[0].message == "This model reads at most 8,192 tokens at once here, less than was asked for."


@pytest.mark.parametrize(
    ("entry", "sees"),
    [
        ({}, True),  # nobody knows: its server will say so
        ({"architecture": {"input_modalities": ["text"]}}, False),
        ({"architecture": {"input_modalities": ["text", "image"]}}, True),
        ({"capabilities": {"vision": False}}, False),
        ({"type": "llm"}, False),
        ({"type": "vlm"}, True),
    ],
)
def test_images_are_for_all_but_those_that_are_known_not_to_see(entry: dict[str, Any], sees: bool) -> None:
    (one,) = model_infos("o", {"data": [{"id": "m", **entry}]})
    assert takes_images(one) is sees
    assert ("vision" in one.capabilities) is (sees and bool(entry))


def test_how_many_images_were_left_out_is_told() -> None:
    assert images_left_out(1).message == "This model cannot see images; an image was left out."
    assert images_left_out(2).message == "This model cannot see images; 2 images were left out."
