import json
import time
from functools import partial

import pytest

from streaming.protocol.errors import InvalidRequest
from streaming.protocol.parameters import Parameters
from streaming.providers import ollama_wire, openai_wire
from streaming.providers.base import ChatRequest, PromptImage, PromptMessage
from streaming.providers.written import written

PICTURE = PromptImage(type="image/png", data="aGFs/G8+")
OTHER = PromptImage(type="image/jpeg", data="b3RoZXI=")
SHOWN = ChatRequest(
    model="llava",
    messages=(
        PromptMessage(role="user", content='Größe? "\n\u2028', images=(PICTURE, OTHER)),
        PromptMessage(role="assistant", content="0; 1"),
        PromptMessage(role="user", content="And now?", images=(OTHER,)),
    ),
)
WIRES = {
    "ollama": partial(ollama_wire.request_body, stream=True),
    "openai": partial(openai_wire.request_body, stream=True),
    "openai without images": partial(openai_wire.request_body, stream=True, without=frozenset({"images"})),
}


@pytest.mark.parametrize("wire", WIRES)
def test_what_is_written_is_the_body_with_its_pictures(wire):
    assert json.loads(written(SHOWN, WIRES[wire])) == WIRES[wire](SHOWN)


def test_a_question_without_pictures_is_written_too():
    asked = ChatRequest(model="m", messages=(PromptMessage(role="user", content="Größe?"),))
    assert json.loads(written(asked, WIRES["ollama"])) == WIRES["ollama"](asked)


def test_what_json_has_no_word_for_is_the_callers_fault():
    asked = ChatRequest(model="m", messages=SHOWN.messages, parameters=Parameters(temperature=float("nan")))
    with pytest.raises(InvalidRequest):
        written(asked, WIRES["openai"])


@pytest.mark.parametrize("wire", WIRES)
def test_pictures_are_not_looked_through(wire):
    """The loop waits for it. JSON of the text alone takes longer than all of the request does."""
    large = PromptImage(type="image/png", data="aGFs" * 2_500_000)
    request = ChatRequest(model="m", messages=(PromptMessage(role="user", content="?", images=(large,)),))

    def took(work):
        begun = time.process_time()
        work()
        return time.process_time() - begun

    as_json = min(took(lambda: json.dumps(large.data)) for _ in range(3))
    assert min(took(lambda: written(request, WIRES[wire])) for _ in range(3)) < as_json
