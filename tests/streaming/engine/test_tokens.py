import pytest

from streaming.engine.tokens import of_message, of_text, of_tools
from streaming.providers.base import PromptCall, PromptMessage, ToolSpec


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 0),
        ("a", 1, 1),
        ("word " * 400, 500, 500),
        ("слово " * 400, 1000, 1600),  # today's vocabularies need some 900 to 1400
        ("漢字かな" * 100, 400, 420),
        ("👩‍💻" * 100, 300, 500),
        ("\ud800", 1, 2),  # no text that can be sent, but nothing falls over it
    ],
)
def test_a_text_is_measured_by_its_characters_and_its_bytes(text: str, least: int, most: int) -> None:
    assert least <= of_text(text) <= most


def test_all_of_a_message_counts() -> None:
    plain = PromptMessage(role="assistant", content="x" * 40)
    thought = PromptMessage(role="assistant", content="x" * 40, thinking="y" * 400)
    call = PromptCall(id="1", name="calculator", arguments={"expression": "1" * 400})
    called = PromptMessage(role="assistant", content="x" * 40, tool_calls=(call,))
    assert of_message(plain) >= 10
    assert of_message(thought) == of_message(plain) + 100
    assert of_message(called) > of_message(plain) + 100


def test_the_tools_that_are_offered_count_too() -> None:
    tool = ToolSpec(name="t", description="d" * 400, parameters={"type": "object", "title": "t" * 400})
    assert of_tools([tool]) > of_tools([]) + 200
