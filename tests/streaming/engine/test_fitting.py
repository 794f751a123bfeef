"""Whatever the thread and whatever the window: the prompt fits, or there is no less to ask with."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.engine.fitting import STEPS, Fitted, fit
from streaming.engine.shortening import SHORTEST, shortened
from streaming.engine.tokens import of_message, of_messages
from streaming.providers.base import PromptCall, PromptMessage

WORDS = st.sampled_from(["a", "word ", "слово ", "漢字", "👩‍💻"])
TEXTS = st.builds(lambda word, times: word * times, WORDS, st.integers(1, 300))


def said(role: str, text: str = "word " * 40) -> PromptMessage:
    return PromptMessage(role=role, content=text)


def tool_round(*results: str, name: str = "search") -> list[PromptMessage]:
    calls = tuple(PromptCall(id=str(at), name=name, arguments={"q": at}) for at in range(len(results)))
    told = [
        PromptMessage(role="tool", content=text, tool_call_id=call.id, tool_name=name)
        for call, text in zip(calls, results, strict=True)
    ]
    return [PromptMessage(role="assistant", content="", tool_calls=calls), *told]


def exchange(question: str, *rounds: list[PromptMessage], answer: str = "So.") -> list[PromptMessage]:
    return [said("user", question), *(message for each in rounds for message in each), said("assistant", answer)]


@st.composite
def exchanges(draw: st.DrawFn) -> list[PromptMessage]:
    results = draw(st.lists(st.lists(TEXTS.map(lambda text: text * 5), min_size=1, max_size=2), max_size=2))
    return exchange(draw(TEXTS), *(tool_round(*each) for each in results), answer=draw(TEXTS))


@st.composite
def prompts(draw: st.DrawFn) -> list[PromptMessage]:
    """A thread with its question; of an answer under way also what it has brought."""
    system = [said("system", draw(TEXTS))] if draw(st.booleans()) else []
    begins_late = [said("assistant", draw(TEXTS))] if draw(st.booleans()) else []
    before = [message for each in draw(st.lists(exchanges(), max_size=4)) for message in each]
    last = draw(exchanges())[:-1] if draw(st.booleans()) else [said("user", draw(TEXTS))]
    return [*system, *begins_late, *before, *last]


def last_exchange(messages: Sequence[PromptMessage]) -> list[PromptMessage]:
    at = max(at for at, message in enumerate(messages) if message.role == "user")
    return list(messages[at:])


def exchange_before(messages: Sequence[PromptMessage], end: int) -> int:
    """Where the exchange begins that ends there."""
    begins = [0, *(at for at in range(1, end) if messages[at].role == "user" and messages[at - 1].role != "user")]
    return max(begins[-1], sum(message.role == "system" for message in messages))


def least(messages: Sequence[PromptMessage]) -> int:
    return sum(
        of_message(PromptMessage(role="tool", content=shortened(message.content, keep=SHORTEST)))
        if message.role == "tool"
        else of_message(message)
        for message in messages
    )


@settings(max_examples=80)
@given(prompts(), st.integers(-10, 8_000))
def test_it_fits_or_is_the_least_there_is(messages: list[PromptMessage], room: int) -> None:
    fitted = fit(messages, room=room)
    system = [message for message in messages if message.role == "system"]
    assert fitted.tokens == of_messages(fitted.messages)
    if of_messages(messages) <= room:
        assert fitted == Fitted(messages=tuple(messages), tokens=of_messages(messages), begins=len(system))
    elif fitted.tokens > room:
        assert messages[fitted.begins :] == last_exchange(messages)
        assert fitted.tokens <= least([*system, *last_exchange(messages)])
    if (
        fitted.turns
    ):  # with one exchange more there would have been less to spare than a step, however short its results
        before = exchange_before(messages, fitted.begins)
        assert least([*system, *messages[before:]]) > room - max(1, room // STEPS)


@settings(max_examples=80)
@given(prompts(), st.integers(-10, 8_000))
def test_what_is_left_is_the_end_of_the_thread_with_every_result_beside_its_call(
    messages: list[PromptMessage], room: int
) -> None:
    fitted = fit(messages, room=room)
    system = [message for message in messages if message.role == "system"]
    assert list(fitted.messages[: len(system)]) == system
    told, kept = fitted.messages[len(system) :], messages[fitted.begins :]
    assert len(kept) >= len(last_exchange(messages))
    for mine, whole in zip(told, kept, strict=True):
        assert mine == whole or (mine.role == "tool" and mine.tool_call_id == whole.tool_call_id)
    waiting: list[str | None] = []
    for before, message in pairwise([PromptMessage(role="", content=""), *told]):
        assert not (before.role == message.role == "user")
        assert (message.role == "tool") == bool(waiting)
        waiting = waiting[1:] if waiting else [call.id for call in message.tool_calls]


def test_the_oldest_exchanges_go_first_and_are_counted() -> None:
    thread = [*exchange("1" * 400), *exchange("2" * 400), *exchange("3" * 400), said("user", "now")]
    fitted = fit(thread, room=300)
    assert [message.content[0] for message in fitted.messages] == ["2", "S", "3", "S", "n"]
    assert (fitted.turns, fitted.dropped, fitted.shortened) == (1, 2, ())


def test_an_answer_with_tool_rounds_counts_as_one_message() -> None:
    thread = [*exchange("1", tool_round("a"), tool_round("b")), said("user", "x" * 4000)]
    assert (fit(thread, room=900).turns, fit(thread, room=900).dropped) == (1, 2)


def test_results_are_shortened_before_an_exchange_is_left_out_the_newest_the_least() -> None:
    thread = [
        *exchange("1", tool_round("a" * 20_000, name="old")),
        *exchange("2", tool_round("b" * 20_000, name="new")),
        said("user", "now"),
    ]
    fitted = fit(thread, room=6000)
    results = [len(message.content) for message in fitted.messages if message.role == "tool"]
    assert (fitted.turns, fitted.shortened) == (0, ("old",))
    assert results[1] == 20_000
    assert SHORTEST < results[0] < 4_000
    assert 5400 < fitted.tokens <= 6000


def test_the_results_of_the_answer_under_way_are_shortened_too() -> None:
    under_way = [said("user", "now"), *tool_round("a" * 20_000, "b" * 20_000, name="search")]
    fitted = fit(under_way, room=2000)
    assert fitted.tokens <= 2000
    assert [message.role for message in fitted.messages] == ["user", "assistant", "tool", "tool"]
    assert fitted.shortened == ("search",)


def test_most_questions_begin_with_the_same_words_as_the_one_before() -> None:
    thread = [said("system", "Be brief.")]
    beginnings = []
    for number in range(60):
        thread.append(said("user", f"{number} " + "x" * 400))
        fitted = fit(thread, room=4000)
        assert fitted.tokens <= 4000
        beginnings.append(fitted.messages[1])
        thread += [*tool_round("r" * 2000), said("assistant", f"{number} " + "y" * 400)]
    changes = sum(one != other for one, other in pairwise(beginnings))
    assert 3 < changes < 24  # of 59; and always something was left out but for the first few
