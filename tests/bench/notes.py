"""What is said while it runs, on standard error: the table alone is the answer; and how it ends early."""

import signal
import sys
from collections.abc import Mapping

from tests.bench.measure import Came


def end_in_order() -> None:
    """From now on SIGTERM ends this program as Ctrl-C does, and so everything that it has started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def faults(loads: Mapping[str, Came]) -> None:
    """Some of what went wrong, of each load."""
    for name, came in loads.items():
        for fault in sorted(set(came.faults))[:3]:
            note(f"    {name}: {fault}")
