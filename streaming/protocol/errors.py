"""The one error tree: everything that may go wrong on the wire, each with a stable code.

ChatError
├── RequestError          the caller must change the request
│   ├── InvalidRequest · UnknownField · InvalidJson · BodyTooLarge · UnsupportedMediaType · MethodNotAllowed
│   ├── AddressTooLong · HeadersTooLarge
│   ├── NotAuthenticated · Forbidden · NotFound
│   ├── ThreadBusy · StaleHead · IdempotencyConflict · ApprovalClosed · ApprovalExpired
│   ├── NotWaiting · QueueFull · TooManyPulls
│   ├── UnsupportedType · UnreadableFile · AttachmentUnknown · AttachmentUsed · QuotaExceeded
│   └── RateLimited · TooManyStreams · TooManyWaiting
├── Unavailable           the server cannot now: Draining · StorageBusy · StorageFull
├── InternalError         our own fault; the log knows more
├── ModelUnknown          the name leads to no model
└── UpstreamError         the model server's fault
    ├── UpstreamUnreachable · UpstreamTls · UpstreamTimeout · UpstreamStalled
    ├── UpstreamDropped · UpstreamTruncated · UpstreamProtocol
    ├── UpstreamRefused · UpstreamBusy · UpstreamKey · UpstreamFailed
    ├── ModelMissing · ContextExceeded · StreamingRefused
    └── PullUnknown · UpstreamDiskFull

A class exists where a caller would act differently. Each owns its code, the HTTP status it is answered with, whether
retrying helps, and a sentence that is safe to show. Messages never carry secrets, addresses with credentials, or
tracebacks.
"""

from typing import Any, ClassVar

import msgspec


class ErrorObject(msgspec.Struct, frozen=True, kw_only=True):
    """The one shape of an error, in HTTP bodies, socket replies, events and run objects."""

    code: str
    message: str
    retryable: bool = False
    retry_after_ms: int | None = None
    details: dict[str, Any] | None = None
    log_id: str | None = None


class ChatError(Exception):
    """Base of the tree. ``log_id`` ties what a person saw to a line in the log."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    sentence: ClassVar[str] = "Something went wrong on the server."

    def __init__(
        self,
        message: str | None = None,
        *,
        details: dict[str, Any] | None = None,
        retry_after_ms: int | None = None,
        log_id: str | None = None,
    ) -> None:
        super().__init__(message or self.sentence)
        self.message = message or self.sentence
        self.details = details
        self.retry_after_ms = retry_after_ms
        self.log_id = log_id

    @property
    def retry_after(self) -> str | None:
        """The header of this name, in whole seconds: of 429 and 503, where it is known when to come again."""
        if self.retry_after_ms is None or self.status not in (429, 503):
            return None
        return str(max(1, -(-self.retry_after_ms // 1000)))

    def as_object(self) -> ErrorObject:
        return ErrorObject(
            code=self.code,
            message=self.message,
            retryable=self.retryable,
            retry_after_ms=self.retry_after_ms,
            details=self.details,
            log_id=self.log_id,
        )


class RequestError(ChatError):
    code = "invalid_request"
    status = 400
    sentence = "The request is not valid."


class InvalidRequest(RequestError):
    """A field is missing, of the wrong type or out of range; ``details`` names it."""


class UnknownField(RequestError):
    code = "unknown_field"
    sentence = "The body has fields that this call does not know."


class InvalidJson(RequestError):
    code = "invalid_json"
    sentence = "The body is not valid JSON."


class BodyTooLarge(RequestError):
    code = "body_too_large"
    status = 413
    sentence = "The body is larger than this server accepts."


class AddressTooLong(RequestError):
    code = "address_too_long"
    status = 414
    sentence = "The address is longer than this server reads."


class HeadersTooLarge(RequestError):
    code = "headers_too_large"
    status = 431
    sentence = "The request has more headers than this server reads."


class UnsupportedMediaType(RequestError):
    code = "unsupported_media_type"
    status = 415
    sentence = "Send the body as application/json."


class MethodNotAllowed(RequestError):
    code = "method_not_allowed"
    status = 405
    sentence = "This address does not know that method."


class NotAcceptable(RequestError):
    code = "not_acceptable"
    status = 406
    sentence = "This address cannot answer in the format asked for."


class NotAuthenticated(RequestError):
    code = "not_authenticated"
    status = 401
    sentence = "Sign in, or send a valid token."


class Forbidden(RequestError):
    code = "forbidden"
    status = 403
    sentence = "You may not do this."


class NotFound(RequestError):
    """Unknown or not yours: one answer for both, so that nobody can probe for ids."""

    code = "not_found"
    status = 404
    sentence = "There is nothing here, or it is not yours."


class ThreadBusy(RequestError):
    code = "thread_busy"
    status = 409
    retryable = True
    sentence = "This thread is still answering. Stop the answer, or wait for its end."


class QueueFull(RequestError):
    """``details`` say which limit of a thread's queue has been reached, and which sends wait in it."""

    code = "queue_full"
    status = 409
    retryable = True
    sentence = "No more messages can wait in this thread. Withdraw one, or wait until one is answered."


class TooManyPulls(RequestError):
    code = "too_many_pulls"
    status = 409
    retryable = True
    sentence = "No more models can wait to be pulled. Cancel one, or wait until one is there."


class NotWaiting(RequestError):
    """It has begun, or has been withdrawn; ``details`` say which."""

    code = "not_waiting"
    status = 409
    sentence = "This message does not wait any more."


class StaleHead(RequestError):
    code = "stale_head"
    status = 409
    sentence = "The thread has moved on since you last loaded it. Reload it and send again."


