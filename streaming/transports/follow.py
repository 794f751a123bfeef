"""Following one run from a cursor: the loop that every transport stands on. It holds a cursor and nothing else."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from uuid import UUID

from streaming.eventlog.tailer import Tailer
from streaming.protocol.codec import Entry
from streaming.protocol.events import TERMINAL_EVENTS, ErrorEvent, RunRequiresAction
from streaming.transports.live import Live

_ERROR = f'{{"event":"{ErrorEvent.name}",'
_PARKED = f'{{"event":"{RunRequiresAction.name}",'
_TERMINAL = tuple(f'{{"event":"{name}",' for name in TERMINAL_EVENTS)


Overtake = Callable[[int], Awaitable[Entry | None]]


@dataclass(frozen=True, slots=True)
class News:
    """What a reader gets at once: numbered entries in order, and hints. Neither: a heartbeat's time of silence.

    ``snapshot``, with the number it stands at, comes alone and replaces all that the reader has.
    """

    entries: list[Entry] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    snapshot: Entry | None = None


def is_terminal(entry: Entry) -> bool:
    return entry.text.startswith(_TERMINAL)


def is_parked(entry: Entry) -> bool:
    """The run waits for a person from here on, unless it went on since."""
    return entry.text.startswith(_PARKED)


def is_of_the_end(entry: Entry) -> bool:
    """The terminal event, or the ``error`` that stands directly before a failed one."""
    return entry.text.startswith((_ERROR, *_TERMINAL))


async def follow(
    *,
    tailer: Tailer,
    run_id: UUID,
    after: int,
    heartbeat: float,
    live: Live | None = None,
    overtake: Overtake | None = None,
) -> AsyncGenerator[News, None]:
    """Yield what comes after event ``after``, until the terminal event has been yielded or ``live`` is told to end: at
    once where its right has gone, with what there is where the server restarts.

    Reads at most 256 events / 256 KiB at a time; asks for more only when the caller does. ``overtake`` is asked with
    the cursor of a reader whom the recent events have left behind, and may give a snapshot to go on from.
    Raises LogLost.
    """
    cursor = after
    with ExitStack() as stack:
        subscription = stack.enter_context(tailer.subscribe(run_id))
        if live is not None:
            stack.enter_context(live.waking(subscription.wake))
        while live is None or live.may_deliver:
            entries = subscription.recent(cursor)
            if entries is None and overtake is not None and (snapshot := await overtake(cursor)) is not None:
                if live is None or live.may_deliver:
                    yield News(snapshot=snapshot)
                cursor = snapshot.id
                continue
            if entries is None:
                entries = await tailer.read(run_id, cursor)
            if live is not None and not live.may_deliver:
                return  # it ended while we read: nothing is given any more
            hints = subscription.take_hints()
            if entries or hints:
                yield News(entries, hints)
                if entries:
                    cursor = entries[-1].id
                    if is_terminal(entries[-1]):
                        return
                continue
            if live is not None and live.ending is not None:
                return  # a restart takes nothing away: what there was has been given
            try:
                async with asyncio.timeout(heartbeat):
                    await subscription.something_new()
            except TimeoutError:
                yield News()
