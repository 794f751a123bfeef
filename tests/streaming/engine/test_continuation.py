"""Does a model go on? Every answer a model may give to a turn that was begun for it, in every slice."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streaming.engine.continuation import (
    HELD_BACK,
    CannotContinue,
    Continuation,
    Continued,
    judge,
    refuses_to_continue,
)
from streaming.protocol.errors import ContextExceeded, UpstreamBusy, UpstreamRefused
from streaming.protocol.objects import Usage
from streaming.providers.base import Chunk, Finish, Text, Thinking, ToolCall

STOP = Finish(reason="stop", usage=Usage())
LONG = " ".join(f"word{number}" for number in range(400))  # 3,089 characters
VERY_LONG = " ".join(f"word{number}" for number in range(1500))
SKY = "The sky is blue because sunlight is scattered by the air: short waves more than long ones."


def told(so_far: str, said: str, *, size: int | None = None) -> str | None:
    """What is told of a whole turn that says ``said``, in pieces of ``size``; None where it is no continuation."""
    continuation = Continuation(so_far)
    size = size or max(1, len(said))
    pieces: list[Chunk] = [Text(said[at : at + size]) for at in range(0, len(said), size)]
    try:
        chunks = [chunk for piece in [*pieces, STOP] for chunk in continuation.take([piece])]
    except CannotContinue:
        return None
    assert chunks[-1] == STOP
    return "".join(chunk.text for chunk in chunks[:-1] if isinstance(chunk, Text))


GOES_ON = [
    (SKY, " So the light of evening is red.", " So the light of evening is red."),
    (SKY, "", ""),
    (SKY, ".", "."),
    ("Once", " upon a time", " upon a time"),
    ("The sky is bl", "ue, mostly.", "ue, mostly."),
    # White space at the end was not sent, so that the model says it again.
    ("The sky is ", " blue.", "blue."),
    ("The sky is ", "blue.", "blue."),
    ("First.\n\n", "\n\nSecond.", "Second."),
    ("First.\n\n", "\n- one", "- one"),
    ("First.\n", "\n\nSecond.", "\nSecond."),
    # Words that only happen to be the same.
    ("It was what it was and so it is", " is it not?", " is it not?"),
    ("that is all that it is", " it is raining", " it is raining"),
    ("0, 0, 0, 0, 0, 0, 0, 0, 0, 0,", " 0, 0, 0, 0, 0, 0, 0, 0, 1.", " 0, 0, 0, 0, 0, 0, 0, 0, 1."),
    ("}\n});\n});\n});\n});\n", "\n});\n});\n});\n});\n", "});\n});\n});\n});\n"),
    ("It is really really really", " really really really good", " really really really good"),
    ("He said: be great", " be great again", " be great again"),
    ("What is in the catnip is in", "nip is in the box", "nip is in the box"),
    ("We need a ", " need to be free", "need to be free"),
    ("ab", "ba", "ba"),
    (LONG, " word1 is one", " word1 is one"),
    (LONG, f" {LONG[1000:1100]} and elsewhere", f" {LONG[1000:1100]} and elsewhere"),
    # Nothing to compare with.
    ("   ", "   Hello", "Hello"),
    ("", "Hello", "Hello"),
]
REPEATS = [
    (SKY, "short waves more than long ones. So it is.", " So it is."),
    (SKY, SKY[-20:], ""),
    (SKY, f"  {SKY[-30:]} And", " And"),
    (SKY[:-6], "than long ones.", " ones."),
    ("The sky is blue because sunli", "because sunlight is", "ght is"),
    ("t0 t1 t2 t3 t4 t5", "t4 t5 t6", " t6"),
    ("The sky is blue since ", "blue since light", "light"),
    (
        "天空是蓝色的，因为阳光被空气散射：短波散射得比长波多得多，所以我们看到",
        "：短波散射得比长波多得多，所以我们看到蓝色。",
        "蓝色。",
    ),
    (LONG, f"{LONG[-1500:]} more", " more"),
    (f"{LONG}\n", f"{LONG[-300:]}\nmore", "more"),
]
BEGINS_AGAIN = [
    (SKY, SKY),
    (SKY, f"{SKY} And more."),
    (SKY, f"\n\n{SKY}"),
    (SKY, SKY[:30] + "the ocean is."),
    (SKY, SKY[:10]),
    ("Once", "Once upon a time"),
    (" Once", "Once upon a time"),
    ("I", "I think so."),
    (LONG, LONG),
    (LONG, LONG[:HELD_BACK] + " something else"),
    (LONG, LONG[:30] + " something else"),
    (VERY_LONG, VERY_LONG[:250]),
    (LONG, LONG[500:900] + " something else"),  # from the middle, and elsewhere from there
]


@pytest.mark.parametrize("size", [None, 1, 3])
@pytest.mark.parametrize(("so_far", "said", "more"), GOES_ON)
def test_what_goes_on_is_told_as_it_came(so_far: str, said: str, more: str, size: int | None) -> None:
    assert told(so_far, said, size=size) == more


@pytest.mark.parametrize("size", [None, 1, 3])
@pytest.mark.parametrize(("so_far", "said", "more"), REPEATS)
def test_a_tail_that_is_said_again_is_cut(so_far: str, said: str, more: str, size: int | None) -> None:
    assert told(so_far, said, size=size) == more


@pytest.mark.parametrize("size", [None, 1, 3])
@pytest.mark.parametrize(("so_far", "said"), BEGINS_AGAIN)
def test_an_answer_that_begins_again_is_no_continuation(so_far: str, said: str, size: int | None) -> None:
    assert told(so_far, said, size=size) is None


def test_new_words_are_held_back_for_no_longer_than_they_could_be_old_ones() -> None:
    continuation = Continuation(SKY)
    assert continuation.take([Text(" The")]) == []
    assert continuation.take([Text(" light")]) == [Text(" The light")]
    assert continuation.take([Text(" x")]) == [Text(" x")]


def test_at_most_200_characters_of_an_answer_that_begins_again_are_waited_for() -> None:
    continuation = Continuation(LONG)
    assert continuation.take([Text(LONG[: HELD_BACK - 1])]) == []
    with pytest.raises(CannotContinue):
        continuation.take([Text(LONG[HELD_BACK - 1])])


def test_what_varies_too_little_to_be_told_apart_is_held_back_for_200_characters_only() -> None:
    continuation = Continuation("ha " * 500)
    assert continuation.take([Text("ah" + "aa" * 50)]) != []
    continuation = Continuation("x" + "ha " * 500)
    assert continuation.take([Text("ha " * 60)]) == []
    assert continuation.take([Text("ha " * 7)]) == [Text("ha " * 67)]


def test_white_space_is_held_back_for_200_characters_only() -> None:
    continuation = Continuation("Once")
    assert continuation.take([Text(" " * 199)]) == []
    assert continuation.take([Text(" ")]) == [Text(" " * 200)]


def test_a_tool_call_ends_the_holding_back_and_comes_after_the_text() -> None:
    call = ToolCall(id="c", name="clock", arguments={})
    continuation = Continuation(SKY)
    assert continuation.take([Text("sunlight"), call, STOP]) == [Text("sunlight"), call, STOP]
    assert continuation.take([Text("x")]) == [Text("x")]


def test_a_model_that_thinks_first_all_the_same_is_judged_by_its_text() -> None:
    continuation = Continuation(SKY)
    assert continuation.take([Thinking("hm"), Text(SKY[:8])]) == [Thinking("hm")]
    with pytest.raises(CannotContinue):
        continuation.take([Text(SKY[8:])])


def test_what_is_held_back_when_the_turn_breaks_off_is_not_lost() -> None:
    continuation = Continuation(SKY)
    assert continuation.take([Text("sunlight")]) == []
    assert continuation.rest() == [Text("sunlight")]
    assert continuation.rest() == []


def test_only_a_refusal_of_the_request_itself_means_that_it_cannot_be_continued() -> None:
    assert refuses_to_continue(UpstreamRefused(details={"status": 400}))
    assert refuses_to_continue(UpstreamRefused(details={"status": 422}))
    assert not refuses_to_continue(UpstreamRefused(details={"status": 403}))
    assert not refuses_to_continue(UpstreamRefused(details={"status": 501}))
    assert not refuses_to_continue(UpstreamBusy(details={"status": 503}))
    assert not refuses_to_continue(ContextExceeded(details={"status": 400}))


WORDS = st.text(st.sampled_from("ab c\n漢😀"), max_size=60)


@settings(deadline=None)
@given(WORDS, WORDS, st.lists(st.integers(1, 7), max_size=30))
@example("abc abc abc", "abc abc", [])
def test_the_judgement_does_not_depend_on_the_cuts(so_far: str, said: str, sizes: list[int]) -> None:
    whole = told(so_far, said)
    assert told(so_far, said, size=1) == whole
    continuation, at, text = Continuation(so_far), 0, ""
    try:
        for size in [*sizes, len(said) + 1]:
            for chunk in continuation.take([Text(said[at : at + size])]):
                text += chunk.text  # type: ignore[union-attr]
            at += size
        text += "".join(chunk.text for chunk in continuation.rest())  # type: ignore[union-attr]
    except CannotContinue:
        assert whole is None
    else:
        assert text == whole


@settings(deadline=None)
@given(WORDS, WORDS)
def test_what_is_told_is_an_end_of_what_was_said_and_a_turn_that_is_over_is_judged(so_far: str, said: str) -> None:
    try:
        judged = judge(so_far, said, over=True)
    except CannotContinue:
        return
    assert isinstance(judged, Continued)
    assert said.endswith(judged.text)


@settings(deadline=None)
@given(st.integers(210, 3000), st.integers(1, 400), st.integers(20, 900))
def test_a_model_that_says_the_last_so_many_characters_again_adds_exactly_what_is_missing(
    cut: int, more: int, again: int
) -> None:
    """Nothing lost, nothing doubled, wherever the answer was cut."""
    so_far = LONG[:cut]
    said = LONG[max(1, cut - again) : cut + more]
    added = told(so_far, said)
    assert added is not None
    assert so_far + added == LONG[: cut + more] or so_far.rstrip() + added == LONG[: cut + more]
