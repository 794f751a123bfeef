"""The product's settings, for a server that writes at each SIGUSR2 how many tasks its event loop has."""

import asyncio
import signal
from pathlib import Path
from typing import Any

from chatserver.settings import *  # noqa: F403
from chatserver.settings import DATA_DIR

COUNTED = "tasks.txt"


def count(*_: Any) -> None:
    # In the thread of the loop, which is running: signals are handled between two of its steps.
    tasks = sorted(task.get_name() for task in asyncio.all_tasks())
    draft = Path(DATA_DIR) / f".{COUNTED}"
    draft.write_text("\n".join(tasks))
    draft.rename(Path(DATA_DIR) / COUNTED)


signal.signal(signal.SIGUSR2, count)
