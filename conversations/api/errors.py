"""Whatever goes wrong in a plain resource, in the one shape of errors with a stable code. Never a traceback."""

import secrets
from collections.abc import Mapping
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from rest_framework import exceptions

from conversations.api.answers import error_answer
from conversations.database import storage_error
from streaming.protocol.errors import (
    BodyTooLarge,
    ChatError,
    Forbidden,
    InternalError,
    InvalidJson,
    InvalidRequest,
    MethodNotAllowed,
    NotAcceptable,
    NotAuthenticated,
    NotFound,
    RateLimited,
    RequestError,
    UnknownField,
    UnsupportedMediaType,
)

_log = structlog.get_logger(__name__)
# In this order: the first that fits decides.
_OURS: tuple[tuple[type[Exception], type[ChatError]], ...] = (
    (Http404, NotFound),
    (PermissionDenied, Forbidden),
    (RequestDataTooBig, BodyTooLarge),
    (SuspiciousOperation, InvalidRequest),
    (exceptions.NotAuthenticated, NotAuthenticated),
    (exceptions.AuthenticationFailed, NotAuthenticated),
    (exceptions.PermissionDenied, Forbidden),
    (exceptions.NotFound, NotFound),
    (exceptions.MethodNotAllowed, MethodNotAllowed),
    (exceptions.NotAcceptable, NotAcceptable),
    (exceptions.UnsupportedMediaType, UnsupportedMediaType),
    (exceptions.ParseError, InvalidJson),
    (exceptions.APIException, RequestError),
)


def answer(fault: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """DRF's exception handler."""
    return error_answer(as_ours(fault, path=_path(context)))


def as_ours(fault: Exception, *, path: str) -> ChatError:
    """``fault`` as an error of the tree. What nobody foresaw is logged under the number that the answer names."""
    if isinstance(fault, ChatError):
        return fault
    if isinstance(fault, exceptions.Throttled):
        wait: float | None = getattr(fault, "wait", None)
        return RateLimited(retry_after_ms=None if wait is None else int(wait * 1000))
    if isinstance(fault, OperationalError | InterfaceError):
        _log.warning("storage failed a request", path=path, exc_info=fault)
        return storage_error(fault)
    if isinstance(fault, exceptions.ValidationError):
        return _of_fields(fault)
    for kind, ours in _OURS:
        if isinstance(fault, kind) and not _is_server_fault(fault):
            return ours()
    log_id = secrets.token_hex(8)
    _log.error("request failed", path=path, log_id=log_id, exc_info=fault)
    return InternalError(log_id=log_id)


def _of_fields(fault: exceptions.ValidationError) -> ChatError:
    """What a serializer holds against a body; the code ``unknown_field`` is its word for a field too many."""
    codes, detail = fault.get_codes(), fault.detail
    if not isinstance(codes, dict) or not isinstance(detail, dict) or not detail:
        return InvalidRequest()
    if unknown := sorted(name for name, code in codes.items() if code == ["unknown_field"]):
        return UnknownField(details={"fields": unknown[:20]})
    field, said = next(iter(detail.items()))
    while isinstance(said, dict | list) and said:
        said = next(iter(said.values())) if isinstance(said, dict) else said[0]
    if field == "non_field_errors":  # the body as a whole
        return InvalidRequest(str(said))
    return InvalidRequest(f"{field}: {said}", details={"field": field})


def _is_server_fault(fault: Exception) -> bool:
    return isinstance(fault, exceptions.APIException) and fault.status_code >= 500


def _path(context: Mapping[str, Any]) -> str:
    request = context.get("request")
    return "" if request is None else str(request.path)
