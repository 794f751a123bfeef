from typing import Any

import pytest

from streaming.engine.tokens import of_messages, of_tools
from streaming.engine.window import MOST_FOR_THE_ANSWER, UNKNOWN, Window
from streaming.protocol.errors import ContextExceeded
from streaming.protocol.notices import Notice
from streaming.protocol.objects import Usage
from streaming.providers.base import PromptCall, PromptMessage, ToolSpec

SYSTEM = PromptMessage(role="system", content="Be brief.")


def thread(exchanges: int, *, size: int = 400) -> tuple[PromptMessage, ...]:
    turns = [
        PromptMessage(role=role, content=f"{number} " + "x" * size)
        for number in range(exchanges)
        for role in ("user", "assistant")
    ]
    return (SYSTEM, *turns, PromptMessage(role="user", content="now"))


def called(*results: str) -> tuple[PromptMessage, ...]:
    calls = tuple(PromptCall(id=str(at), name="search", arguments={}) for at in range(len(results)))
    told = [
        PromptMessage(role="tool", content=text, tool_call_id=call.id, tool_name="search")
        for call, text in zip(calls, results, strict=True)
    ]
    return (PromptMessage(role="assistant", content="", tool_calls=calls), *told)


def codes(window: Window) -> list[str]:
    return [notice.code for notice in window.notices]


def too_much(**numbers: int) -> ContextExceeded:
    return ContextExceeded(details={"status": 400, **numbers})


@pytest.mark.parametrize(
    ("size", "max_tokens", "room"),
    [
        (None, None, UNKNOWN),
        (8192, None, 6144),
        (8192, 1000, 7192),
        (8192, 100_000, 4096),
        (262_144, None, 262_144 - MOST_FOR_THE_ANSWER),
    ],
)
def test_there_is_room_left_for_the_answer(size: int | None, max_tokens: int | None, room: int) -> None:
    assert Window(size=size, max_tokens=max_tokens).room == room - of_tools([])


def test_the_tools_take_their_part_of_it() -> None:
    tool = ToolSpec(name="t", description="d" * 4000, parameters={})
    assert Window(size=8192, tools=[tool]).room < Window(size=8192).room - 1000


def test_what_fits_is_asked_with_whole_and_is_no_news() -> None:
    window = Window(size=8192)
    assert window.begun(thread(3)) == window.fitted(thread(3)) == thread(3)
    assert window.notices == []


def test_what_does_not_fit_is_left_out_told_and_not_kept() -> None:
    window = Window(size=1024)
    kept = window.begun(thread(6))
    assert window.fitted(kept) == kept
    assert kept == (SYSTEM, *thread(6)[-5:])
    assert window.notices == [
        Notice(
            code="context_dropped",
            message="The 8 oldest messages did not fit; the model reads at most 1,024 tokens at once.",
            details={"messages": 8, "turns": 4, "window": 1024, "at_least": False},
        )
    ]


def test_a_thread_that_reaches_back_further_is_said_to() -> None:
    assert Window(size=8192, older=True).notices[0].message.startswith("The oldest messages did not fit")


def test_what_the_answer_has_brought_counts_from_the_beginning() -> None:
    window = Window(size=1024)
    kept = window.begun(thread(3), so_far=(PromptMessage(role="assistant", content="y" * 2500),))
    assert kept == (SYSTEM, PromptMessage(role="user", content="now"))


def test_the_results_of_the_rounds_are_shortened_as_they_come_and_the_newest_has_the_most() -> None:
    window = Window(size=2048)
    messages = window.begun(thread(1))
    for rounds in range(1, 6):
        messages = (*messages, *called("r" * 6000))
        given = window.fitted(messages)
        assert of_messages(given) <= window.room
        results = [len(message.content) for message in given if message.role == "tool"]
        assert len(results) == rounds
        assert results[-1] == max(results)
    assert "tool_results_shortened" in codes(window)
    assert messages[-1].content == "r" * 6000  # the next turn decides anew


def test_what_was_left_out_earlier_is_counted_with_what_is_left_out_later() -> None:
    window = Window(size=2048)
    messages = window.begun(thread(12))
    dropped = window.notices[0].details["messages"]  # type: ignore[index]
    window.fitted((*messages, *called(*["r" * 300] * 12)))
    assert window.notices[0].details["messages"] > dropped > 0  # type: ignore[index]


def test_a_count_of_the_server_s_that_is_higher_than_ours_makes_the_room_smaller() -> None:
    window = Window(size=8192)
    window.fitted(thread(10))
    window.counted(Usage(prompt_tokens=2 * of_messages(thread(10))))
    assert window.room < 6144 / 1.8
    window.counted(Usage(prompt_tokens=3))  # the rest it had read before
    window.counted(Usage())
    assert window.room < 6144 / 1.8


@pytest.mark.parametrize(
    ("numbers", "size"),
    [
        ({}, None),  # it says only that it was too much
        ({}, 2048),  # what is known of the model by now
        ({"n_ctx": 2048}, None),
        ({"n_ctx": 2048, "n_prompt_tokens": 9000}, None),
        ({"n_prompt_tokens": 90_000}, None),
    ],
)
def test_what_was_too_much_is_asked_with_less(numbers: dict[str, int], size: int | None) -> None:
    window = Window(size=131_072)
    asked = window.begun(thread(40))
    less = window.shorter(asked, too_much(**numbers), size=size)
    assert less is not None
    assert of_messages(less) <= of_messages(asked) * 0.76
    assert (less[0], less[-1]) == (SYSTEM, asked[-1])
    assert window.notices[0].code == "context_dropped"
    if numbers.get("n_ctx") or size:
        assert of_messages(less) <= 1536
        assert window.notices[0].details["window"] == 2048  # type: ignore[index]


def test_where_there_is_nothing_less_the_server_has_the_last_word() -> None:
    window = Window(size=1024)
    asked = window.begun((SYSTEM, PromptMessage(role="user", content="x" * 9000)))
    assert len(asked) == 2
    assert window.shorter(asked, too_much(), size=1024) is None


def test_a_turn_that_was_made_ready_to_be_gone_on_with_stays_ready() -> None:
    window = Window(size=131_072)
    begun = PromptMessage(role="assistant", content="So far ", thinking="Hm.")
    asked = window.fitted((*thread(10), begun))
    ready = PromptMessage(role="assistant", content="So far")
    less: Any = window.shorter((*asked[:-1], ready), too_much(n_ctx=1024))
    assert less[-1] == ready
    assert len(less) < len(asked)
