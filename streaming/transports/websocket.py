"""``/ws/v1``: the consumer routes frames; whatever lasts runs beside it, never in its handler."""

import asyncio
import secrets
from contextlib import suppress
from typing import Any

import structlog
from asgiref.sync import sync_to_async
from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from chatserver.accounts.principal import Principal, aprincipal_of_token
from chatserver.accounts.rechecking import arecheck
from chatserver.gates import refused
from conversations import permissions, wire
from conversations.database import storage_error
from conversations.models import Run
from streaming.patience import Patience
from streaming.protocol.errors import ChatError, Draining, Forbidden, InternalError, NotAuthenticated
from streaming.tasks import TaskRegistry
from streaming.transports import sending, session
from streaming.transports.approving import decide_for
from streaming.transports.attach import Wish
from streaming.transports.beginning import beginning_of
from streaming.transports.entrance import doorstep, principal_of_handshake
from streaming.transports.feed_socket import FeedOnSocket
from streaming.transports.inbox import Inbox
from streaming.transports.live import Live, connections
from streaming.transports.session import CloseCode, Command, Refusal
from streaming.transports.subscriptions import SocketClosed, Subscriptions
from streaming.wiring import engine

log = structlog.get_logger(__name__)
_WISHES: dict[bool | None, Wish] = {True: "always", False: "never", None: "auto"}
_CODES = {
    "restart": CloseCode.RESTART,
    "rotation": CloseCode.ROTATION,
    "rights_changed": CloseCode.ROTATION,
    "not_authenticated": CloseCode.NOT_AUTHENTICATED,
    "too_slow": CloseCode.TOO_SLOW,
}


