"""What a reader is told whose stream broke in the server: a sentence, and the number under which the log has why."""

import secrets

import structlog

from conversations.models import Run
from streaming.eventlog.base import LogAway, LogLost
from streaming.protocol.codec import dumps
from streaming.protocol.errors import ErrorObject, InternalError, NotFound, StorageBusy
from streaming.protocol.events import ErrorEvent

log = structlog.get_logger(__name__)


def told_as_broken(run: Run, fault: Exception) -> str:
    """The hint for the reader. After a fault of ours, which is logged, they may come back and go on; a run that was
    removed with its thread is nobody's fault, and there is nothing to come back for.
    """
    if isinstance(fault, LogLost):
        log.info("a run was removed under its reader", run=str(run.pk))
        return _hint(run, NotFound("This run has been deleted.").as_object(), retryable=False)
    if isinstance(fault, LogAway):
        log.warning("a reader has to come again", run=str(run.pk), why=str(fault))
        return _hint(run, StorageBusy().as_object(), retryable=True)
    log_id = secrets.token_hex(8)
    log.error("a stream broke", run=str(run.pk), log_id=log_id, exc_info=fault)
    error = InternalError("The stream broke on the server. Connect again to go on.", log_id=log_id)
    return _hint(run, error.as_object(), retryable=True)


def told_feed_as_broken(fault: Exception) -> str:
    """The same for the reader of a feed."""
    log_id = secrets.token_hex(8)
    log.error("a feed's stream broke", log_id=log_id, exc_info=fault)
    error = InternalError("The stream broke on the server. Connect again to go on.", log_id=log_id)
    data = {"code": error.code, "message": error.message, "retryable": True, "log_id": log_id}
    return dumps({"event": ErrorEvent.name, "data": data})


def _hint(run: Run, error: ErrorObject, *, retryable: bool) -> str:
    data = {
        "run_id": str(run.pk),
        "thread_id": str(run.thread_id),
        "code": error.code,
        "message": error.message,
        "retryable": retryable,
        "log_id": error.log_id,
    }
    return dumps({"event": ErrorEvent.name, "data": data})
