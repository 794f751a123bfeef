"""What a process and its children have used, as the kernel counts it (Linux)."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

_CLOCK = 2  # the kernel's number for a whole process's CPU clock, beside the process id (clock_getcpuclockid(3))
_TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> Iterator[int]:
    """The process and all that descend from it."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _text(task).split():
            yield from tree(int(child))


def cpu(pid: int) -> float:
    """Seconds of CPU of the tree so far, to a microsecond; of children that have ended, to a tick."""
    seconds = 0.0
    for each in tree(pid):
        try:
            seconds += time.clock_gettime((~each << 3) | _CLOCK)
        except OSError:
            continue  # it ended while we looked
        fields = _text(Path(f"/proc/{each}/stat")).rpartition(")")[2].split()
        seconds += (int(fields[13]) + int(fields[14])) / _TICKS
    return seconds


def memory(pid: int) -> int:
    """Bytes that are the tree's alone."""
    found = 0
    for each in tree(pid):
        lines = _text(Path(f"/proc/{each}/smaps_rollup")).splitlines()
        found += sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean:", "Private_Dirty:")))
    return found * 1024


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
