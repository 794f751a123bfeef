"""A tool that a person is asked about, for tests: what it does is seen, and counted."""

from pathlib import Path
from typing import Annotated

from django.conf import settings

from streaming.tools.base import Tool, tool
from streaming.tools.registry import BUILT_IN


def journal() -> Path:
    return Path(settings.DATA_DIR) / "journal.txt"


def entries() -> list[str]:
    """What the tool has written, one call a line."""
    return journal().read_text().splitlines() if journal().exists() else []


@tool(title="Journal", approval=True)
def write_journal(line: Annotated[str, "What to write"]) -> str:
    """Write a line into the journal."""
    with journal().open("a") as file:
        file.write(f"{line}\n")
    return f"Written: {line}"


TOOLS: tuple[Tool, ...] = (*BUILT_IN, write_journal)
