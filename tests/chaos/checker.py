"""The judge of a campaign: what the contract forbids, found in the evidence. Pure; a stranger to the product."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.chaos.history import Connection, Evidence, Reading, Row, Send

TERMINAL = {f"thread.run.{status}" for status in ("completed", "incomplete", "failed", "cancelled", "expired")}
MESSAGE_ENDS = {"thread.message.completed", "thread.message.incomplete"}
STEP_ENDS = {f"thread.run.step.{status}" for status in ("completed", "failed", "cancelled")}
SNAPSHOT = "thread.run.snapshot"


class Kind(StrEnum):
    """What can be wrong."""

    LOST = "lost"  # a reader never got it, or it is not there any more
    DUPLICATED = "duplicated"
    REORDERED = "reordered"
    GAPPED = "gapped"
    DIVERGENT = "divergent"  # two tell the same event, or the same run, in two ways
    AFTER_THE_END = "after the end"
    UNCOMMITTED = "uncommitted"  # somebody saw what the log has not got
    STUCK = "stuck"  # no end
    SUM = "sum"  # the pieces do not add up to the whole
    UNCLOSED = "unclosed"  # a step or message that ends not once
    TOKENS = "tokens"  # not what the model said
    DOUBLED = "doubled"  # one send, several runs; or a run that nobody sent
    REFUSED = "refused"  # what nobody should be told


@dataclass(frozen=True)
class Anomaly:
    kind: Kind
    run_id: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: run {self.run_id}, {self.where}: {self.what}"


def anomalies(evidence: Evidence) -> list[Anomaly]:
    """Everything that is wrong; empty where the contract was kept."""
    found = list(_of_sends(evidence))
    for refusal in evidence.refusals:
        found.append(Anomaly(Kind.REFUSED, "-", refusal.node, f"{refusal.what}: {refusal.status} {refusal.code}"))
    readings: dict[str, list[Reading]] = {}
    for reading in evidence.readings:
        readings.setdefault(reading.run_id, []).append(reading)
    expected = {run_id: send.expected for send in evidence.sends for run_id in send.runs}
    for run_id in sorted({*readings, *evidence.logs, *evidence.rows, *expected}):
        run = _Run(run_id, evidence.logs.get(run_id, {}), readings.get(run_id, []))
        found += run.anomalies(evidence.rows.get(run_id), expected.get(run_id))
    return found


def tokens_lost(evidence: Evidence) -> int:
    """How many words somebody saw, or the model surely said, that the stored answers have not got."""
    expected = {run_id: send.expected for send in evidence.sends for run_id in send.runs}
    lost = 0
    for run_id, row in evidence.rows.items():
        texts = [_content(reading) for reading in evidence.readings if reading.run_id == run_id]
        if row.status == "completed":
            texts.append(expected.get(run_id) or "")
        lost += max((len(text.split()) - len(_common(text, row.content).split()) for text in texts), default=0)
    return lost


def _common(one: str, other: str) -> str:
    length = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:length]


def _content(reading: Reading) -> str:
    """The longest piece of the answer, from its beginning, that this reader was shown."""
    text, last = "", 0
    for connection in reading.connections:
        for event in map(_read, (arrival.text for arrival in connection.arrivals)):
            if event.name == SNAPSHOT:
                text, last = _answer_in(event) or "", event.id or 0
            elif event.id is not None and event.id == last + 1:
                last = event.id
                if event.name == "thread.message.created" and event.data["message"]["role"] == "assistant":
                    text = event.data["message"]["content"] or ""
                text += event.data["content"] if event.name == "thread.message.delta" else ""
    return text


@dataclass(frozen=True, slots=True)
class _Event:
    text: str
    id: int | None
    name: str
    data: Mapping[str, Any]


def _read(text: str) -> _Event:
    envelope = json.loads(text)
    return _Event(text, envelope.get("id"), envelope["event"], envelope["data"])


@dataclass
class _Walk:
    """One sequence of events, from ``after`` on, held to: each once, in order, none missing, none after the end."""

    after: int
    last: int = 0
    ended: bool = False
    missing: set[int] = field(default_factory=set)
    had: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.last = self.after

    def take(self, event: _Event) -> Iterator[tuple[Kind, str]]:
        if event.name == SNAPSHOT:
            self.last = int(event.data["as_of"])
            self.ended = event.data["run"]["status"] in {name.rpartition(".")[2] for name in TERMINAL}
            return
        if event.id is None:
            return
        if event.id == self.last + 1:
            if self.ended:
                yield Kind.AFTER_THE_END, f"event {event.id}"
            self.last = event.id
        elif event.id > self.last:
            self.missing |= set(range(self.last + 1, event.id))
            self.last = event.id
        elif event.id in self.missing:
            self.missing.discard(event.id)
            yield Kind.REORDERED, f"event {event.id} after event {self.last}"
        else:
            yield Kind.DUPLICATED, f"event {event.id}"
        self.ended = self.ended or event.name in TERMINAL

    def rest(self) -> Iterator[tuple[Kind, str]]:
        if self.missing:
            yield Kind.GAPPED, f"without {sorted(self.missing)[:5]}"


class _Run:
    """All that is known of one run."""

    def __init__(self, run_id: str, logs: Mapping[str, list[str]], readings: list[Reading]) -> None:
        self.run_id = run_id
        self.logs = {where: [_read(text) for text in texts] for where, texts in logs.items()}
        self.readings = readings
        self.found: list[Anomaly] = []
        self.truth: dict[int, _Event] = {}
        self.head = 0

    def anomalies(self, row: Row | None, expected: str | None) -> list[Anomaly]:
        for where, log in self.logs.items():
            self._read_log(where, log)
        if not self.logs:
            self._say(Kind.LOST, "log", "nobody has its events")
        for reading in self.readings:
            self._hold(reading)
        for reading in self.readings:  # when all of the truth is known
            for connection in reading.connections:
                self._check_snapshots(connection)
        for where, log in self.logs.items():
            self._check_snapshots_of(where, log)
        self._judge_history()
        self._judge_row(row, expected)
        return self.found

    def _say(self, kind: Kind, where: str, what: str) -> None:
        self.found.append(Anomaly(kind, self.run_id, where, what))

    def _read_log(self, where: str, log: list[_Event]) -> None:
        walk = _Walk(0)
        for event in log:
            for kind, what in walk.take(event):
                self._say(kind, f"log at {where}", what)
            if event.name == SNAPSHOT:
                continue
            if event.id is None:
                self._say(Kind.DIVERGENT, f"log at {where}", f"{event.name} has no number")
            elif self.truth.setdefault(event.id, event).text != event.text:
                self._say(Kind.DIVERGENT, f"log at {where}", f"event {event.id}")
        for kind, what in walk.rest():
            self._say(kind, f"log at {where}", what)
        if self.head and walk.last != self.head:
            self._say(Kind.DIVERGENT, f"log at {where}", f"ends at {walk.last}, elsewhere at {self.head}")
        self.head = max(self.head, walk.last)

    def _hold(self, reading: Reading) -> None:
        where, had, ended = f"reader {reading.reader}", 0, False
        for connection in reading.connections:
            if connection.after != had:
                self._say(Kind.LOST, where, f"goes on after {connection.after}, but has {had}")
            walk = _Walk(connection.after, ended=ended)
            for event in map(_read, (arrival.text for arrival in connection.arrivals)):
                for kind, what in walk.take(event):
                    self._say(kind, where, what)
                self._compare(where, event)
            for kind, what in walk.rest():
                self._say(kind, where, what)
            had, ended = walk.last, walk.ended
        if self.head and had < self.head:
            self._say(Kind.LOST, where, f"has {had} of {self.head} events")
        elif not (reading.finished and ended):
            self._say(Kind.STUCK, where, "never had an end")

    def _compare(self, where: str, event: _Event) -> None:
        number = event.data["as_of"] if event.name == SNAPSHOT else event.id
        if number is None:
            return
        if number > self.head:
            self._say(Kind.UNCOMMITTED, where, f"event {number}, the log ends at {self.head}")
        elif event.name != SNAPSHOT and self.truth.setdefault(number, event).text != event.text:
            self._say(Kind.DIVERGENT, where, f"event {number} is not the one in the log")

    def _check_snapshots(self, connection: Connection) -> None:
        events = [_read(arrival.text) for arrival in connection.arrivals]
        self._check_snapshots_of(f"{connection.transport} at {connection.node}", events)

    def _check_snapshots_of(self, where: str, events: Iterable[_Event]) -> None:
        for event in events:
            if event.name != SNAPSHOT:
                continue
            if event.id != event.data["as_of"]:
                self._say(Kind.DIVERGENT, where, f"a snapshot of {event.data['as_of']} is numbered {event.id}")
            told = self._text_until(event.data["as_of"])
            if told is not None and (_answer_in(event) or "") != told:
                self._say(Kind.DIVERGENT, where, f"the snapshot of {event.data['as_of']} has another text")

    def _text_until(self, number: int) -> str | None:
        """The answer as the events up to there tell it; None where they are not all known."""
        if not all(each in self.truth for each in range(1, number + 1)):
            return None
        return "".join(map(_text_of, (self.truth[each] for each in range(1, number + 1))))

    def _judge_history(self) -> None:
        history = [self.truth[number] for number in sorted(self.truth) if number <= self.head]
        ends = [event for event in history if event.name in TERMINAL]
        if not ends:
            self._say(Kind.STUCK, "log", "has no end")
        elif len(ends) > 1 or history[-1] is not ends[0] or ends[0].id != self.head:
            self._say(Kind.AFTER_THE_END, "log", f"ends {[event.id for event in ends]}, goes to {self.head}")
        if len(history) != self.head:
            return  # the beginning was lost with the log, and no reader had all of it
        if not history or history[0].name != "thread.run.created":
            self._say(Kind.LOST, "log", "does not begin with thread.run.created")
        self._judge_sums(history)

    def _judge_sums(self, history: list[_Event]) -> None:
        steps: dict[str, dict[str, str]] = {}
        text, begun, ended = "", False, False
        for event in history:
            text += _text_of(event)
            step = event.data.get("step")
            if event.name == "thread.message.created" and event.data["message"]["role"] == "assistant":
                if begun:
                    self._say(Kind.UNCLOSED, f"event {event.id}", "a second answer")
                begun = True
            elif event.name == "thread.message.delta" and (not begun or ended):
                self._say(Kind.UNCLOSED, f"event {event.id}", "a delta outside of the answer")
            elif event.name in MESSAGE_ENDS:
                if not begun or ended:
                    self._say(Kind.UNCLOSED, f"event {event.id}", "an answer ends that is not open")
                ended = True
                if event.data["message"]["content"] != text:
                    self._say(Kind.SUM, f"event {event.id}", "the deltas do not add up to the answer")
            elif event.name == "thread.run.step.created" and isinstance(step, Mapping):
                if step["id"] in steps:
                    self._say(Kind.UNCLOSED, f"event {event.id}", "a step begins twice")
                steps[step["id"]] = {"details": "", "output": "", "kind": step["step"]}
            elif event.name == "thread.run.step.in_progress":
                if event.data["step_id"] not in steps:
                    self._say(Kind.UNCLOSED, f"event {event.id}", "a step goes on that is not open")
                    continue
                for name in ("details", "output"):
                    steps[event.data["step_id"]][name] += event.data.get(name) or ""
            elif event.name in STEP_ENDS and isinstance(step, Mapping):
                pieces = steps.pop(step["id"], None)
                if pieces is None:
                    self._say(Kind.UNCLOSED, f"event {event.id}", "a step ends that is not open")
                elif pieces["kind"] == "reasoning" and pieces["details"] != (step.get("details") or ""):
                    self._say(Kind.SUM, f"event {event.id}", "the pieces do not add up to the thought")
                elif pieces["output"] and not step.get("output_cut") and pieces["output"] != step.get("output"):
                    self._say(Kind.SUM, f"event {event.id}", "the pieces do not add up to the output")
        if steps or begun != ended:
            self._say(Kind.UNCLOSED, "log", f"left open: {[*steps, *(['the answer'] if begun != ended else [])]}")

    def _judge_row(self, row: Row | None, expected: str | None) -> None:
        if row is None:
            self._say(Kind.LOST, "row", "there is none")
            return
        end = self.truth.get(self.head)
        if f"thread.run.{row.status}" not in TERMINAL:
            self._say(Kind.STUCK, "row", row.status)
        elif end is None or end.name != f"thread.run.{row.status}" or row.head != self.head:
            self._say(Kind.DIVERGENT, "row", f"{row.status} at {row.head}, the log {end and end.name} at {self.head}")
        told = [event.data["message"] for event in self.truth.values() if event.name in MESSAGE_ENDS]
        if told and (told[0]["content"], told[0]["status"]) != (row.content, row.message_status):
            self._say(Kind.DIVERGENT, "row", "the stored answer is not the one that was told")
        whole = self._text_until(self.head)
        if whole is not None and whole != row.content:
            self._say(Kind.SUM, "row", "the deltas do not add up to the stored answer")
        if expected is None:
            return
        if row.content != expected if row.status == "completed" else not expected.startswith(row.content):
            at = len(_common(row.content, expected))
            shown = f"{row.content[max(0, at - 20) : at + 20]!r}, not {expected[max(0, at - 20) : at + 20]!r}"
            self._say(Kind.TOKENS, "row", f"at {at} of {len(expected)} the answer is {shown}")


def _text_of(event: _Event) -> str:
    """What this event adds to the answer; a continued one begins with what there was."""
    if event.name == "thread.message.delta":
        return str(event.data["content"])
    if event.name == "thread.message.created" and event.data["message"]["role"] == "assistant":
        return str(event.data["message"]["content"] or "")
    return ""


def _answer_in(snapshot: _Event) -> str | None:
    answers = [message["content"] for message in snapshot.data["messages"] if message["role"] == "assistant"]
    return answers[-1] if answers else None


def _of_sends(evidence: Evidence) -> Iterator[Anomaly]:
    sent: dict[str, Send] = {}
    for send in evidence.sends:
        if len(set(send.runs)) > 1:
            yield Anomaly(Kind.DOUBLED, send.runs[0], f"key {send.key}", f"led to {sorted(set(send.runs))}")
        for run_id in set(send.runs):
            if sent.setdefault(run_id, send) is not send:
                yield Anomaly(Kind.DOUBLED, run_id, f"key {send.key}", f"has the run of key {sent[run_id].key}")
            row = evidence.rows.get(run_id)
            if row is not None and row.question != send.content and not _withdrawn(row):
                yield Anomaly(Kind.DIVERGENT, run_id, f"key {send.key}", "the run answers another question")
    questions: dict[str, list[str]] = {}
    for row in evidence.rows.values():
        if _withdrawn(row):
            continue
        questions.setdefault(row.question, []).append(row.run_id)
        if row.question not in {send.content for send in evidence.sends}:
            yield Anomaly(Kind.DOUBLED, row.run_id, "row", "nobody asked this")
    for runs in questions.values():
        if len(runs) > 1:
            yield Anomaly(Kind.DOUBLED, runs[0], "rows", f"one question, {len(runs)} runs")


def _withdrawn(row: Row) -> bool:
    """It was stopped while it waited: its question was never put."""
    return row.status == "cancelled" and not row.question
