"""What is said while it runs, on standard error: the table alone is the answer."""

import sys
from collections.abc import Mapping

from tests.bench.measure import Came


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def faults(loads: Mapping[str, Came]) -> None:
    """Some of what went wrong, of each load."""
    for name, came in loads.items():
        for fault in sorted(set(came.faults))[:3]:
            note(f"    {name}: {fault}")
