"""The parent of several worker processes: it holds the address, keeps them running, and ends when they have ended.

It serves nothing itself, holds no connection to anything and runs no thread. uvicorn's own supervisor takes no server
class, and so neither our drain nor its exit code.
"""

import os
import selectors
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType

import structlog

from chatserver.management.line import AT_ONCE, DRAIN

log = structlog.get_logger(__name__)
YOUNG = 10.0  # seconds: a worker that dies at this age may do so again
LONGEST_PAUSE = 30.0
AT_ONCE_TAKES = 3.0


@dataclass
class Worker:
    pid: int
    line: socket.socket
    born: float = field(default_factory=time.monotonic)
    ready: bool = False


class Launcher:
    """``command`` starts a worker; the numbers of its two descriptors are added as ``--inherited listening:line``.

    ``patience``: seconds in which a drain must be over, or workers are killed.
    """

    def __init__(self, *, listening: socket.socket, workers: int, command: Sequence[str], patience: float) -> None:
        self._listening = listening
        self._wanted = workers
        self._command = list(command)
        self._patience = patience
        self._workers: dict[int, Worker] = {}
        self._due: list[float] = []  # when to start those that are missing
        self._died_young = 0
        self._any_was_ready = False
        self._told = 0  # how often we were told to end
        self._heeded = 0
        self._kill_at: float | None = None
        self._code = 0

    def run(self) -> int:
        """Until all workers have ended because we were told so, or none could be started. Returns the exit code."""
        self._wakes, waking = socket.socketpair()
        with self._wakes, waking, selectors.DefaultSelector() as self._selector:
            for end in (self._wakes, waking):
                end.setblocking(False)
            self._selector.register(self._wakes, selectors.EVENT_READ)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._is_told)
            signal.signal(signal.SIGCHLD, lambda *_: None)  # only to be woken
            signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
            self._due = [time.monotonic()] * self._wanted
            try:
                while self._workers or self._due:
                    self._start_what_is_due()
                    self._wait()
                    self._reap()
                    self._heed()
            finally:
                signal.set_wakeup_fd(-1)
        return self._code

    def _is_told(self, number: int, frame: FrameType | None) -> None:
        self._told += 1

    def _start_what_is_due(self) -> None:
        now = time.monotonic()
        for _ in [moment for moment in self._due if moment <= now]:
            self._start()
        self._due = [moment for moment in self._due if moment > now]

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.set_inheritable(True)
            inherited = f"{self._listening.fileno()}:{theirs.fileno()}"
            # A process group of its own: Ctrl-C in a terminal is told to us, and by us to the workers, once.
            pid = os.posix_spawn(
                self._command[0], [*self._command, "--inherited", inherited], dict(os.environ), setpgroup=0
            )
        ours.setblocking(False)
        self._workers[pid] = Worker(pid, ours)
        self._selector.register(ours, selectors.EVENT_READ, self._workers[pid])
        log.info("worker started", worker=pid)

    def _wait(self) -> None:
        moments = [*self._due, *([self._kill_at] if self._kill_at is not None else [])]
        timeout = max(0.0, min(moments) - time.monotonic()) if moments else None
        for found, _ in self._selector.select(timeout):
            worker = found.data
            if worker is None:
                _drop(self._wakes)
            elif not _drop(worker.line):
                self._selector.unregister(worker.line)  # it ends, and will be reaped
            elif not worker.ready:
                worker.ready = self._any_was_ready = True

    def _reap(self) -> None:
        for worker in list(self._workers.values()):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                del self._workers[pid]
                if worker.line in {key.fileobj for key in self._selector.get_map().values()}:
                    self._selector.unregister(worker.line)
                worker.line.close()
                self._has_ended(worker, os.waitstatus_to_exitcode(status))

    def _has_ended(self, worker: Worker, code: int) -> None:
        if self._heeded:
            if code and (worker.ready or code != -signal.SIGTERM):
                self._code = 1
        elif not self._any_was_ready:
            log.error("a worker could not start, so none will", worker=worker.pid, code=code)
            self._code = code if code > 0 else 1
            self._told += 1
        else:
            self._died_young = self._died_young + 1 if time.monotonic() - worker.born < YOUNG else 0
            pause = min(LONGEST_PAUSE, 0.5 * 2**self._died_young) if self._died_young else 0.0
            self._due.append(time.monotonic() + pause)
            log.error("a worker has ended and is started anew", worker=worker.pid, code=code, in_s=pause)

    def _heed(self) -> None:
        """Pass on what we were told: the first time to drain, the second time to end at once."""
        now = time.monotonic()
        if self._told and not self._heeded:
            self._heeded = 1
            self._due = []
            self._listening.close()  # the last worker to close it ends the waiting of whoever has not been accepted
            self._kill_at = now + self._patience
            self._tell(DRAIN)
        if self._told > 1 and self._heeded == 1:
            self._heeded = 2
            self._kill_at = now + AT_ONCE_TAKES
            self._tell(AT_ONCE)
        if self._kill_at is not None and now >= self._kill_at:
            for worker in self._workers.values():
                log.error("a worker did not end and is killed", worker=worker.pid)
                os.kill(worker.pid, signal.SIGKILL)
            self._kill_at = now + AT_ONCE_TAKES

    def _tell(self, word: bytes) -> None:
        for worker in self._workers.values():
            if not worker.ready:  # nothing runs on it yet, and it does not listen yet
                os.kill(worker.pid, signal.SIGTERM)
            try:
                worker.line.send(word)
            except OSError as fault:  # it ends already
                log.debug("a worker does not listen any more", worker=worker.pid, fault=str(fault))


def _drop(end: socket.socket) -> bool:
    """Read what is there; False where nothing will ever come."""
    try:
        return bool(end.recv(4096))
    except BlockingIOError:
        return True
    except OSError:
        return False