class ChatSocket(AsyncConsumer):
    """One socket. ``closed`` is set once a close frame has been sent or the client has gone."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.live: Live | None = None
        self._patience = Patience(engine().numbers.write_timeout)
        self.closed = False
        self.tasks = TaskRegistry()  # what ends with the conversation
        self._connection = TaskRegistry()  # what ends with the connection: what comes in, and the last word
        self._inbox = Inbox(receive, flooded=self._flooded)
        self._connection.spawn(self._inbox.fill(), name="socket inbox")
        try:
            await super().__call__(scope, self._inbox.next, send)  # type: ignore[no-untyped-call]
        finally:
            self.closed = True
            await self._connection.cancel_all()
            await self._release()

    async def dispatch(self, message: dict[str, Any]) -> None:
        # Channels would hop to the one shared thread at every frame, to close old database connections; this
        # consumer touches the database only by calls that look after their own.
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def websocket_connect(self, message: dict[str, Any]) -> None:
        self.engine = engine()
        self.principal: Principal | None = None
        self._on_the_doorstep: asyncio.Task[None] | None = None
        self.pinged = False
        self.last_frame = asyncio.get_running_loop().time()
        self._writing = asyncio.Lock()
        self._lasting: asyncio.Task[None] | None = None  # one frame that takes its time; a second one waits its turn
        if session.PROTOCOL not in self.scope["subprotocols"]:
            await self.base_send({"type": "websocket.accept"})
            self.close(CloseCode.NO_SUBPROTOCOL)
            return
        # Accept first, then close with a reason: of a refused handshake a browser sees nothing but 1006.
        await self.base_send({"type": "websocket.accept", "subprotocol": session.PROTOCOL})
        try:
            principal = await principal_of_handshake(self.scope)
        except NotAuthenticated:
            self.close(CloseCode.NOT_AUTHENTICATED)
        except Forbidden:
            self.close(CloseCode.FORBIDDEN)
        else:
            if principal is None:
                self._on_the_doorstep = self.tasks.spawn(self._wait_on_the_doorstep(), name="socket authentication")
            elif self._admit(principal):
                with suppress(SocketClosed):  # some leave while they are let in
                    await self._ready(principal)

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        if self.closed:
            return
        self.last_frame = asyncio.get_running_loop().time()
        authenticated = self.principal is not None
        frame = session.read_frame(message.get("text"), authenticated=authenticated, most=self.engine.numbers.max_frame)
        if isinstance(frame, Command) and session.may_last(frame) and (self._lasting is None or self._lasting.done()):
            self._lasting = self.tasks.spawn(self._answer(frame), name=f"socket {frame.event}")
        else:
            await self._answer(frame)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        raise StopConsumer()

    async def send_text(self, text: str) -> None:
        """Write one frame. Raises SocketClosed where that cannot be; who takes nothing in time is given up."""
        if self.closed:
            raise SocketClosed()
        try:
            async with self._writing:
                if self.closed:  # while this one waited for its turn
                    raise SocketClosed()
                with self._patience:
                    await self.base_send({"type": "websocket.send", "text": text})
        except TimeoutError:
            self.close(CloseCode.TOO_SLOW)
            raise SocketClosed() from None
        except OSError:  # the client has gone; the server tells us in its own time
            raise SocketClosed() from None
        except RuntimeError as fault:  # the close frame went out meanwhile
            if not self.closed:
                raise
            raise SocketClosed() from fault

    def close(self, code: int) -> None:
        """From now on nothing is sent or acted on but the close frame."""
        if not self.closed:
            self.closed = True
            self._connection.spawn(self._say_goodbye(code), name="socket goodbye")

    async def _say_goodbye(self, code: int) -> None:
        """Who does not listen any more is left without a word."""
        try:
            async with asyncio.timeout(1.0):
                await self.base_send({"type": "websocket.close", "code": code})
        except (TimeoutError, RuntimeError, OSError):
            log.info("a socket was gone before it could be closed", code=code)
            self._inbox.end()
        await self._release()

    async def _answer(self, frame: Command | Refusal) -> None:
        with suppress(SocketClosed):
            if isinstance(frame, Refusal):
                if isinstance(frame.error, NotAuthenticated):
                    refused("sign_in", socket=True)
                await self.send_text(session.refuse(frame.req, frame.error))
            else:
                await self._act_or_say_why_not(frame)

    async def _act_or_say_why_not(self, frame: Command) -> None:
        try:
            await self._act(frame)
        except ChatError as error:
            await self.send_text(session.refuse(frame.req, error))
        except SocketClosed:
            raise
        except (OperationalError, InterfaceError) as fault:
            log.warning("storage failed a frame", frame=frame.event, exc_info=fault)
            await self.send_text(session.refuse(frame.req, storage_error(fault)))
        except Exception as fault:
            log_id = secrets.token_hex(8)
            log.error("a frame failed", frame=frame.event, log_id=log_id, exc_info=fault)
            await self.send_text(session.refuse(frame.req, InternalError(log_id=log_id)))

    async def _act(self, frame: Command) -> None:
        match frame.event:
            case "auth":
                await self._authenticate_by_token(frame)
            case "ping":
                self.pinged = True
                heads = self.subscriptions.heads if self.live else {}
                now = str(wire.time(timezone.now()))
                await self.send_text(session.pong(frame.req, t=frame.data.t, server_time=now, heads=heads))
            case "flow.ack":
                self.subscriptions.acknowledge(permissions.as_id(frame.data.run_id), frame.data.id)
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
                principal, run_id = await self._principal(), permissions.as_id(frame.data.run_id)
                if run_id not in self.subscriptions:  # one that is followed may have been deleted meanwhile
                    await sending.find_run(principal, run_id)
                await self.subscriptions.end(run_id)
                await self.send_text(session.ack(frame.req, {}))
            case "run.cancel":
                run = await sending.cancel(await self._principal(), frame.data.run_id)
                await self._say_how_it_stands(frame, run)
            case "tool.approve":
                data = frame.data
                run = await decide_for(self.engine, await self._principal(), data.run_id, data.approval_id, data)
                await self._say_how_it_stands(frame, run)

    async def _say_how_it_stands(self, frame: Command, run: Run) -> None:
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
        head = await sync_to_async(sending.head_of)(run) if opened.replayed else run.head
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
        for run in followed:  # replayed by its key, it may be followed already
            await self.subscriptions.end(run.pk)
        await self.send_text(session.ack(frame.req, reply))
        for run, start in zip(followed, starts, strict=True):
            await self.subscriptions.begin(run, start)

    async def _subscribe(self, frame: Command) -> None:
        run = await sending.find_run(await self._principal(), frame.data.run_id)
        wish = _WISHES[frame.data.snapshot]
        self.subscriptions.require_room(run.pk)
        start = await beginning_of(self.engine, run, after=frame.data.after, wish=wish)
        # The ack of a subscription comes before its first event, and after the last of the one that it replaces.
        await self.subscriptions.end(run.pk)
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

    async def _authenticate_by_token(self, frame: Command) -> None:
        principal = await aprincipal_of_token(frame.data.token)
        if principal is None or (self.principal is not None and principal.user_id != self.principal.user_id):
            refused("token", socket=True)
            await self.send_text(session.refuse(frame.req, NotAuthenticated("This token is not valid.")))
            self.close(CloseCode.NOT_AUTHENTICATED)
            return
        first = self.live is None
        if first and not self._admit(principal):
            return
        self.principal = principal
        expires = await sync_to_async(sending.token_expiry)(principal)
        await self.send_text(session.ack(frame.req, {"user_id": str(principal.user_id), "expires_at": expires}))
        if first:
            await self._ready(principal)

    def _admit(self, principal: Principal) -> bool:
        try:
            self.live = connections().admit(principal)
        except ChatError as error:
            self.close(CloseCode.RESTART if isinstance(error, Draining) else CloseCode.TOO_MANY)
            return False
        self.principal = principal
        if self._on_the_doorstep is not None:
            self._on_the_doorstep.cancel()
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
                        self.close(CloseCode.NO_HEARTBEAT)
                        return
        self.close(_CODES[live.ending])

    async def _wait_on_the_doorstep(self) -> None:
        await doorstep.wait()
        self.close(CloseCode.NOT_AUTHENTICATED)

    def _flooded(self) -> None:
        log.warning("a client sends more than one may", user=str(self.live.principal.user_id) if self.live else None)
        self.close(CloseCode.TOO_MANY)

    async def _release(self) -> None:
        if self.live is not None:
            connections().leave(self.live)
        self._patience.close()
        await self.tasks.cancel_all()
