import logging
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions

from conversations.api.errors import answer, as_ours
from streaming.protocol.errors import RateLimited, ThreadBusy
from tests.support.stored import thread_of


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (ThreadBusy(), 409, "thread_busy"),
        (Http404(), 404, "not_found"),
        (PermissionDenied(), 403, "forbidden"),
        (RequestDataTooBig(), 413, "body_too_large"),
        (SuspiciousOperation(), 400, "invalid_request"),
        (exceptions.NotAuthenticated(), 401, "not_authenticated"),
        (exceptions.AuthenticationFailed(), 401, "not_authenticated"),
        (exceptions.PermissionDenied(), 403, "forbidden"),
        (exceptions.NotFound(), 404, "not_found"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (exceptions.NotAcceptable(), 406, "not_acceptable"),
        (exceptions.UnsupportedMediaType("text/plain"), 415, "unsupported_media_type"),
        (exceptions.ParseError(), 400, "invalid_json"),
        (exceptions.Throttled(wait=1.5), 429, "rate_limited"),
        (OperationalError("database is locked"), 503, "storage_busy"),
        (OperationalError("database or disk is full"), 503, "storage_full"),
        (InterfaceError("connection already closed"), 503, "storage_busy"),
        (IntegrityError("UNIQUE"), 500, "internal_error"),
        (exceptions.APIException(), 500, "internal_error"),
        (ZeroDivisionError("secret"), 500, "internal_error"),
    ],
)
def test_every_fault_has_its_status_and_code(fault: Exception, status: int, code: str) -> None:
    response = answer(fault, {})
    assert response.status_code == status
    assert f'"code":"{code}"'.encode() in response.content
    assert b"secret" not in response.content


def test_an_unexpected_fault_is_logged_under_the_number_that_is_answered(caplog: Any) -> None:
    with caplog.at_level(logging.ERROR):
        error = as_ours(ZeroDivisionError("secret"), path="/x")
    assert error.log_id
    assert error.log_id in caplog.text


def test_what_may_be_tried_again_says_when() -> None:
    assert answer(OperationalError("database is locked"), {})["Retry-After"] == "1"
    throttled = as_ours(exceptions.Throttled(wait=1.5), path="/x")
    assert (type(throttled), throttled.retry_after_ms) == (RateLimited, 2000)


@pytest.mark.django_db
def test_an_unknown_method_is_told_what_there_is(api: Any, user: Any) -> None:
    response = api(user).put("/api/v1/threads", {}, content_type="application/json")
    assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")
    assert "POST" in response["Allow"]


@pytest.mark.django_db
def test_the_options_of_an_address_are_no_door(api: Any, user: Any) -> None:
    assert api(user).options("/api/v1/threads").status_code == 405


@pytest.mark.django_db
def test_a_format_that_we_do_not_speak_is_refused(api: Any, user: Any) -> None:
    response = api(user).get("/api/v1/threads", headers={"Accept": "text/csv"})
    assert (response.status_code, response.json()["error"]["code"]) == (406, "not_acceptable")


@pytest.mark.django_db
def test_addresses_have_no_trailing_slash(api: Any, user: Any) -> None:
    thread, client = thread_of(user), api(user)
    for address in ("/api/v1/threads/", f"/api/v1/threads/{thread.pk}/", f"/api/v1/threads/{thread.pk}/messages/"):
        assert client.get(address).status_code == 404
