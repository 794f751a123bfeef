"""What grows is pruned and what waited too long is ended, a bounded piece at a time, in every process; several doing it
at once do no harm.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from conversations.services import (
    attachments,
    feed,
    idempotency,
    learning,
    model_pulls,
    processes,
    run_decide,
    run_log,
    run_waiting,
    threads,
)
from streaming.offload import Offload

log = structlog.get_logger(__name__)
EVERY = 30.0
AT_ONCE = 200
FILES_AT_ONCE = 20
FEW = 20  # each may have thousands of rows

Chore = Callable[[], int]


async def keep_house(offload: Offload, *, log_kept: float, deleted_kept: float, every: float = EVERY) -> None:
    """Do it for ever; while there is more, at once again."""
    chores = (
        partial(run_log.prune_logs, kept=log_kept, most=AT_ONCE),
        partial(threads.remove_deleted, kept=deleted_kept, most=FEW),
        partial(run_decide.expire_parked, most=AT_ONCE),
        partial(run_waiting.start_left_behind, most=AT_ONCE),
        partial(feed.prune, most=AT_ONCE * 10),
        partial(idempotency.prune, most=AT_ONCE * 10),
        partial(processes.prune, most=AT_ONCE),
        partial(learning.prune, most=AT_ONCE),
        partial(model_pulls.prune, most=AT_ONCE),
    )
    await _again(offload, chores, most=FEW, every=every)


async def keep_files(offload: Offload, *, every: float = EVERY) -> None:
    """The same for the files that nothing uses any more: by themselves, because a storage may be far away, and nothing
    else shall wait for it.
    """
    await _again(offload, (partial(attachments.prune, most=FILES_AT_ONCE),), most=FILES_AT_ONCE, every=every)


async def _again(offload: Offload, chores: Sequence[Chore], *, most: int, every: float) -> None:
    while True:
        more = False
        for chore in chores:
            try:
                more = await offload(chore) >= most or more
            except Exception as fault:
                log.warning("housekeeping failed, trying again later", exc_info=fault)
        await asyncio.sleep(1.0 if more else every)
