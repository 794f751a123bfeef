"""Django's ASGI handler, with what it does around each request made cheap."""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from functools import partial
from io import BytesIO
from types import TracebackType
from typing import IO, Any, cast

from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.urls import set_script_prefix

from chatserver.edge import Message, Receive, Scope
from chatserver.threads import visit
from streaming.tasks import TaskRegistry


class Handler(ASGIHandler):
    """For requests inside of ``OwnThreads``.

    Django goes to a thread to tell that a request begins and once more to tell that it has ended, waits for both, and
    makes two tasks. Here the first goes along with the request's own work, nobody waits for the second, and a request
    is served by the task it came in.
    """

    def __init__(self) -> None:
        super().__init__()
        self._tasks = TaskRegistry()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        thread = visit()
        thread.opening = partial(signals.request_started.send, sender=type(self), scope=scope)
        closing: Any = partial(signals.request_finished.send, sender=type(self))
        set_script_prefix(get_script_prefix(scope))
        try:
            response: Any
            request, response = self.create_request(scope, body)
            with _Presence(receive, self._tasks):
                if request is not None:
                    response = await self.run_get_response(request)
                closing = response.close
                await self.send_response(response, send)
        finally:
            thread.end(closing)
            body.close()

    async def read_body(self, receive: Any) -> IO[bytes]:
        """A body in one message, as nearly all are, is in memory already and gets no file of its own."""
        first = await receive()
        if first["type"] == "http.request" and not first.get("more_body", False):
            return BytesIO(first.get("body", b""))
        unread = [first]

        async def again() -> Message:
            message: Message = unread.pop() if unread else await receive()
            return message

        body: IO[bytes] = await super().read_body(again)
        return body

    async def send_response(self, response: Any, send: Any) -> None:
        headers = [(name.encode("ascii"), value.encode("latin1")) for name, value in response.items()]
        for cookie in response.cookies.values():
            headers.append((b"Set-Cookie", cookie.output(header="").encode("ascii").strip()))
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        if not response.streaming:
            for piece, last in self._pieces(response.content):
                await send({"type": "http.response.body", "body": piece, "more_body": not last})
            return
        async with aclosing(aiter(response)) as parts:
            async for part in parts:
                for piece, _ in self._pieces(part):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    def _pieces(self, data: bytes) -> Iterable[tuple[bytes, bool]]:
        """``data`` in pieces of which none is too large for one message, each with whether it is the last."""
        pieces: Any = ((data, True),) if len(data) <= self.chunk_size else self.chunk_bytes(data)
        return cast(Iterable[tuple[bytes, bool]], pieces)


class _Presence:
    """Inside of it the task is cancelled when the client goes, and that is all that happens: it ends there, quietly."""

    def __init__(self, receive: Receive, tasks: TaskRegistry) -> None:
        self._receive = receive
        self._tasks = tasks
        self._gone = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelled_before = task, task.cancelling()
        self._listening = self._tasks.spawn(self._listen(), name="whether the client is there")

    async def _listen(self) -> None:
        # After the body there is one message that a server can have, and it is this: the client has gone.
        await self._receive()
        self._gone = True
        self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._listening.cancel()
        if not self._gone:
            return False
        # Somebody else may have cancelled the task as well, and has to hear of it.
        return self._task.uncancel() <= self._cancelled_before and kind is asyncio.CancelledError
