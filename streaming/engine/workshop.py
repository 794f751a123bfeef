"""What every run of a process works with, and at what pace."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from streaming.engine.afterthoughts import Afterthoughts
from streaming.engine.limits import Limits
from streaming.eventlog.base import EventLog
from streaming.offload import Offload
from streaming.providers.registry import Registry
from streaming.tasks import TaskRegistry
from streaming.tools.registry import ToolRegistry


@dataclass(frozen=True, kw_only=True)
class Pace:
    """The numbers of a run's work. Seconds, but for ``flush_bytes``."""

    deadline: float
    flush_interval: float
    flush_bytes: int
    retry_attempts: int
    retry_delay: float
    streaming: bool
    fallback_to_non_streaming: bool
    closing_patience: float = 1.0  # how long a stopped run may take to close its upstream connection


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """What every run of this process works with."""

    event_log: EventLog
    hint: Callable[[UUID, str], None]
    offload: Offload
    checks: Offload  # of forms and what has them: each may take a second, and no database work shall wait for it
    files: Offload  # a storage may be far away, and nothing else shall wait for it
    leases: Offload  # threads of their own, so that slow readers of logs cannot cost a lease
    registry: Registry
    afterthoughts: Afterthoughts
    tools: ToolRegistry
    tasks: TaskRegistry
    limits: Limits
    pace: Pace