class ApprovalClosed(RequestError):
    """Somebody has decided otherwise, or the run has ended; ``details`` say which."""

    code = "approval_closed"
    status = 409
    sentence = "This has been decided otherwise already."


class ApprovalExpired(RequestError):
    code = "approval_expired"
    status = 410
    sentence = "This was asked too long ago. The run has ended."


class IdempotencyConflict(RequestError):
    code = "idempotency_conflict"
    status = 422
    sentence = "This idempotency key was used for another request."


class UnsupportedType(RequestError):
    """Of a file; ``details`` say what is taken."""

    code = "unsupported_type"
    status = 415
    sentence = "Files of this kind are not taken. Pictures, PDF and text are."


class UnreadableFile(RequestError):
    """It is of a kind that is taken, and nothing can be made of it; ``details`` have the reason as a word."""

    code = "unreadable_file"
    status = 422
    sentence = "This file cannot be read."


class AttachmentUnknown(RequestError):
    """What a send names is not there, or not the sender's; ``details`` have the ids."""

    code = "attachment_unknown"
    sentence = "A file of this message is not here any more. Attach it again."


class AttachmentUsed(RequestError):
    """It can go only with the messages that have it."""

    code = "attachment_used"
    status = 409
    sentence = "A message has this file. Delete the message, and the file goes with it."


class QuotaExceeded(RequestError):
    """``details`` have the limit and what is used, in bytes."""

    code = "quota_exceeded"
    status = 409
    sentence = "Your files take up all the room that you have here. Delete threads or messages with files to make some."


class RateLimited(RequestError):
    code = "rate_limited"
    status = 429
    retryable = True
    sentence = "Too many requests. Wait a moment and try again."


class TooManyStreams(RequestError):
    code = "too_many_streams"
    status = 429
    retryable = True
    sentence = "You have too many open streams. Close a tab or another client."


class TooManyWaiting(RequestError):
    code = "too_many_waiting"
    status = 429
    retryable = True
    sentence = "You have too many questions waiting. Send again when some of them are answered."


class Unavailable(ChatError):
    code = "unavailable"
    status = 503
    retryable = True
    sentence = "The server cannot do this right now. Try again in a moment."


class Draining(Unavailable):
    code = "draining"
    sentence = "The server is restarting. Try again in a moment."


class StorageBusy(Unavailable):
    code = "storage_busy"
    sentence = "The database is busy. Try again in a moment."


class StorageFull(Unavailable):
    code = "storage_full"
    retryable = False
    sentence = "The server's disk is full. An administrator has to make room."


class InternalError(ChatError):
    """A fault of ours; the log has the traceback under ``log_id``."""


class ModelUnknown(ChatError):
    code = "model_unknown"
    status = 400
    sentence = "There is no such model here. Choose another one."


class UpstreamError(ChatError):
    """The model server said no in the middle of an answer, or failed in a way it named itself."""

    code = "upstream_error"
    status = 502
    sentence = "The model server reported an error."


class UpstreamUnreachable(UpstreamError):
    code = "upstream_unreachable"
    retryable = True
    sentence = "The model server cannot be reached. Start it, or have an administrator check its address."


class UpstreamTls(UpstreamError):
    code = "upstream_tls"
    sentence = "No safe connection to the model server could be made. An administrator has to check its certificate."


class UpstreamTimeout(UpstreamError):
    code = "upstream_timeout"
    status = 504
    retryable = True
    sentence = "The model server did not begin to answer in time."


class UpstreamStalled(UpstreamError):
    code = "upstream_stalled"
    status = 504
    retryable = True
    sentence = "The model server stopped in the middle of the answer."


class UpstreamDropped(UpstreamError):
    code = "upstream_dropped"
    retryable = True
    sentence = "The connection to the model server broke in the middle of the answer."


class UpstreamTruncated(UpstreamError):
    code = "upstream_truncated"
    retryable = True
    sentence = "The model server ended the answer without finishing it."


class UpstreamProtocol(UpstreamError):
    code = "upstream_protocol"
    sentence = "The model server sent something that is not an answer."


class UpstreamRefused(UpstreamError):
    """The model server turned the request down; the same request will be turned down again."""

    code = "upstream_refused"
    sentence = "The model server refused the request."


class UpstreamFailed(UpstreamError):
    """A 5xx before the first token; another try may well succeed."""

    code = "upstream_failed"
    retryable = True
    sentence = "The model server failed before it answered."


class UpstreamBusy(UpstreamError):
    code = "upstream_busy"
    status = 503
    retryable = True
    sentence = "The model server is too busy. Try again in a moment."


class UpstreamKey(UpstreamError):
    code = "upstream_key"
    sentence = "The model server did not accept our key. An administrator must check the key."


class ModelMissing(UpstreamError):
    code = "model_missing"
    sentence = "The model server does not have this model. Pull it there, or choose another one."


class ContextExceeded(UpstreamError):
    code = "context_exceeded"
    sentence = "The conversation is longer than the model can read. Start a new thread or shorten the message."


class StreamingRefused(UpstreamError):
    """The model server does not stream; one request without streaming may follow."""

    code = "streaming_refused"
    sentence = "The model server does not stream its answers."


class PullUnknown(UpstreamError):
    """Pulling it again changes nothing, but for a name that is spelt right."""

    code = "pull_unknown"
    sentence = "The registry has no model of this name. Check how it is spelt, its tag too."


class UpstreamDiskFull(UpstreamError):
    code = "upstream_disk_full"
    sentence = "The model server's disk is full. Delete a model there, or have an administrator make room."
