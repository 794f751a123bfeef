"""``/ws/v1``: the consumer routes frames; whatever lasts runs beside it, never in its handler."""

import asyncio
import secrets
from typing import Any

import structlog
from asgiref.sync import sync_to_async
from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from chatserver.accounts.principal import Principal, aprincipal_of_session_key, aprincipal_of_token
from chatserver.accounts.rechecking import arecheck
from chatserver.origins import allowed
from conversations import permissions, wire
from conversations.database import storage_error
from streaming.protocol.errors import ChatError, Draining, InternalError, NotAuthenticated
from streaming.tasks import TaskRegistry
from streaming.transports import sending, session
from streaming.transports.attach import Wish
from streaming.transports.beginning import beginning_of
from streaming.transports.feed_socket import FeedOnSocket
from streaming.transports.live import Live, connections
from streaming.transports.session import CloseCode, Command, Refusal
from streaming.transports.subscriptions import Subscriptions
from streaming.wiring import engine

log = structlog.get_logger(__name__)
AUTH_WITHIN = 10.0
_WISHES: dict[bool | None, Wish] = {True: "always", False: "never", None: "auto"}
_CODES = {
    "restart": CloseCode.RESTART,
    "rotation": CloseCode.ROTATION,
    "not_authenticated": CloseCode.NOT_AUTHENTICATED,
    "too_slow": CloseCode.TOO_SLOW,
}


