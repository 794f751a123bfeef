"""The product's settings, for a server whose event loop stands still for five seconds at each SIGUSR2."""

import signal
import time
from typing import Any

from chatserver.settings import *  # noqa: F403


def hold_the_loop_up(*_: Any) -> None:
    time.sleep(5)


signal.signal(signal.SIGUSR2, hold_the_loop_up)
