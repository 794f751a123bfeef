import time

import pytest

from streaming.providers.base import ChatRequest, Finish, PromptMessage, Text, Thinking, ToolCall, ToolSpec
from streaming.providers.demo import DemoProvider
from streaming.providers.demo_script import pieces, script

TOOLS = tuple(ToolSpec(name=name, description=name, parameters={}) for name in ("calculator", "clock"))


def asking(content: str, *, tools=TOOLS, think=None, after=()) -> ChatRequest:
    messages = (PromptMessage(role="user", content=content), *after)
    return ChatRequest(model="demo", messages=messages, tools=tools, think=think)


async def played(request: ChatRequest) -> list:
    return [chunk async for batch in DemoProvider(pace=0).stream(request) for chunk in batch]


def text_of(chunks, kind=Text) -> str:
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, kind))


async def test_it_says_plainly_what_it_is_and_how_to_get_a_real_one():
    text = text_of(await played(asking("Hello")))
    assert "demonstration, not a language model" in text
    assert "OLLAMA_BASE_URL" in text
    assert "ollama serve" in text


async def test_it_thinks_first_then_answers_word_by_word_and_ends():
    chunks = await played(asking("Hello"))
    kinds = [type(chunk) for chunk in chunks]
    assert kinds == sorted(kinds, key=[Thinking, Text, Finish].index)
    assert kinds.count(Text) > 20
    assert kinds[-1] is Finish


async def test_it_does_not_think_when_it_is_told_not_to():
    assert text_of(await played(asking("Hello", think=False)), Thinking) == ""


async def test_the_same_question_has_the_same_answer():
    assert await played(asking("what is 1+1")) == await played(asking("what is 1+1"))


@pytest.mark.parametrize(
    ("question", "expression"),
    [
        ("what is 2 + 2*3", "2 + 2*3"),
        ("What is (1 + 2) * 3?", "(1 + 2) * 3"),
        ("17 × 23 =", "17 * 23"),
        ("Calculate 2^10.", "2**10"),
        ("3.5 / -2, please", "3.5 / -2"),
        ("what is 10 % 3", "10 % 3"),
    ],
)
async def test_a_sum_goes_to_the_calculator(question, expression):
    (call,) = (chunk for chunk in await played(asking(question)) if isinstance(chunk, ToolCall))
    assert (call.name, call.arguments) == ("calculator", {"expression": expression})


@pytest.mark.parametrize("question", ["what time is it", "What is the time?", "what's the date today"])
async def test_the_time_comes_from_the_clock(question):
    (call,) = (chunk for chunk in await played(asking(question)) if isinstance(chunk, ToolCall))
    assert (call.name, call.arguments) == ("clock", {})


@pytest.mark.parametrize("question", ["what is 2 + 2", "what time is it"])
async def test_without_tools_it_calls_none(question):
    chunks = await played(asking(question, tools=()))
    assert not any(isinstance(chunk, ToolCall) for chunk in chunks)
    assert "demonstration" in text_of(chunks)


@pytest.mark.parametrize("question", ["Hello", "in 2024 there were 3", "well-known", "a (b) c", "- - -", "(1 + 2", ""])
async def test_what_is_no_sum_calls_nothing(question):
    assert script(asking(question)).tool is None


async def test_the_next_turn_answers_from_the_result():
    result = PromptMessage(role="tool", content="8", tool_name="calculator", tool_call_id="c")
    text = text_of(await played(asking("what is 2 + 2*3", after=(result,))))
    assert "The calculator says: **8**" in text
    assert "demonstration" in text


async def test_a_later_question_is_a_new_one():
    after = (
        PromptMessage(role="tool", content="8", tool_name="calculator"),
        PromptMessage(role="assistant", content="It is 8."),
        PromptMessage(role="user", content="what is 5 * 5"),
    )
    assert script(asking("what is 2 + 2", after=after)).arguments == {"expression": "5 * 5"}


@pytest.mark.parametrize("question", ["show me markdown", "Show me some code", "a table, please"])
async def test_it_shows_a_table_and_a_block_of_code(question):
    text = text_of(await played(asking(question)))
    assert "|:---|" in text
    assert "```python\n" in text
    assert "not a language model" in text


async def test_without_streaming_the_same_is_said_at_once():
    request = asking("what is 1+1")
    chunks = await DemoProvider().complete(request)
    assert [type(chunk) for chunk in chunks] == [Thinking, ToolCall, Finish]
    assert text_of(chunks, Thinking) == text_of(await played(request), Thinking)


async def test_it_takes_its_time():
    begun = time.monotonic()
    count = len([batch async for batch in DemoProvider(pace=0.002).stream(asking("Hello"))])
    assert time.monotonic() - begun > 0.002 * (count - 1)


async def test_its_model_is_marked_as_a_demonstration():
    (model,) = await DemoProvider().models()
    assert (model.full_name, model.demonstration) == ("demo/demo", True)


@pytest.mark.parametrize("text", ["", "a", " a  b\n\nc ", "\n\n", "  "])
def test_the_pieces_add_up(text):
    assert "".join(pieces(text)) == text


def test_a_hostile_question_costs_no_time():
    begun = time.thread_time()
    script(asking("1" + "-" * 100_000 + "*(" * 50_000))
    assert time.thread_time() - begun < 2
