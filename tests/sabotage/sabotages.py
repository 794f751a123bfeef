"""One-line faults of the kind that a tired hand makes, each with the tests that must see it."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOGS = "tests/contracts/test_event_logs.py"
READERS = "tests/contracts/test_any_reader.py"
AGREEMENT = "tests/contracts/test_agreement.py"


@dataclass(frozen=True, kw_only=True)
class Sabotage:
    """``old`` stands exactly once in the file at ``path``."""

    name: str
    path: str
    old: str
    new: str
    seen_by: tuple[str, ...]

    def applied_to(self, root: Path) -> str:
        """The file's text with the fault in it. Raises ValueError where there is no such line any more, or several."""
        text = (root / self.path).read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.path} has {text.count(self.old)} times {self.old!r}")
        return text.replace(self.old, self.new)


SABOTAGES = (
    Sabotage(
        name="no id line in a stream",
        path="streaming/transports/sse_wire.py",
        old='lines = f"id: {id}\\n" if id is not None else ""',
        new='lines = ""',
        seen_by=("tests/streaming/transports/test_sse_wire.py",),
    ),
    Sabotage(
        name="200 for whoever has it all",
        path="streaming/transports/runs.py",
        old="return HttpResponse(status=204)",
        new="return HttpResponse(status=200)",
        seen_by=(AGREEMENT,),
    ),
    Sabotage(
        name="events in the wrong order on a stream",
        path="streaming/transports/sse_wire.py",
        old="for id, text in entries]",
        new="for id, text in reversed([*entries])]",
        seen_by=("tests/streaming/transports/test_sse_wire.py",),
    ),
    Sabotage(
        name="no look at the lease",
        path="streaming/eventlog/commit.py",
        old="if cursor.rowcount == 1:",
        new="if cursor.rowcount < 2:",
        seen_by=(LOGS,),
    ),
    Sabotage(
        name="delivered before it is committed",
        path="streaming/eventlog/writer.py",
        old="        self._commit(batches, outcome, deadline=",
        new="        self._in_loop(lambda: [self._publish(each) for each in batches] and None)\n"
        "        self._commit(batches, outcome, deadline=",
        seen_by=(LOGS,),
    ),
    Sabotage(
        name="a commit whose answer was lost is taken for none",
        path="streaming/eventlog/writer.py",
        old="                perhaps_written = told = True",
        new="                perhaps_written, told = False, True",
        seen_by=(LOGS,),
    ),
    Sabotage(
        name="an end without a look at the status",
        path="conversations/services/run_close.py",
        old="    sources = sorted(sources_of(status))\n",
        new="    sources = sorted(RunStatus)\n",
        seen_by=("tests/conversations/services/test_run_close.py",),
    ),
    Sabotage(
        name="a delta is dropped where deltas are joined",
        path="streaming/eventlog/coalesce.py",
        old="self._pieces.append(text)",
        new="self._pieces[-1:] = [text]",
        seen_by=("tests/streaming/eventlog/test_coalesce.py",),
    ),
    Sabotage(
        name="a delta is doubled where deltas are joined",
        path="streaming/eventlog/coalesce.py",
        old="self._held, self._pieces, self._size, self._last_out = None, [], 0, now",
        new="self._held, self._pieces, self._size, self._last_out = None, self._pieces[-1:], 0, now",
        seen_by=("tests/streaming/eventlog/test_coalesce.py",),
    ),
    Sabotage(
        name="a doubled wake-up doubles an event",
        path="streaming/eventlog/ring.py",
        old="if head is not None and entry.id <= head:",
        new="if head is not None and entry.id < head:",
        seen_by=("tests/streaming/eventlog/test_ring.py",),
    ),
    Sabotage(
        name="a gap in the recent events goes unnoticed",
        path="streaming/eventlog/ring.py",
        old="if head is not None and entry.id != head + 1:",
        new="if head is not None and entry.id < head:",
        seen_by=("tests/streaming/eventlog/test_ring.py", READERS),
    ),
    Sabotage(
        name="a lost wake-up is never made good",
        path="streaming/eventlog/tailer.py",
        old="        for run_id, entries in news.items():\n",
        new="        for run_id, entries in list(news.items())[:0]:\n",
        seen_by=("tests/streaming/eventlog/test_tailer.py",),
    ),
    Sabotage(
        name="what one reader finds is kept from the others",
        path="streaming/eventlog/tailer.py",
        old="            for subscription in self.subscriptions:\n",
        new="            for subscription in ():\n",
        seen_by=("tests/streaming/eventlog/test_tailer.py",),
    ),
    Sabotage(
        name="a writer that wakes up late finds its pen where it left it",
        path="streaming/eventlog/redis_scripts.py",
        old="if known[1] ~= ARGV[1] then return 'NO_PEN' end\nif not known[2] then",
        new="if not known[2] then",
        seen_by=("tests/streaming/eventlog/test_redis_log.py",),
    ),
    Sabotage(
        name="who takes up a lost log does not ask whose the run is",
        path="conversations/services/run_checkpoint.py",
        old="if lease.number == numbers[lease.pk]}",
        new="}",
        seen_by=("tests/streaming/eventlog/test_redis_log.py",),
    ),
    Sabotage(
        name="numbers are given out twice after a loss",
        path="streaming/eventlog/redis_store.py",
        old="else recorded.reserved + 1",
        new="else known",
        seen_by=("tests/streaming/eventlog/test_redis_log.py",),
    ),
    Sabotage(
        name="an end that Redis has not got is an end that nobody hears of",
        path="streaming/eventlog/redis_reader.py",
        old="    if ends.closing and after + 1 >= ends.closing[0].id:\n",
        new="    if not ends.closing:\n",
        seen_by=("tests/streaming/eventlog/test_redis_log.py",),
    ),
    Sabotage(
        name="the terminal event before the answer's end",
        path="streaming/engine/machine.py",
        old="        events += self._teller.take()\n        return Ending(",
        new="        events += self._teller.take()[::-1]\n        return Ending(",
        seen_by=("tests/streaming/engine/test_machine.py",),
    ),
    Sabotage(
        name="steps left open at the end",
        path="streaming/engine/machine.py",
        old="for step in self.state.open_steps:\n            left =",
        new="for step in self.state.open_steps[1:]:\n            left =",
        seen_by=("tests/streaming/engine",),
    ),
    Sabotage(
        name="of a tool that had begun it is said that it did not run",
        path="streaming/engine/machine.py",
        old='name, arguments = step.name or "", step.arguments\n        if not waits(step):',
        new='name, arguments = step.name or "", step.arguments\n        if step.step == "reasoning":',
        seen_by=("tests/streaming/engine/test_machine_takeover.py",),
    ),
    Sabotage(
        name="a run that is taken over asks as if nothing had been said",
        path="streaming/engine/machine.py",
        old="self._messages = (*self._messages, *as_messages(turns))",
        new="self._messages = (*self._messages, *as_messages(turns)[:0])",
        seen_by=("tests/streaming/engine/test_machine_goes_on.py",),
    ),
    Sabotage(
        name="a worker whose lease is another's works on",
        path="streaming/engine/supervisor.py",
        old="numbers.get(run_id) != worker.claim.number",
        new="numbers.get(run_id) is run_id",
        seen_by=("tests/streaming/engine/test_takeover.py",),
    ),
    Sabotage(
        name="a run that ends its process each time goes round for ever",
        path="conversations/services/run_lease.py",
        old="lease.lost += bool(lease.holder)",
        new="lease.lost += 0",
        seen_by=("tests/conversations/services/test_run_lease.py",),
    ),
    Sabotage(
        name="completed although the model server never said so",
        path="streaming/engine/generator.py",
        old="raise UpstreamTruncated()",
        new="return",
        seen_by=("tests/streaming/engine/test_generator.py",),
    ),
    Sabotage(
        name="the cursor is one off",
        path="streaming/transports/attach.py",
        old="after + 1 < standing.first",
        new="after < standing.first",
        seen_by=("tests/streaming/transports/test_attach.py",),
    ),
    Sabotage(
        name="the reader's cursor stays one behind",
        path="streaming/transports/follow.py",
        old="cursor = entries[-1].id\n",
        new="cursor = entries[-1].id - 1\n",
        seen_by=(READERS,),
    ),
    Sabotage(
        name="a snapshot that does not own up to its gap",
        path="streaming/transports/attach.py",
        old='FromSnapshot(gap=True, reason="cursor_ahead")',
        new='FromSnapshot(gap=False, reason="cursor_ahead")',
        seen_by=("tests/streaming/transports/test_attach.py",),
    ),
    Sabotage(
        name="a gate that lets everybody through",
        path="conversations/permissions.py",
        old="_RUNS.first(mine, stored_id(key), stored_id(principal.user_id))",
        new='_RUNS.first("id = %s", stored_id(key))',
        seen_by=("tests/conversations/test_permissions.py",),
    ),
    Sabotage(
        name="a new run is taken from a model server that has enough",
        path="conversations/services/run_lease.py",
        old=") = 0 RETURNING id",
        new=") >= 0 RETURNING id",
        seen_by=("tests/conversations/services/test_run_open_taken.py",),
    ),
    Sabotage(
        name="places for new runs before those who wait",
        path="streaming/engine/places.py",
        old="if not self.nobody_waits:",
        new="if self.free < runs:",
        seen_by=("tests/streaming/engine/test_places.py", "tests/streaming/engine/test_at_once.py"),
    ),
    Sabotage(
        name="a gate that forgets the scope",
        path="conversations/permissions.py",
        old="    if scope not in principal.scopes:\n",
        new='    if scope not in {*principal.scopes, "chat"}:\n',
        seen_by=("tests/conversations/test_permissions.py",),
    ),
    Sabotage(
        name="a key that stands for any body",
        path="conversations/services/idempotency.py",
        old="if row.body_hash != self.body_hash:",
        new="if row.key != self.key:",
        seen_by=("tests/conversations/services/test_run_open.py",),
    ),
    Sabotage(
        name="no heartbeat",
        path="streaming/transports/sse.py",
        old="return sse_wire.HEARTBEAT",
        new='return b""',
        seen_by=("tests/contracts/test_transports.py::test_silence_is_filled_with_comments[uvicorn]",),
    ),
    Sabotage(
        name="the rest of a line is lost between two reads",
        path="streaming/providers/ndjson.py",
        old="            self._tail += rest\n",
        new='            self._tail += b""\n',
        seen_by=("tests/streaming/providers/test_ndjson.py",),
    ),
    Sabotage(
        name="a CRLF that is cut in two ends two lines",
        path="streaming/providers/sse_lines.py",
        old='self._after_return = data.endswith(b"\\r")',
        new="self._after_return = False",
        seen_by=("tests/streaming/providers/test_sse_lines.py",),
    ),
    Sabotage(
        name="an end mark completes an answer that nobody has finished",
        path="streaming/providers/openai_wire.py",
        old="            if not self.concluded:\n                raise UpstreamTruncated()\n",
        new="",
        seen_by=("tests/streaming/providers/test_openai_wire.py",),
    ),
    Sabotage(
        name="two calls at one place are one",
        path="streaming/providers/openai_calls.py",
        old="call = self._by_id.get((index, id)) if id else self._current.get(index)",
        new="call = self._current.get(index)",
        seen_by=("tests/streaming/providers/test_openai_calls.py",),
    ),
    Sabotage(
        name="a key that a model server repeats is shown",
        path="streaming/providers/safe_text.py",
        old="return None if any(piece in shown for piece in pieces) else shown",
        new="return shown",
        seen_by=("tests/streaming/providers/test_openai_errors.py",),
    ),
    Sabotage(
        name="a model server that says nothing after its reason to stop is waited for",
        path="streaming/providers/http_provider.py",
        old="if answer.concluded and not concluded:",
        new="if answer.finished and not concluded:",
        seen_by=(
            "tests/streaming/providers/test_openai.py::test_after_its_reason_to_stop_an_answer_is_whole_and_a_server_that_goes_on_is_not_waited_for",
        ),
    ),
    Sabotage(
        name="signs of life are read as fast as they come",
        path="streaming/providers/http_provider.py",
        old="reader.rest(len(data) - splitter.held)",
        new="reader.rest(0)",
        seen_by=(
            "tests/streaming/providers/test_faults.py::test_signs_of_life_are_read_no_faster_than_any_model_writes",
        ),
    ),
    Sabotage(
        name="a thought in parts is left out",
        path="streaming/providers/openai_wire.py",
        old='joined.thinking(self._text(piece["text"]))',
        new="pass",
        seen_by=("tests/streaming/providers/test_openai_wire.py",),
    ),
    Sabotage(
        name="a model server has as many at once as are wanted",
        path="conversations/services/run_queue.py",
        old="most = min(most, bound - selectors.held_at([server]).count())",
        new="most = min(most, bound)",
        seen_by=("tests/conversations/services/test_run_queue.py",),
    ),
    Sabotage(
        name="who asks much is answered first",
        path="conversations/selectors/queue.py",
        old="ORDER BY turn, created_at, id) AS position",
        new="ORDER BY created_at, turn, id) AS position",
        seen_by=("tests/conversations/selectors/test_queue.py",),
    ),
    Sabotage(
        name="who waits is told the same every second",
        path="streaming/engine/positions.py",
        old="if text != self._tailer.last_hint(place.run_id):",
        new="if text:",
        seen_by=("tests/streaming/engine/test_positions.py",),
    ),
    Sabotage(
        name="a run that has begun is told that it waits",
        path="streaming/engine/positions.py",
        old="if place.lasting and heads[place.run_id] == self._tailer.head(place.run_id):",
        new="if place.lasting and heads:",
        seen_by=("tests/streaming/engine/test_positions.py",),
    ),
    Sabotage(
        name="what is taken over needs no place",
        path="streaming/engine/supervisor.py",
        old="if orphan.unwanted or self._places.free > 0:",
        new="if orphan.unwanted or self._capacity:",
        seen_by=("tests/streaming/engine/test_takeover.py",),
    ),
    Sabotage(
        name="a request that goes on although its client has gone",
        path="chatserver/handler.py",
        old="        self._task.cancel()",
        new="        self._task.cancelling()",
        seen_by=("tests/chatserver/test_handler.py",),
    ),
    Sabotage(
        name="layers left in the order in which they were entered",
        path="chatserver/direct.py",
        old="in reversed(self._layers[:entered]):",
        new="in self._layers[:entered]:",
        seen_by=("tests/chatserver/test_direct.py",),
    ),
    Sabotage(
        name="500 for whoever is cut short by the end of a server",
        path="chatserver/edge.py",
        old="            await _answer(send, Draining(retry_after_ms=2000))",
        new="            raise",
        seen_by=("tests/chatserver/test_edge_cut_short.py",),
    ),
    Sabotage(
        name="a run that is not seen from its beginning taken for whole",
        path="streaming/eventlog/tailer.py",
        old="not first - 1 <= after <= head == channel.head",
        new="not after <= head == channel.head",
        seen_by=("tests/streaming/eventlog/test_awaited.py",),
    ),
    Sabotage(
        name="one feed number for two events",
        path="conversations/services/feed.py",
        old="first = last - len(told) + 1",
        new="first = last",
        seen_by=("tests/conversations/services/test_feed.py", "tests/conversations/services/test_run_open.py"),
    ),
    Sabotage(
        name="a key for whatever address stands beside it",
        path="chatserver/sealing.py",
        old='(held["server"], held["origin"]) != (server, origin)',
        new='held["server"] != server',
        seen_by=("tests/chatserver/test_sealing.py", "tests/conversations/services/test_model_servers.py"),
    ),
    Sabotage(
        name="what waited is asked of a model that was taken away",
        path="streaming/engine/worker.py",
        old="at_work(prompt.model, prompt.owner)",
        new='at_work(prompt.model, type("Top", (), {"is_superuser": True}))',
        seen_by=("tests/contracts/test_model_gate.py::test_what_waits_in_line_fails_and_what_is_at_work_goes_on",),
    ),
    Sabotage(
        name="a model server closed under its last answer",
        path="streaming/providers/registry.py",
        old="over, self._retired = _parted(self._retired)",
        new="over, self._retired = self._retired, []",
        seen_by=("tests/streaming/providers/test_registry.py",),
    ),
)
