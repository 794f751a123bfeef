"""A run whose process dies, wherever that is, with a model that goes on: one legal history, the whole answer once."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.engine.continuation import Continuation
from streaming.engine.machine import Ask, End, Park, RunMachine, RunTools
from streaming.engine.parking import Approved, Ruling
from streaming.protocol.events import Event
from streaming.protocol.objects import Usage
from streaming.providers.base import Chunk, Finish, PromptMessage, Text, Thinking, ToolCall
from tests.support.histories import Told, assert_valid
from tests.support.runs import CREATED, new_machine, opening_events

STOP = Finish(reason="stop", usage=Usage())


@dataclass(frozen=True)
class Turn:
    """What the model says in one turn: ``words`` of answer, so many ``thoughts``, and the tools that it calls."""

    words: int
    thoughts: int
    calls: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """Says the same whenever it is asked the same. Where its turn is begun for it, it goes on without thinking."""

    turns: tuple[Turn, ...]
    size: int  # characters of a piece

    @property
    def whole(self) -> str:
        return "".join(self._text(number) for number in range(len(self.turns)))

    def says(self, messages: tuple[PromptMessage, ...]) -> list[Chunk]:
        number = min(sum(bool(message.tool_calls) for message in messages), len(self.turns) - 1)
        turn, text = self.turns[number], self._text(number)
        calls: list[Chunk] = [
            ToolCall(id=f"{number}.{place}", name=name, arguments={"turn": number, "place": place})
            for place, name in enumerate(turn.calls)
        ]
        last = messages[-1]
        if last.role == "assistant" and not last.tool_calls:
            continuation = Continuation(last.content)
            told = last.content.rstrip()
            assert text.startswith(told), "it is asked to go on with what it never said"
            return continuation.take([*self._cut(text[len(told) :]), *calls, STOP])
        thoughts: list[Chunk] = [Thinking(f"thought {place}. ") for place in range(turn.thoughts)]
        return [*thoughts, *self._cut(text), *calls, STOP]

    def _text(self, number: int) -> str:
        return "".join(f"w{number}.{place} " for place in range(self.turns[number].words))

    def _cut(self, text: str) -> list[Chunk]:
        return [Text(text[start : start + self.size]) for start in range(0, len(text), self.size)]


@dataclass
class Life:
    """One process's work on the run, on the log that it found; ``ran`` counts each call of the model's."""

    model: Model
    guarded: frozenset[str]
    ran: Counter[tuple[int, int]]
    log: list[Event]
    at: float = CREATED
    machine: RunMachine = field(init=False)

    def asks(self, tool: str, arguments: dict[str, Any]) -> bool:
        return tool in self.guarded

    def to_the_end(self) -> list[Event]:
        self._take_up()
        while True:
            match self.machine.next:
                case End(outcome):
                    return self._tell(self.machine.end(outcome, at=self.tick()).events)
                case Park():
                    self._tell(self.machine.park(at=self.tick()).events)
                    self._take_up()
                case Ask(messages):
                    for chunk in self.model.says(messages):
                        self._tell(self.machine.feed([chunk], at=self.tick()))
                    self._tell(self.machine.turn_ended(at=self.tick()))
                case RunTools(calls):
                    call = calls[-1]
                    self.ran[call.arguments["turn"], call.arguments["place"]] += 1
                    self._tell(self.machine.tool_ended(call.step_id, output="done", at=self.tick()))

    def tick(self) -> float:
        self.at += 0.25
        return self.at

    def _take_up(self) -> None:
        self.machine = new_machine(self.log)
        run = self.machine.run
        if run.status == "requires_action":
            rulings: dict[str, Ruling] = {
                step.id: Approved(step.arguments or {}) for step in self.machine.state.open_steps
            }
            self._tell(self.machine.go_on(at=self.tick(), rulings=rulings, asks=self.asks))
        else:
            self._tell(self.machine.begin(at=self.tick(), attempt=run.attempt + 1, asks=self.asks))

    def _tell(self, events: list[Event]) -> list[Event]:
        self.log = [*self.log, *events]
        return self.log


TURNS = st.builds(
    Turn,
    words=st.integers(0, 4),
    thoughts=st.integers(0, 2),
    calls=st.lists(st.sampled_from(["calculator", "write_journal"]), min_size=1, max_size=2).map(tuple),
)
LAST_TURNS = st.builds(Turn, words=st.integers(0, 6), thoughts=st.integers(0, 2), calls=st.just(()))
MODELS = st.builds(
    Model,
    turns=st.tuples(st.lists(TURNS, max_size=2), LAST_TURNS).map(lambda turns: (*turns[0], turns[1])),
    size=st.integers(1, 9),
)
GUARDED = st.sampled_from([frozenset(), frozenset({"write_journal"})])


def lived(model: Model, guarded: frozenset[str], *cuts: int) -> tuple[list[Event], Counter[tuple[int, int]]]:
    """The history of a run whose process died each time after so many events of its own, and what ran."""
    log, at = opening_events(), CREATED
    for cut in cuts:
        life = Life(model, guarded, Counter(), log, at)
        told = life.to_the_end()
        log, at = told[: min(len(log) + cut, _last_cut(told))], life.at
    last = Life(model, guarded, _begun(log), log, at)
    return last.to_the_end(), last.ran


def _last_cut(log: list[Event]) -> int:
    """The end of an answer and of its run are written together, or not at all."""
    return next(place for place, event in enumerate(log) if event.name.startswith("thread.message.comp"))


def _begun(log: list[Event]) -> Counter[tuple[int, int]]:
    """The calls whose tools had begun: for all that anybody knows, they did their work."""
    calls = {event.step.id: event.step.arguments for event in log if event.name == "thread.run.step.created"}
    begun = {event.step_id for event in log if event.name == "thread.run.step.in_progress"}
    return Counter((calls[step]["turn"], calls[step]["place"]) for step in begun if calls[step] is not None)


def assert_whole(model: Model, history: list[Event], ran: Counter[tuple[int, int]]) -> Told:
    told = assert_valid(history)
    assert history[-1].name == "thread.run.completed"
    assert told.text == model.whole, "the whole answer, and once"
    assert all(times == 1 for times in ran.values()), "a tool runs once, whoever runs it"
    return told


@settings(max_examples=60, deadline=None)
@given(MODELS, GUARDED)
def test_cut_anywhere_the_answer_is_whole_and_no_tool_runs_twice(model: Model, guarded: frozenset[str]) -> None:
    whole, ran = lived(model, guarded)
    assert_whole(model, whole, ran)
    for cut in range(len(whole) - len(opening_events())):
        history, ran = lived(model, guarded, cut)
        assert_whole(model, history, ran)


@settings(max_examples=200, deadline=None)
@given(MODELS, GUARDED, st.lists(st.integers(0, 30), min_size=2, max_size=4))
def test_cut_again_and_again_as_well(model: Model, guarded: frozenset[str], cuts: list[int]) -> None:
    history, ran = lived(model, guarded, *cuts)
    told = assert_whole(model, history, ran)
    assert told.final.status == "completed"
    attempts = [event.attempt for event in history if event.name == "thread.run.in_progress"]
    assert attempts == sorted(attempts)
