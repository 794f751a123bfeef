import itertools
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.providers.openai_calls import MAX_CALLS, BadCalls, CallJoiner


def joined(*deltas, max_text=10_000) -> list[tuple]:
    """Each delta is the list of pieces of one chunk."""
    made = itertools.count(1)
    joiner = CallJoiner(max_text=max_text, make_id=lambda: f"made{next(made)}")
    for delta in deltas:
        joiner.add(delta)
    return [(call.id, call.name, call.arguments) for call in joiner.calls()]


def piece(index=None, id=None, name=None, arguments=None, **more) -> dict:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {
        **({} if index is None else {"index": index}),
        **({} if id is None else {"id": id}),
        "function": function,
        **more,
    }


def test_pieces_of_one_index_are_one_call():
    pieces = [piece(0, "a", "clock", ""), piece(0, arguments='{"x"'), piece(0, arguments=": 1}")]
    assert joined(*([one] for one in pieces)) == [("a", "clock", {"x": 1})]


def test_calls_whose_pieces_are_interleaved_are_told_apart_by_their_index():
    pieces = [
        piece(0, "a", "one", '{"n":'),
        piece(1, "b", "two", '{"n":'),
        piece(0, arguments="1}"),
        piece(1, arguments="2}"),
    ]
    assert joined(pieces) == [("a", "one", {"n": 1}), ("b", "two", {"n": 2})]


def test_an_id_that_is_repeated_is_the_same_call():
    pieces = [piece(0, "a", "clock", '{"x"'), piece(0, "a", None, ":1}"), piece(0, "a", "", "")]
    assert joined(pieces) == [("a", "clock", {"x": 1})]


def test_another_id_at_the_same_index_is_another_call():
    pieces = [piece(0, "a", "one", "{}"), piece(0, "b", "two", "{}")]
    assert joined(pieces) == [("a", "one", {}), ("b", "two", {})]


def test_calls_that_all_say_index_zero_and_repeat_their_ids_may_be_interleaved():
    pieces = [
        piece(0, "a", "one", '{"n":'),
        piece(0, "b", "two", '{"n":'),
        piece(0, "a", None, "1}"),
        piece(0, "b", None, "2}"),
    ]
    assert joined(pieces) == [("a", "one", {"n": 1}), ("b", "two", {"n": 2})]


def test_the_same_id_at_two_indexes_is_two_calls_with_ids_of_their_own():
    assert joined([piece(0, "a", "one", "{}"), piece(1, "a", "two", "{}")]) == [("a", "one", {}), ("made1", "two", {})]


@pytest.mark.parametrize("id", [None, ""])
def test_without_an_id_one_is_made_up(id):
    assert joined([piece(0, id, "one", "{}"), piece(1, id, "two", "{}")]) == [
        ("made1", "one", {}),
        ("made2", "two", {}),
    ]


@pytest.mark.parametrize("index", [None, 0])
@pytest.mark.parametrize("second", ["two", "one"])
def test_whole_calls_without_ids_at_one_place_are_told_apart(index, second):
    pieces = [piece(index, "", "one", '{"n": 1}'), piece(index, "", second, '{"n": 2}')]
    assert joined(pieces) == [("made1", "one", {"n": 1}), ("made2", second, {"n": 2})]


def test_a_name_that_is_repeated_in_each_piece_is_set_once_and_begins_nothing():
    pieces = [piece(0, None, "clock", '{"x": {}'), piece(0, None, "clock", "}"), piece(0, None, "clock", "")]
    assert joined(*([one] for one in pieces)) == [("made1", "clock", {"x": {}})]


@pytest.mark.parametrize("empty", ["", None, "  "])
def test_empty_arguments_are_none(empty):
    assert joined([piece(0, "a", "clock", empty)]) == [("a", "clock", {})]