class ChatSocket(AsyncConsumer):
    """One socket. ``closed`` is set once a close frame has been sent or the client has gone."""

    async def dispatch(self, message: dict[str, Any]) -> None:
        # Channels would hop to the one shared thread at every frame, to close old database connections; this
        # consumer touches the database only by calls that look after their own.
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def websocket_connect(self, message: dict[str, Any]) -> None:
        self.engine = engine()
        self.tasks = TaskRegistry()
        self.principal: Principal | None = None
        self.live: Live | None = None
        self.closed = False
        self.pinged = False
        self.last_frame = asyncio.get_running_loop().time()
        self._writing = asyncio.Lock()
        self._lasting: asyncio.Task[None] | None = None  # one frame that takes its time; a second one waits its turn
        if session.PROTOCOL not in self.scope["subprotocols"]:
            await self.base_send({"type": "websocket.accept"})
            await self.close(CloseCode.NO_SUBPROTOCOL)
            return
        # Accept first, then close with a reason: of a refused handshake a browser sees nothing but 1006.
        await self.base_send({"type": "websocket.accept", "subprotocol": session.PROTOCOL})
        await self._authenticate_by_handshake()
        if not self.closed and self.principal is None:
            self.tasks.spawn(self._close_unless_authenticated(), name="socket authentication")

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        if self.closed:
            return
        self.last_frame = asyncio.get_running_loop().time()
        authenticated = self.principal is not None
        frame = session.read_frame(message.get("text"), authenticated=authenticated, most=self.engine.numbers.max_frame)
        if isinstance(frame, Refusal):
            await self.send_text(session.refuse(frame.req, frame.error))
        elif session.may_last(frame) and (self._lasting is None or self._lasting.done()):
            self._lasting = self.tasks.spawn(self._answer(frame), name=f"socket {frame.event}")
        else:
            await self._answer(frame)

    async def _answer(self, frame: Command) -> None:
        try:
            await self._act(frame)
        except ChatError as error:
            await self.send_text(session.refuse(frame.req, error))
        except (OperationalError, InterfaceError) as fault:
            log.warning("storage failed a frame", frame=frame.event, exc_info=fault)
            await self.send_text(session.refuse(frame.req, storage_error(fault)))
        except Exception as fault:
            log_id = secrets.token_hex(8)
            log.error("a frame failed", frame=frame.event, log_id=log_id, exc_info=fault)
            await self.send_text(session.refuse(frame.req, InternalError(log_id=log_id)))

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        self.closed = True
        await self._release()
        raise StopConsumer()

    async def send_text(self, text: str) -> None:
        """Write one frame; a socket that cannot be written to in time is given up."""
        if self.closed:
            return
        try:
            async with asyncio.timeout(self.engine.numbers.write_timeout), self._writing:
                await self.base_send({"type": "websocket.send", "text": text})
        except TimeoutError:
            await self.close(CloseCode.TOO_SLOW)

    async def close(self, code: int) -> None:
        if self.closed:
            return
        self.closed = True
        try:
            async with asyncio.timeout(1.0):
                await self.base_send({"type": "websocket.close", "code": code})
        except (TimeoutError, RuntimeError, OSError):
            log.info("a socket was gone before it could be closed", code=code)

    async def _act(self, frame: Command) -> None:
        match frame.event:
            case "auth":
                await self._authenticate_by_token(frame)
            case "ping":
                self.pinged = True
                heads = self.subscriptions.heads if self.live else {}
                now = str(wire.time(timezone.now()))
                await self.send_text(session.pong(frame.req, t=frame.data.t, server_time=now, heads=heads))
            case "message.send":
                await self._send_message(frame)
            case "subscribe" if frame.data.feed:
                permissions.require(await self._principal(), "read")
                await self.feed.end()  # the ack comes before its first event, and after the last of the one before
                await self.send_text(session.ack(frame.req, {"head": await self.feed.head()}))
                await self.feed.begin(after=frame.data.after)
            case "unsubscribe" if frame.data.feed:
                await self._principal()
                await self.feed.end()
                await self.send_text(session.ack(frame.req, {}))
            case "subscribe":
                await self._subscribe(frame)
            case "unsubscribe":
                run = await sending.find_run(await self._principal(), frame.data.run_id)
                await self.subscriptions.end(run.pk)
                await self.send_text(session.ack(frame.req, {}))
            case "run.cancel":
                run = await sending.cancel(await self._principal(), frame.data.run_id)
                head = await sync_to_async(sending.head_of)(run)
                await self.send_text(session.ack(frame.req, {"status": run.status, "head": head}))

    async def _send_message(self, frame: Command) -> None:
        data = frame.data
        if data.subscribe:  # first: a refused frame must not leave a run behind
            self.subscriptions.require_room(places=len(data.models or [None]))
        opened = await sending.send(
            self.engine,
            await self._principal(),
            data.thread_id,
            data,
            key=data.idempotency_key,
            body=frame.body,
        )
        run = opened.run
        head = await sync_to_async(sending.head_of)(run)
        reply: dict[str, Any] = {
            "run_id": str(run.pk),
            "user_message_id": None if run.question_id is None else str(run.question_id),
            "replayed": opened.replayed,
            "head": head,
        }
        if data.models:
            reply["runs"] = sending.side_by_side(opened.runs)
        followed = opened.runs if data.subscribe else ()
        starts = [await beginning_of(self.engine, run, after=0, wish="never") for run in followed]
        await self.send_text(session.ack(frame.req, reply))
        for run, start in zip(followed, starts, strict=True):
            await self.subscriptions.begin(run, start)

    async def _subscribe(self, frame: Command) -> None:
        run = await sending.find_run(await self._principal(), frame.data.run_id)
        wish = _WISHES[frame.data.snapshot]
        self.subscriptions.require_room(run.pk)
        start = await beginning_of(self.engine, run, after=frame.data.after, wish=wish)
        # The ack of a subscription comes before its first event.
        reply = {"status": run.status, "head": start.head, "mode": start.mode}
        await self.send_text(session.ack(frame.req, reply))
        await self.subscriptions.begin(run, start)

    async def _principal(self) -> Principal:
        """Who this is at this moment: rights are read per act."""
        if self.principal is None:
            raise NotAuthenticated()
        now = (await arecheck([self.principal]))[self.principal]
        if now is None:
            if self.live is not None:
                self.live.end("not_authenticated")
            raise NotAuthenticated()
        return now

    async def _authenticate_by_handshake(self) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.scope["headers"]}
        bearer = headers.get("authorization", "")
        if bearer.lower().startswith("bearer "):
            await self._welcome(await aprincipal_of_token(bearer[7:].strip()))
            return
        key = self.scope.get("cookies", {}).get(settings.SESSION_COOKIE_NAME)
        if not key:
            return
        scheme = "https" if self.scope.get("scheme") in ("wss", "https") else "http"
        if not allowed(headers.get("origin"), host=headers.get("host", ""), scheme=scheme):
            await self.close(CloseCode.FORBIDDEN)
            return
        principal = await aprincipal_of_session_key(key)
        if principal is not None:
            await self._welcome(principal)

    async def _authenticate_by_token(self, frame: Command) -> None:
        principal = await aprincipal_of_token(frame.data.token)
        if principal is None or (self.principal is not None and principal.user_id != self.principal.user_id):
            await self.send_text(session.refuse(frame.req, NotAuthenticated("This token is not valid.")))
            await self.close(CloseCode.NOT_AUTHENTICATED)
            return
        first = self.live is None
        if first and not await self._admit(principal):
            return
        self.principal = principal
        expires = await sync_to_async(sending.token_expiry)(principal)
        await self.send_text(session.ack(frame.req, {"user_id": str(principal.user_id), "expires_at": expires}))
        if first:
            await self._ready(principal)

    async def _welcome(self, principal: Principal | None) -> None:
        if principal is None:
            await self.close(CloseCode.NOT_AUTHENTICATED)
        elif await self._admit(principal):
            self.principal = principal
            await self._ready(principal)

    async def _admit(self, principal: Principal) -> bool:
        try:
            self.live = connections().admit(principal)
        except ChatError as error:
            await self.close(CloseCode.RESTART if isinstance(error, Draining) else CloseCode.TOO_MANY)
            return False
        self.subscriptions = Subscriptions(
            engine=self.engine,
            tasks=self.tasks,
            live=self.live,
            send=self.send_text,
            most=self.engine.numbers.max_subscriptions,
        )
        self.feed = FeedOnSocket(engine=self.engine, tasks=self.tasks, live=self.live, send=self.send_text)
        self._over = asyncio.Event()
        self.tasks.spawn(self._watch(self.live), name="socket watch")
        return True

    async def _ready(self, principal: Principal) -> None:
        numbers = self.engine.numbers
        await self.send_text(
            session.ready(
                session_id=secrets.token_hex(16),
                user_id=str(principal.user_id),
                heartbeat=numbers.heartbeat,
                max_frame=numbers.max_frame,
                max_subscriptions=numbers.max_subscriptions,
            )
        )

    async def _watch(self, live: Live) -> None:
        """Close the socket when the server must, or when a client that used to ping has fallen silent."""
        loop, dead_after = asyncio.get_running_loop(), self.engine.numbers.client_dead_after
        with live.waking(self._over.set):
            while live.ending is None:
                try:
                    async with asyncio.timeout(dead_after / 4):
                        await self._over.wait()
                except TimeoutError:
                    if self.pinged and loop.time() - self.last_frame > dead_after:
                        await self.close(CloseCode.NO_HEARTBEAT)
                        return
        await self.close(_CODES[live.ending])

    async def _close_unless_authenticated(self) -> None:
        await asyncio.sleep(AUTH_WITHIN)
        if self.principal is None:
            await self.close(CloseCode.NOT_AUTHENTICATED)

    async def _release(self) -> None:
        await self.tasks.cancel_all()
        if self.live is not None:
            connections().leave(self.live)
