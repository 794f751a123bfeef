"""Which model servers' turn it is, and what those who wait may expect. Pure."""

from collections.abc import Iterable

from conversations.selectors import Load, Place


def shares(loads: Iterable[Load], *, room: int, max_parallel: int) -> dict[str, int]:
    """How many runs of which model server to take up next, where ``room`` are wanted in all.

    One after the other from the server with the fewest at work, so that a long line at one holds up no other. A server
    that has as many as it may gets nothing; ``max_parallel`` counts where it has no bound of its own (0: none).
    """
    running = {load.server: load.running for load in loads}
    most = {load.server: _may_have(load, max_parallel) for load in loads}
    given = dict.fromkeys(running, 0)
    for _ in range(room):
        open_ones = [server for server in given if given[server] < most[server]]
        if not open_ones:
            break
        given[min(open_ones, key=lambda server: (running[server] + given[server], server))] += 1
    return {server: count for server, count in given.items() if count}


def estimate_ms(place: Place) -> int | None:
    """For how long a run will wait, from how long the last ones took and how many are at work at once; None where
    nothing is known. Rounded: it is no promise, and need not change every second.
    """
    if place.took is None or not place.running:
        return None
    seconds = place.position * place.took / place.running
    step = next(step for below, step in _STEPS if seconds < below)
    return max(step, round(seconds / step) * step) * 1000


_STEPS = ((10, 1), (60, 5), (600, 30), (float("inf"), 60))


def _may_have(load: Load, max_parallel: int) -> int:
    """How many of the waiting the server may take up now."""
    bound = max_parallel if load.max_parallel is None else load.max_parallel
    return min(load.waiting, max(0, bound - load.running)) if bound else load.waiting
