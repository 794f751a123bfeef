"""What a run may become, as a table. A missing entry is the error."""

from enum import StrEnum


class RunStatus(StrEnum):
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    REQUIRES_ACTION = "requires_action"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class MessageStatus(StrEnum):
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"


class StepStatus(StrEnum):
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: dict[RunStatus, frozenset[RunStatus]] = {
    RunStatus.QUEUED: frozenset({RunStatus.IN_PROGRESS, RunStatus.CANCELLED, RunStatus.FAILED, RunStatus.EXPIRED}),
    RunStatus.IN_PROGRESS: frozenset(
        {
            RunStatus.REQUIRES_ACTION,
            RunStatus.CANCELLING,
            RunStatus.COMPLETED,
            RunStatus.INCOMPLETE,
            RunStatus.FAILED,
            RunStatus.EXPIRED,
        }
    ),
    RunStatus.REQUIRES_ACTION: frozenset(
        {RunStatus.IN_PROGRESS, RunStatus.CANCELLED, RunStatus.FAILED, RunStatus.EXPIRED}
    ),
    # Once asked to stop, a run may still have ended by its own work first.
    RunStatus.CANCELLING: frozenset({RunStatus.CANCELLED, RunStatus.COMPLETED, RunStatus.INCOMPLETE, RunStatus.FAILED}),
    RunStatus.COMPLETED: frozenset(),
    RunStatus.INCOMPLETE: frozenset(),
    RunStatus.FAILED: frozenset(),
    RunStatus.CANCELLED: frozenset(),
    RunStatus.EXPIRED: frozenset(),
}

TERMINAL = frozenset(status for status, following in TRANSITIONS.items() if not following)
ACTIVE = frozenset(TRANSITIONS) - TERMINAL
HELD = frozenset({RunStatus.IN_PROGRESS, RunStatus.CANCELLING})  # somebody works on it, or should


def may_become(current: RunStatus, following: RunStatus) -> bool:
    return following in TRANSITIONS[current]


def sources_of(following: RunStatus) -> frozenset[RunStatus]:
    """Every status from which ``following`` may be reached: the WHERE of a compare-and-set."""
    return frozenset(status for status, targets in TRANSITIONS.items() if following in targets)
