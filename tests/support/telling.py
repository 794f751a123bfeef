"""A tool that says how far it is and what it has, for tests: it goes on when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from django.conf import settings

from streaming.tools.base import Progress, Tool, ToolFailed, tool
from streaming.tools.registry import BUILT_IN

LINES = 40


def gate() -> Path:
    return Path(settings.DATA_DIR) / "go-on"


@tool(title="Journal", deadline=60.0)
async def write_journal(line: Annotated[str, "What to write"]) -> AsyncIterator[str | Progress]:
    """Write a line into the journal."""
    for number in range(LINES):
        yield f"line {number}\n"
    yield Progress(0.5)
    while not gate().exists():
        await asyncio.sleep(0.02)
    if line == "fail":
        raise ToolFailed("The journal is full.")
    yield Progress(1.0)
    yield "written"


TOOLS: tuple[Tool, ...] = (*BUILT_IN, write_journal)
