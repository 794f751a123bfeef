"""The product's settings, and a calculator that does something, once, and then never comes back."""

import asyncio
from pathlib import Path
from typing import Annotated

from django.conf import settings

import streaming.tools.registry
from chatserver.settings import *  # noqa: F403
from streaming.tools.base import tool


@tool(title="Calculator")
async def calculator(expression: Annotated[str, "What to work out"]) -> str:
    """Writes down what it is asked, and hangs."""
    with (Path(settings.DATA_DIR) / "deeds.txt").open("a") as file:
        file.write(f"{expression}\n")
    await asyncio.Event().wait()
    return expression


streaming.tools.registry.BUILT_IN = (calculator,)
