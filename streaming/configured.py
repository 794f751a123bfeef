"""The settings as the parts of the engine want them."""

from dataclasses import dataclass

from django.conf import settings

from streaming.engine.afterthoughts import Wishes
from streaming.engine.limits import Limits
from streaming.engine.workshop import Pace
from streaming.providers.http_provider import UpstreamNumbers


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """The protocol's numbers that the transports need; seconds, bytes."""

    heartbeat: float
    client_dead_after: float
    write_timeout: float
    rotation: float
    rotation_bytes: int
    max_frame: int
    max_subscriptions: int
    max_streams: int
    max_waiting: int


def upstream() -> UpstreamNumbers:
    """What holds for every model server."""
    return {
        "connect": settings.UPSTREAM_CONNECT,
        "first_byte": settings.UPSTREAM_FIRST_BYTE,
        "idle": settings.UPSTREAM_IDLE,
        "max_line": settings.UPSTREAM_MAX_LINE,
        "pace": settings.FLUSH_INTERVAL / 1000,
    }


def limits() -> Limits:
    return Limits(
        max_attempts=settings.MAX_ATTEMPTS,
        max_tool_steps=settings.MAX_TOOL_STEPS,
        max_repeats=settings.MAX_REPEATS,
        max_event=settings.MAX_EVENT,
        approval_expiry=settings.APPROVAL_EXPIRY,
        tool_timeout=settings.TOOL_TIMEOUT,
    )


def pace() -> Pace:
    return Pace(
        deadline=settings.RUN_DEADLINE,
        flush_interval=settings.FLUSH_INTERVAL / 1000,
        flush_bytes=settings.FLUSH_BYTES,
        retry_attempts=settings.RETRY_ATTEMPTS,
        retry_delay=settings.RETRY_DELAY,
        streaming=settings.STREAMING,
        fallback_to_non_streaming=settings.FALLBACK_TO_NON_STREAMING,
    )


def wishes() -> Wishes:
    return Wishes(
        titles=settings.TITLES,
        follow_ups=settings.FOLLOW_UPS,
        model=settings.TASK_MODEL,
        timeout=settings.TITLE_TIMEOUT,
    )


def numbers() -> Numbers:
    return Numbers(
        heartbeat=settings.HEARTBEAT,
        client_dead_after=settings.CLIENT_DEAD_AFTER,
        write_timeout=settings.WRITE_TIMEOUT,
        rotation=settings.STREAM_ROTATION,
        rotation_bytes=4 * 1024 * 1024,
        max_frame=settings.MAX_FRAME,
        max_subscriptions=settings.MAX_SUBSCRIPTIONS,
        max_streams=settings.MAX_STREAMS,
        max_waiting=settings.MAX_WAITING,
    )