@pytest.mark.parametrize("text", ['{"a": ', '{"a": Tokyo}', "[1]", "{}{}", '{"a": NaN}', '{"a":' * 80 + "1" + "}" * 80])
def test_arguments_that_are_no_object_are_kept_and_are_none(text):
    joiner = CallJoiner(max_text=10_000, make_id=str)
    joiner.add([piece(0, "a", "clock", text)])
    (call,) = joiner.calls()
    assert (call.arguments, call.invalid_arguments) == (None, text)


def test_arguments_that_came_as_an_object_are_taken():
    assert joined([piece(0, "a", "clock", {"tz": "Asia/東京"})]) == [("a", "clock", {"tz": "Asia/東京"})]


def test_a_piece_without_a_function_adds_nothing():
    assert joined([{"index": 0, "id": "a", "type": "function"}, piece(0, None, "clock", "{}")]) == [("a", "clock", {})]


@pytest.mark.parametrize("index", ["0", 1.5, True, None])
def test_an_index_that_is_none_is_the_first_place(index):
    assert joined([piece(0, "a", "clock", '{"x":'), {"index": index, "function": {"arguments": "1}"}}]) == [
        ("a", "clock", {"x": 1})
    ]


@pytest.mark.parametrize(
    "pieces",
    [
        {"index": 0},
        "call",
        ["call"],
        [None],
        [{"function": "clock"}],
        [piece(0, "a", "b", 7)],
        [piece(0, "a", "b", [1])],
    ],
)
def test_what_is_no_call_is_refused(pieces):
    with pytest.raises(BadCalls, match="bad_tool_calls"):
        joined(pieces)


def test_more_calls_than_any_turn_has_are_refused():
    with pytest.raises(BadCalls, match="too_many"):
        joined([piece(index, f"id{index}", "clock", "{}") for index in range(MAX_CALLS + 1)])


def test_more_text_than_allowed_is_refused():
    assert joined([piece(0, "a", "b", '{"x":12}')], max_text=10)
    with pytest.raises(BadCalls, match="too_long"):
        joined([piece(0, "a", "b", '{"x":12}'), piece(0, None, None, " ")], max_text=10)


ARGUMENTS = st.dictionaries(st.text(max_size=3), st.text(max_size=6) | st.integers() | st.none(), max_size=3)


@given(st.lists(ARGUMENTS, min_size=1, max_size=4), st.data())
def test_whatever_the_cuts_and_the_order_of_the_pieces_the_calls_are_whole(calls, data):
    """As OpenAI sends them: named first, then by index, those of several calls in any order."""
    streams = []
    for index, arguments in enumerate(calls):
        text = json.dumps(arguments, ensure_ascii=False)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
        parts = [text[start:end] for start, end in itertools.pairwise([0, *cuts, len(text)])]
        streams.append(
            [piece(index, f"id{index}", f"tool{index}", ""), *(piece(index, arguments=part) for part in parts)]
        )
    pieces = [streams[0].pop(0)]
    while any(streams):
        waiting = [stream for stream in streams if stream]
        pieces.append(waiting[data.draw(st.integers(0, len(waiting) - 1))].pop(0))
    found = {name: (id, arguments) for id, name, arguments in joined(*([one] for one in pieces))}
    assert found == {f"tool{index}": (f"id{index}", arguments) for index, arguments in enumerate(calls)}


def test_pieces_that_each_look_like_an_end_are_joined_in_no_time():
    joiner = CallJoiner(max_text=10**6, make_id=lambda: "made")
    since = time.process_time()
    joiner.add([{"function": {"name": "n", "arguments": '{"a":"'}}])
    joiner.add([{"function": {"name": "n", "arguments": "}"}}] * 20_000)
    joiner.add([{"function": {"name": "n", "arguments": '"}'}}])
    assert time.process_time() - since < 1.0
    (call,) = joiner.calls()
    assert call.arguments == {"a": "}" * 20_000}


def test_ids_take_room_too():
    with pytest.raises(BadCalls, match="tool_calls_too_long"):
        joined([piece(0, "i" * 600, "n"), piece(1, "j" * 600, "n")], max_text=1000)
    joined([piece(0, "i" * 600, "n"), piece(0, "i" * 600, "n")], max_text=1000)  # one that is repeated is kept once
