"""What a WebSocket costs over which nothing is said: signed in, nothing followed."""

import asyncio

from tests.bench import usage
from tests.bench.dialects import ChatSocket
from tests.bench.systems import System

IDLE = 1000
_SETTLED = 2.0  # seconds: what connecting has left behind is given back


async def idle_sockets(system: System, sockets: int) -> float:
    """Bytes a socket, beyond what was there before. The first ones warm the server up and are not counted."""
    warm_up, dialect = (ChatSocket(system.port, tokens=system.tokens) for _ in range(2))
    await warm_up.connect(sockets // 10)
    warm_up.close()
    await asyncio.sleep(_SETTLED)
    before = usage.memory(system.pid)
    await dialect.connect(sockets)
    await asyncio.sleep(_SETTLED)
    after = usage.memory(system.pid)
    dialect.close()
    return (after - before) / sockets
