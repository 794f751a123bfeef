from typing import Any

import pytest

from streaming.engine.context import HistoryMessage, build_prompt
from streaming.protocol.errors import ErrorObject
from streaming.protocol.objects import Step
from streaming.providers.base import PromptMessage


def person(text: str) -> HistoryMessage:
    return HistoryMessage(role="user", content=text)


def model(text: str, *parts: dict[str, Any], steps: tuple[Step, ...] = (), status: str = "completed") -> HistoryMessage:
    return HistoryMessage(role="assistant", content=text, parts=parts, steps=steps, status=status)


def tool_step(id: str, *, at: str | None = None, output: str = "4", **more: Any) -> Step:
    given = {"status": "completed", "name": "calculator", "arguments": {"x": id}, **more}
    return Step(id=id, index=0, step="tool_calls", output=output, started_at=at, **given)


def shape(prompt: tuple[PromptMessage, ...]) -> list[tuple[str, str]]:
    return [(turn.role, turn.content) for turn in prompt]


def test_system_prompt_history_and_question_in_their_order() -> None:
    prompt = build_prompt(history=[person("a"), model("b")], system_prompt="Be brief.", question="c")
    assert shape(prompt) == [("system", "Be brief."), ("user", "a"), ("assistant", "b"), ("user", "c")]


def test_an_empty_system_prompt_is_none() -> None:
    assert shape(build_prompt(history=[], system_prompt=" \n", question="c")) == [("user", "c")]


def test_the_question_may_stand_in_the_history_already() -> None:
    assert shape(build_prompt(history=[person("a")])) == [("user", "a")]


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_answer_that_came_to_nothing_is_left_out_and_the_questions_are_joined(text: str) -> None:
    prompt = build_prompt(history=[person("a"), model(text, status="incomplete")], question="b")
    assert shape(prompt) == [("user", "a\n\nb")]


def test_what_there_is_of_an_answer_that_ended_early_is_told() -> None:
    prompt = build_prompt(history=[person("a"), model("half of", status="incomplete")], question="b")
    assert shape(prompt) == [("user", "a"), ("assistant", "half of"), ("user", "b")]


def test_answers_without_a_question_between_them_are_joined() -> None:
    prompt = build_prompt(history=[model("a"), model("b")], question="c")
    assert shape(prompt) == [("assistant", "a\n\nb"), ("user", "c")]


def test_reasoning_is_not_sent_back() -> None:
    step = Step(id="s", index=0, step="reasoning", status="completed", details="secret thoughts")
    prompt = build_prompt(history=[model("so", {"step_id": "s"}, {"text": [0, 2]}, steps=(step,))], question="b")
    assert shape(prompt) == [("assistant", "so"), ("user", "b")]
    assert all(not turn.thinking for turn in prompt)


def test_a_tool_round_is_told_as_it_was() -> None:
    answer = model(
        "Let me see. Four.", {"text": [0, 12]}, {"step_id": "s"}, {"text": [12, 17]}, steps=(tool_step("s"),)
    )
    _, call, result, rest, _ = build_prompt(history=[person("a"), answer], question="b")
    assert (call.role, call.content, call.tool_calls[0].name, call.tool_calls[0].arguments) == (
        "assistant",
        "Let me see. ",
        "calculator",
        {"x": "s"},
    )
    assert (result.role, result.content, result.tool_name) == ("tool", "4", "calculator")
    assert result.tool_call_id == call.tool_calls[0].id
    assert (rest.role, rest.content, rest.tool_calls) == ("assistant", "Four.", ())


def test_calls_of_one_turn_are_one_round_and_calls_of_two_are_two() -> None:
    steps = (tool_step("a", at="1"), tool_step("b", at="1"), tool_step("c", at="2"))
    answer = model("", *({"step_id": step.id} for step in steps), steps=steps)
    prompt = build_prompt(history=[answer], question="q")
    assert [len(turn.tool_calls) for turn in prompt if turn.role == "assistant"] == [2, 1]
    assert [turn.role for turn in prompt] == ["assistant", "tool", "tool", "assistant", "tool", "user"]


def test_reasoning_between_two_calls_parts_their_rounds() -> None:
    thought = Step(id="t", index=1, step="reasoning", status="completed")
    steps = (tool_step("a"), thought, tool_step("b"))
    answer = model("", *({"step_id": step.id} for step in steps), steps=steps)
    prompt = build_prompt(history=[answer], question="q")
    assert [turn.role for turn in prompt] == ["assistant", "tool", "assistant", "tool", "user"]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (
            tool_step("s", output="", status="failed", error=ErrorObject(code="x", message="It broke.")),
            "Error: It broke.",
        ),
        (
            tool_step("s", output="half", status="failed", error=ErrorObject(code="x", message="It broke.")),
            "half\nError: It broke.",
        ),
        (
            tool_step("s", output="", status="cancelled"),
            "Error: The tool did not finish; whether it took effect is not known.",
        ),
        (tool_step("s", output="long", output_cut=True), "long\n[The rest was cut off.]"),
    ],
)
def test_the_model_is_told_what_became_of_a_call(step: Step, told: str) -> None:
    prompt = build_prompt(history=[model("", {"step_id": "s"}, steps=(step,))], question="q")
    assert prompt[1].content == told


def test_steps_that_are_gone_and_parts_of_an_unknown_kind_are_passed_over() -> None:
    answer = model("ab", {"text": [0, 1]}, {"step_id": "gone"}, {"image": 1}, {"text": [1, 2]})
    assert shape(build_prompt(history=[answer], question="q")) == [("assistant", "ab"), ("user", "q")]
