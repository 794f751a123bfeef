"""Pictures of a question on both wires."""

import pytest

from streaming.providers import ollama_wire, openai_wire
from streaming.providers.base import ChatRequest, PromptImage, PromptMessage
from streaming.providers.ollama_models import Facts, facts_of_show, model_info, tags
from streaming.providers.openai_models import model_infos

SHOWN = PromptMessage(
    role="user",
    content="What is it?",
    images=(PromptImage(type="image/png", data="AAAA"), PromptImage(type="image/jpeg", data="BBBB")),
)
REQUEST = ChatRequest(model="m", messages=(PromptMessage(role="user", content="Hello"), SHOWN))


def test_ollama_has_them_beside_the_text_without_a_prefix() -> None:
    plain, shown = ollama_wire.request_body(REQUEST, stream=True)["messages"]
    assert plain == {"role": "user", "content": "Hello"}
    assert shown == {"role": "user", "content": "What is it?", "images": ["AAAA", "BBBB"]}


def test_the_other_wire_has_them_as_parts_after_the_text() -> None:
    plain, shown = openai_wire.request_body(REQUEST, stream=True)["messages"]
    assert plain == {"role": "user", "content": "Hello"}
    assert shown["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,BBBB"}},
    ]


def test_a_server_that_does_not_take_them_is_asked_without_and_that_is_told() -> None:
    without = frozenset({"images"})
    assert openai_wire.request_body(REQUEST, stream=True, without=without)["messages"][1] == {
        "role": "user",
        "content": "What is it?",
    }
    assert openai_wire.left_out(REQUEST, without) == ("images",)
    assert openai_wire.left_out(ChatRequest(model="m", messages=REQUEST.messages[:1]), without) == ()


@pytest.mark.parametrize(
    ("entry", "blind"),
    [
        ({}, False),
        ({"capabilities": {"vision": False}}, True),
        ({"capabilities": {"vision": True}}, False),
        ({"supports_image_input": False}, True),
        ({"type": "llm"}, True),
        ({"type": "vlm"}, False),
        ({"architecture": {"input_modalities": ["text"]}}, True),
        ({"architecture": {"input_modalities": ["text", "image"]}}, False),
        ({"capabilities": ["vision"]}, False),
    ],
)
def test_a_model_counts_as_blind_only_where_its_server_says_so(entry: dict[str, object], blind: bool) -> None:
    (model,) = model_infos("openai", {"data": [{"id": "m", **entry}]})
    assert model.cannot_see is blind


@pytest.mark.parametrize(
    ("capabilities", "blind"), [([], False), (["completion"], True), (["completion", "vision"], False)]
)
def test_so_it_is_with_ollama(capabilities: list[str], blind: bool) -> None:
    (tag,) = tags({"models": [{"name": "m"}]})
    facts: Facts = facts_of_show({"capabilities": capabilities})
    assert model_info("ollama", tag, facts, None).cannot_see is blind
