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
    meant = [run_id, tool, _numbers_as_meant(arguments)]
    canonical = json.dumps(meant, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _numbers_as_meant(value: Any) -> Any:
    """A whole number is the same however it is written: PostgreSQL gives 1e22 back as 10000000000000000000000."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_numbers_as_meant(item) for item in value]
    if isinstance(value, dict):
        return {name: _numbers_as_meant(item) for name, item in value.items()}
    return value


def waits(step: Step) -> bool:
    """Whether a tool's step was announced, but never begun: a tool that begins says so before it does anything."""
    return (
        step.step == "tool_calls"
        and step.status == StepStatus.IN_PROGRESS
        and step.details is None
        and step.output is None
    )
