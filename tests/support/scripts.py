"""What models and tools may say, as Hypothesis strategies, and a driver that plays it to a machine without any loop."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from streaming.engine.machine import Ask, End, Park, PendingCall, RunMachine, RunTools
from streaming.engine.parking import Approved, Ruling, denied
from streaming.engine.retold import as_messages, retell
from streaming.protocol.errors import ErrorObject
from streaming.protocol.events import Event
from streaming.protocol.objects import Usage
from streaming.providers.base import Chunk, Finish, PromptMessage, Text, Thinking, ToolCall
from tests.support.runs import CREATED, PROMPT, new_machine, opening_events

_TEXT = st.text(st.sampled_from("abc \n\x00\ud800é漢😀\u2028"), max_size=6)
_COUNT = st.none() | st.integers(0, 500)
_ARGUMENTS = st.none() | st.dictionaries(st.sampled_from("xy"), st.integers(0, 1) | _TEXT, max_size=2)


@st.composite
def _calls(draw: st.DrawFn) -> ToolCall:
    name, id = draw(st.sampled_from(["calculator", "clock", ""])), draw(st.sampled_from(["", "call_1", "call_2"]))
    return ToolCall(id=id, name=name, arguments=draw(_ARGUMENTS), invalid_arguments="{oops")


_CHUNKS = st.builds(Text, _TEXT) | st.builds(Thinking, _TEXT) | _calls()
_BATCHES = st.lists(_CHUNKS, max_size=4)
_FINISHES = st.builds(
    Finish,
    reason=st.sampled_from(["stop", "stop", "stop", "tool_calls", None, "other", "length", "content_filter"]),
    usage=st.builds(Usage, prompt_tokens=_COUNT, completion_tokens=_COUNT),
)


@dataclass(frozen=True)
class Turn:
    batches: list[list[Chunk]]
    finish: Finish


@dataclass(frozen=True)
class ToolAnswer:
    pieces: list[str]
    rest: str
    fails: bool


@dataclass(frozen=True)
class Script:
    """``guarded`` are the tools that a person is asked about; ``rulings`` are given in turn, None approves as asked."""

    turns: list[Turn]
    tools: list[ToolAnswer]
    guarded: frozenset[str] = frozenset()
    rulings: list[Ruling | None] = field(default_factory=lambda: [None])

    def asks(self, tool: str, arguments: dict[str, Any]) -> bool:
        return tool in self.guarded


SCRIPTS = st.builds(
    Script,
    turns=st.lists(st.builds(Turn, st.lists(_BATCHES, max_size=4), _FINISHES), min_size=1, max_size=4),
    tools=st.lists(st.builds(ToolAnswer, st.lists(_TEXT, max_size=2), _TEXT, st.booleans()), min_size=1, max_size=3),
    guarded=st.sampled_from([frozenset(), frozenset({"calculator"}), frozenset({"calculator", "clock", ""})]),
    rulings=st.lists(
        st.none() | st.builds(Approved, st.dictionaries(st.just("x"), st.integers(0, 3))) | st.builds(denied, _TEXT),
        min_size=1,
        max_size=3,
    ),
)


@dataclass
class Played:
    """What was fed, added up independently of the machine, and what the machine made of it."""

    machine: RunMachine  # another one after a park
    found: list[Event]
    events: list[Event] = field(default_factory=list)
    text: str = ""
    thinking: str = ""
    at: float = CREATED
    finished: bool = False  # the machine says that it is at its end
    ran: list[PendingCall] = field(default_factory=list)
    parks: int = 0
    # Each time the model is asked: with what, and what the fold of the log makes of it.
    asked: list[tuple[tuple[PromptMessage, ...], tuple[PromptMessage, ...]]] = field(default_factory=list)

    def tick(self) -> float:
        self.at += 0.25
        return self.at


def play(machine: RunMachine, script: Script, *, inputs: int = 10_000, found: list[Event] | None = None) -> Played:
    """Feed at most ``inputs`` inputs; the last turn says nothing but that it stops, so that every script has an end.

    ``found`` is the log on which ``machine`` stands. What is parked is gone on with by a new machine, on the log alone.
    """
    played = Played(machine, opening_events() if found is None else found)
    for act in _acts(script, played):
        if inputs == 0:
            break
        inputs -= 1
        played.events += act()
    else:
        played.finished = True
    return played


def _acts(script: Script, played: Played) -> Any:
    attempt = played.machine.run.attempt + 1
    yield lambda: played.machine.begin(at=played.tick(), attempt=attempt, asks=script.asks)
    turns = iter(script.turns)
    answers = 0
    while True:
        machine = played.machine
        match machine.next:
            case End():
                return
            case Park():
                rulings = _rulings(script, played)
                yield lambda: _park(played)
                yield lambda rulings=rulings: played.machine.go_on(at=played.tick(), rulings=rulings, asks=script.asks)
            case Ask(messages):
                retold = (*PROMPT, *as_messages(retell(machine.answer, machine.state.steps)))
                played.asked.append((messages, retold))
                turn = next(turns, Turn([], Finish(reason="stop", usage=Usage())))
                for batch in turn.batches:
                    yield lambda batch=batch: _feed(played.machine, played, batch)
                yield lambda turn=turn: played.machine.feed([turn.finish, Text("never said")], at=played.tick())
                yield lambda: played.machine.turn_ended(at=played.tick())
            case RunTools(calls):
                answer = script.tools[answers % len(script.tools)]
                answers += 1
                played.ran.append(calls[-1])
                yield from _tool(machine, played, calls[-1], answer)


def _rulings(script: Script, played: Played) -> dict[str, Ruling]:
    assert isinstance(played.machine.next, Park)
    rulings: dict[str, Ruling] = {}
    for number, call in enumerate(played.machine.next.calls):
        chosen = script.rulings[(played.parks + number) % len(script.rulings)]
        rulings[call.step_id] = Approved(call.arguments) if chosen is None else chosen
    return rulings


def _park(played: Played) -> list[Event]:
    events = played.machine.park(at=played.tick()).events
    played.parks += 1
    played.machine = new_machine([*played.found, *played.events, *events])
    return events


def _feed(machine: RunMachine, played: Played, batch: list[Chunk]) -> list[Event]:
    for chunk in batch:
        if isinstance(chunk, Text):
            played.text += _as_stored(chunk.text)
        elif isinstance(chunk, Thinking):
            played.thinking += _as_stored(chunk.text)
    return machine.feed(batch, at=played.tick())


def _tool(machine: RunMachine, played: Played, call: PendingCall, answer: ToolAnswer) -> Any:
    for piece in answer.pieces:
        yield lambda piece=piece: machine.tool_progress(call.step_id, output=piece, progress=0.5)
    error = ErrorObject(code="tool_failed", message="It broke.") if answer.fails else None
    output = "".join(answer.pieces) + answer.rest
    yield lambda: machine.tool_ended(call.step_id, output=output, error=error, at=played.tick())


def _as_stored(text: str) -> str:
    return text.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
