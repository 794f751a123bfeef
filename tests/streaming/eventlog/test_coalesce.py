from hypothesis import given
from hypothesis import strategies as st

from streaming.eventlog.coalesce import Coalescer
from streaming.protocol.events import Event, MessageDelta, RunCancelling, StepInProgress

RUN = "run"


def text(content: str) -> MessageDelta:
    return MessageDelta(run_id=RUN, content=content)


def thought(details: str, step: str = "r") -> StepInProgress:
    return StepInProgress(run_id=RUN, step_id=step, step="reasoning", details=details)


def output(piece: str, step: str = "t") -> StepInProgress:
    return StepInProgress(run_id=RUN, step_id=step, step="tool_calls", output=piece)


def sentence(details: str) -> StepInProgress:
    return StepInProgress(run_id=RUN, step_id="t", step="tool_calls", details=details)


STOP = RunCancelling(run_id=RUN, thread_id="thread")


def coalescer() -> Coalescer:
    return Coalescer(interval=40, limit=10)


def test_the_first_delta_goes_at_once():
    assert coalescer().add(text("a"), 1000) == [text("a")]


def test_later_deltas_are_joined_until_the_interval_is_over():
    joiner = coalescer()
    joiner.add(text("a"), 1000)
    assert joiner.add(text("b"), 1010) == []
    assert joiner.add(text("c"), 1019) == []
    assert joiner.deadline == 1040
    assert joiner.add(text("d"), 1040) == [text("bcd")]
    assert joiner.deadline is None


def test_a_delta_after_a_silence_goes_at_once():
    joiner = coalescer()
    joiner.add(text("a"), 1000)
    assert joiner.add(text("b"), 2000) == [text("b")]


def test_enough_characters_do_not_wait():
    joiner = coalescer()
    joiner.add(text("a"), 1000)
    assert joiner.add(text("0123456789"), 1001) == [text("0123456789")]


def test_any_other_event_is_preceded_by_what_was_held():
    joiner = coalescer()
    joiner.add(text("a"), 1000)
    joiner.add(text("b"), 1001)
    assert joiner.add(STOP, 1002) == [text("b"), STOP]


def test_thinking_and_text_are_never_joined():
    joiner = coalescer()
    joiner.add(thought("a"), 1000)
    joiner.add(thought("b"), 1001)
    assert joiner.add(text("c"), 1002) == [thought("b"), text("c")]


def test_outputs_of_two_tools_are_never_joined():
    joiner = coalescer()
    joiner.add(output("a", "one"), 1000)
    joiner.add(output("b", "two"), 1001)
    assert joiner.add(output("c", "one"), 1002) == []
    assert joiner.add(output("d", "two"), 1003) == [output("c", "one")]
    assert joiner.flush(1004) == [output("d", "two")]


def test_a_tools_sentences_are_never_joined():
    joiner = coalescer()
    joiner.add(sentence("Using tool a…"), 1000)
    assert joiner.add(sentence("Using tool b…"), 1001) == [sentence("Using tool b…")]


def test_a_flush_gives_what_is_held_once():
    joiner = coalescer()
    joiner.add(text("a"), 1000)
    joiner.add(text("b"), 1001)
    assert joiner.flush(1002) == [text("b")]
    assert joiner.flush(1003) == []


EVENTS = st.one_of(
    st.text("xyz", min_size=1, max_size=4).map(text),
    st.builds(thought, st.text("xyz", min_size=1, max_size=4), st.sampled_from("rs")),
    st.builds(output, st.text("xyz", min_size=1, max_size=4), st.sampled_from("tu")),
    st.just(STOP),
)


def flat(events: list[Event]) -> list[tuple[str, ...]]:
    """One entry a character, so that joined and single deltas compare equal."""
    facts: list[tuple[str, ...]] = []
    for event in events:
        if isinstance(event, MessageDelta):
            facts += [("text", letter) for letter in event.content]
        elif isinstance(event, StepInProgress):
            kind = event.details if isinstance(event.details, str) else event.output
            facts += [(event.step, event.step_id, letter) for letter in str(kind)]
        else:
            facts.append((event.name,))
    return facts


@given(st.lists(st.tuples(EVENTS, st.integers(0, 60))))
def test_nothing_is_lost_doubled_or_reordered_and_nothing_is_held_too_long(script: list[tuple[Event, int]]):
    joiner, now, out = coalescer(), 1000, []
    for event, pause in script:
        now += pause
        if joiner.deadline is not None and joiner.deadline <= now:
            out += joiner.flush(now)
        out += joiner.add(event, now)
        assert joiner.deadline is None or now <= joiner.deadline <= now + 40
    out += joiner.flush(now)
    assert flat(out) == flat([event for event, _ in script])
