import json
import logging
from typing import Any

import pytest
from django.test import AsyncClient, Client

from chatserver.accounts.models import User

pytestmark = [pytest.mark.urls("tests.support.edge_urls"), pytest.mark.django_db]


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(
    ("method", "address", "status", "code"),
    [
        ("get", "/api/nothing", 404, "not_found"),
        ("get", "/v1/nothing", 404, "not_found"),
        ("get", "/ollama/nothing", 404, "not_found"),
        ("get", "/api/gone", 404, "not_found"),
        ("post", "/api/only-get", 405, "method_not_allowed"),
        ("get", "/api/boom", 500, "internal_error"),
        ("get", "/api/busy", 409, "thread_busy"),
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_programs_get_the_one_shape(
    client: Client, settings: Any, method: str, address: str, status: int, code: str, debug: bool
) -> None:
    settings.DEBUG = debug
    answer = client.generic(method.upper(), address)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message", "retryable", "retry_after_ms", "details", "log_id"}
    assert answer.json()["error"]["code"] == code
    assert (answer.json()["error"]["log_id"] is not None) == (status == 500)
    assert "secret" not in answer.content.decode()


def test_405_still_says_what_is_allowed(client: Client) -> None:
    assert client.post("/api/only-get")["Allow"] == "GET"


def test_names_that_only_begin_like_ours_are_pages(client: Client) -> None:
    assert client.get("/apiary")["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(("address", "status"), [("/page/nothing", 404), ("/page/gone", 404), ("/page/boom", 500)])
def test_people_get_a_page(client: Client, address: str, status: int) -> None:
    answer = client.get(address)
    assert answer.status_code == status
    assert answer["Content-Type"].startswith("text/html")
    assert "secret" not in answer.content.decode()
    assert "Traceback" not in answer.content.decode()


@pytest.mark.parametrize("address", ["/api/boom", "/page/boom"])
def test_an_unexpected_exception_is_one_log_line_under_the_number_in_the_answer(
    client: Client, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    answer = client.get(address)
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    said: Any = errors[0].msg
    assert said["log_id"] in answer.content.decode()
    assert "RuntimeError: a secret sentence" in json.dumps(said)


async def test_under_asgi_too(caplog: pytest.LogCaptureFixture) -> None:
    client = AsyncClient(raise_request_exception=False)
    answer = await client.get("/api/boom")
    assert answer.json()["error"]["log_id"]
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1
    assert (await client.get("/api/nothing")).json()["error"]["code"] == "not_found"
    assert (await client.get("/page/boom")).status_code == 500


def test_pages_of_errors_do_not_ask_the_database(client: Client, user: User, django_assert_num_queries: Any) -> None:
    client.force_login(user)
    with django_assert_num_queries(0):
        assert client.get("/page/boom").status_code == 500
        assert client.get("/page/nothing").status_code == 404
