"""The events of a demonstration's runs: those that pruning leaves, or all of them."""

from collections.abc import Iterator, Sequence

from conversations import wire
from conversations.demo.talk import CHARACTERS_A_TOKEN
from conversations.models import Message, Run, RunEvent
from streaming.protocol import events as e
from streaming.protocol.codec import encode
from streaming.protocol.errors import UpstreamStalled
from streaming.protocol.lifecycle import RunStatus

TOKENS_A_DELTA = 3
_CUT_BY = "max_tokens"
_FINISH = {RunStatus.COMPLETED: "stop", RunStatus.INCOMPLETE: "length"}


def opening(run: Run, question: Message, answer: Message) -> list[e.Event]:
    """Events 1 to 3, of a run and an answer that have just been made."""
    common = _common(run)
    return [
        e.RunCreated(**common, run=wire.run_object(run)),
        e.MessageCreated(**common, message=wire.message_object(question)),
        e.MessageCreated(**common, message=wire.message_object(answer)),
    ]


def end(run: Run, answer: Message, *, status: RunStatus, begun: Sequence[e.Event], head: int) -> None:
    """Give the run its end. ``head`` is its last event's number where its log is not ``begun``: then the row keeps what
    pruning leaves.
    """
    run.status, run.finish_reason = status, _FINISH.get(status)
    run.reason = _CUT_BY if status is RunStatus.INCOMPLETE else None
    if status is RunStatus.CANCELLED:
        run.cancel_by, run.cancel_reason, run.cancel_requested_at = "user", "requested", run.finished_at
    if status is RunStatus.FAILED:
        fault = UpstreamStalled(log_id="0" * 16)
        run.error, run.error_code = wire.plain(fault.as_object()), fault.code
    if begun:
        return
    closing = list(_closing(run, answer))
    run.log_pruned, run.head = True, head
    run.closing_events = [encode(event, number) for number, event in enumerate(closing, head - len(closing) + 1)]


def whole_log(run: Run, answer: Message, begun: Sequence[e.Event]) -> list[RunEvent]:
    """Every event of a run that has completed, a few tokens in each; sets the run's head."""
    common, said = _common(run), answer.content
    size = CHARACTERS_A_TOKEN * TOKENS_A_DELTA
    events: list[e.Event] = [
        *begun,
        e.RunInProgress(**common, attempt=1, run=wire.run_object(_under_way(run))),
        *(e.MessageDelta(run_id=str(run.pk), content=said[at : at + size]) for at in range(0, len(said), size)),
        e.MessageCompleted(**common, message=wire.message_object(answer)),
        *_closing(run, answer),
    ]
    assert run.started_at is not None
    assert run.finished_at is not None
    run.head = len(events)
    step = (run.finished_at - run.started_at) / len(events)
    return [
        RunEvent(run_id=run.pk, seq=number, text=encode(event, number), written_at=run.started_at + number * step)
        for number, event in enumerate(events, start=1)
    ]


def _under_way(run: Run) -> Run:
    return Run(
        pk=run.pk,
        thread_id=run.thread_id,
        owner_id=run.owner_id,
        question_id=run.question_id,
        answer_id=run.answer_id,
        provider=run.provider,
        model=run.model,
        status=RunStatus.IN_PROGRESS,
        attempt=1,
        created_at=run.created_at,
        started_at=run.started_at,
    )


def _closing(run: Run, answer: Message) -> Iterator[e.Event]:
    common, told = _common(run), wire.run_object(run)
    match run.status:
        case RunStatus.COMPLETED:
            yield e.RunCompleted(
                **common,
                run=told,
                usage=told.usage,
                timing=told.timing,
                finish_reason=run.finish_reason,
                message_id=str(answer.pk),
            )
        case RunStatus.CANCELLED:
            receipt = e.Receipt(upstream_closed=True, content_length=len(answer.content))
            yield e.RunCancelled(**common, run=told, receipt=receipt)
        case RunStatus.FAILED:
            fault = told.error
            assert fault is not None
            yield e.ErrorEvent(
                run_id=told.id,
                thread_id=told.thread_id,
                code=fault.code,
                message=fault.message,
                retryable=fault.retryable,
                log_id=fault.log_id,
            )
            yield e.RunFailed(**common, run=told, error=fault)
        case _:
            yield e.RunIncomplete(**common, run=told, reason=_CUT_BY)


def _common(run: Run) -> dict[str, str]:
    return {"run_id": str(run.pk), "thread_id": str(run.thread_id)}
