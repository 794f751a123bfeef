"""Ends the process where nothing else does: a thread that waits for a database that never answers keeps Python from
ending, and whoever asked the process to end would wait for ever.
"""

import os
import sys
import threading
import time
import traceback
from types import FrameType

import structlog

log = structlog.get_logger(__name__)


def end_within(seconds: float) -> None:
    """The process is gone after so many seconds, however that looks; what it leaves is what a crash leaves."""
    threading.Thread(target=_end, args=[seconds], name="last resort", daemon=True).start()


def _end(seconds: float) -> None:
    time.sleep(seconds)
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    stacks = {
        names.get(ident, str(ident)): [f"{part.filename}:{part.lineno} {part.name}" for part in _innermost(frame)]
        for ident, frame in sys._current_frames().items()
        if ident != threading.get_ident()
    }
    log.error("the process does not end by itself and is ended", seconds=seconds, threads=stacks)
    os._exit(1)


def _innermost(frame: FrameType) -> list[traceback.FrameSummary]:
    return list(traceback.extract_stack(frame))[-6:]
