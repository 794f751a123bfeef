"""What a person is asked before a tool runs: to what an approval is bound, and which steps still wait for one."""

import hashlib
import json
from typing import Any

from streaming.protocol.errors import ErrorObject
from streaming.protocol.lifecycle import StepStatus
from streaming.protocol.objects import Step

NEVER_ALLOWED = ErrorObject(code="not_run", message="Not run: the answer ended before it was allowed to.")


def binding(*, run_id: str, tool: str, arguments: dict[str, Any]) -> str:
    """The hash of what may be done once: with other arguments, by another tool or in another run it is another."""
    canonical = json.dumps([run_id, tool, arguments], sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def waits(step: Step) -> bool:
    """Whether a tool's step was announced, but never begun: a tool that begins says so before it does anything."""
    return (
        step.step == "tool_calls"
        and step.status == StepStatus.IN_PROGRESS
        and step.details is None
        and step.output is None
    )
