"""Pulling, loading and deleting models through the whole application, at a stand-in model server."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import override_settings
from jsonschema import Draft202012Validator

from chatserver.accounts.services import create_token, create_user
from conversations.models import ModelPull
from streaming.providers.demo import DemoProvider
from streaming.providers.ollama import OllamaProvider
from streaming.transports.live import forget_connections
from streaming.transports.schema import protocol_schema
from tests.support.committed import committed
from tests.support.inside import Answer, Inside
from tests.support.sse import Parser
from tests.support.standin import StandIn

PULLS = "/api/v1/model-pulls"


class Room:
    """The application, and its administrator's token."""

    def __init__(self, inside: Inside, standin: StandIn, token: str) -> None:
        self.inside = inside
        self.standin = standin
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, address: str, **headers: str) -> Answer:
        return self.inside.request("GET", address, headers={**self._headers, **headers})

    def delete(self, address: str) -> Answer:
        return self.inside.request("DELETE", address, headers=self._headers)

    def post(self, address: str, body: Any = None) -> Answer:
        raw = b"" if body is None else json.dumps(body).encode()
        headers = {**self._headers, "Content-Type": "application/json"}
        return self.inside.request("POST", address, headers=headers, body=raw)

    def pull(self, model: str, server: str = "ollama") -> dict[str, Any]:
        answer = self.post(PULLS, {"server": server, "model": model})
        assert answer.status == 201, answer.body
        return answer.json["pull"]

    def until(self, pull: dict[str, Any], right: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + 10
        while not right(found := self.get(f"{PULLS}/{pull['id']}").json["pull"]):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found

    def names(self) -> dict[str, bool]:
        return {model["name"]: model["loaded"] for model in self.get("/api/v1/models").json["results"]}


@pytest.fixture(scope="module")
def room(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    data_dir = tmp_path_factory.mktemp("pulls")
    with committed(django_db_blocker), override_settings(DATA_DIR=data_dir), StandIn() as standin:
        forget_connections()
        root = create_user(username="root", password="correct horse battery", is_superuser=True)
        token = create_token(user=root)[1]
        with Inside(providers=[OllamaProvider(base_url=standin.base_url), DemoProvider()]) as inside:
            yield Room(inside, standin, token)
        forget_connections()


def over(pull: dict[str, Any]) -> bool:
    return pull["finished_at"] is not None


def test_a_model_is_pulled_and_can_be_chosen_as_soon_as_that_is_told(room):
    pull = room.pull("fresh")
    Draft202012Validator({"$ref": "#/$defs/ModelPull", "$defs": protocol_schema()["$defs"]}).validate(pull)
    assert (pull["server"], pull["model"], pull["status"], pull["by"]) == ("ollama", "fresh:latest", "queued", "root")
    done = room.until(pull, over)
    assert (done["status"], done["completed"], done["total"]) == ("done", 8_000_000, 8_000_000)
    assert "ollama/fresh:latest" in room.names()


def test_the_same_that_is_under_way_is_given_again_whatever_its_name_leaves_out(room):
    pull = room.pull("gated-a")
    again = room.post(PULLS, {"server": "ollama", "model": "gated-a:latest"})
    assert (again.status, again.json["pull"]["id"]) == (200, pull["id"])
    assert room.get(PULLS).json["results"][0]["id"] == pull["id"]
    room.until(pull, lambda pull: pull["completed"] == 4_000_000)
    room.standin.release()
    room.until(pull, over)


def test_who_manages_models_sees_those_too_that_cannot_chat(room):
    def names(query: str) -> set[str]:
        return {model["name"] for model in room.get(f"/api/v1/models{query}").json["results"]}

    assert names("?all=1") - names("") == {"ollama/nomic-embed-text:latest"}
    assert names("") - names("?all=1") == set()


def test_a_cancel_is_heard_by_the_model_server_within_a_second(room):
    room.standin.reset()
    pull = room.pull("gated-b")
    room.standin.wait_for(lambda stats: stats["active"] == 1, timeout=5)
    answer = room.post(f"{PULLS}/{pull['id']}/cancel")
    assert (answer.status, answer.json["pull"]["cancelling"]) == (202, True)
    room.standin.wait_for(lambda stats: stats["active"] == 0 and len(stats["aborted"]) == 1, timeout=1)
    ended = room.until(pull, over)
    assert (ended["status"], ended["cancelled_by"], ended["cancelling"]) == ("cancelled", "root", False)
    again = room.post(f"{PULLS}/{pull['id']}/cancel")
    assert (again.status, again.json["pull"]["status"]) == (200, "cancelled")


def test_the_stream_tells_how_far_it_is_and_ends_with_the_pull(room):
    pull = room.pull("gated-d")
    with ThreadPoolExecutor() as other:
        reading = other.submit(room.get, f"{PULLS}/{pull['id']}/events")
        room.until(pull, lambda pull: pull["completed"] == 4_000_000)
        time.sleep(1.2)  # the stream looks once a second
        room.standin.release()
        answer = reading.result(10)
    assert (answer.status, answer.header("content-type")) == (200, "text/event-stream; charset=utf-8")
    messages = Parser().feed(answer.body)
    told = [json.loads(message.data)["data"]["pull"] for message in messages]
    assert {message.event for message in messages} == {"model.pull.updated"}
    assert [message.id for message in messages] == [*[None] * (len(messages) - 1), "1"]
    assert told[-1]["status"] == "done"
    assert any(0 < each["completed"] < each["total"] for each in told)
    assert all(before != after for before, after in itertools.pairwise(told))


def test_the_stream_ends_with_the_right_though_the_pull_goes_on(room):
    sam = create_user(username="sam", password="correct horse battery", is_staff=True)
    right = Permission.objects.get(codename="manage_models")
    sam.user_permissions.add(right)
    theirs = {"Authorization": f"Bearer {create_token(user=sam)[1]}"}
    pull = room.pull("gated-c")
    with ThreadPoolExecutor() as other:
        reading = other.submit(room.inside.request, "GET", f"{PULLS}/{pull['id']}/events", headers=theirs)
        room.until(pull, lambda pull: pull["completed"] == 4_000_000)
        assert not reading.done()
        sam.user_permissions.remove(right)
        answer = reading.result(5)
    last = json.loads(Parser().feed(answer.body)[-1].data)["data"]["pull"]
    assert (answer.status, last["status"]) == (200, "pulling")
    assert room.inside.request("GET", f"{PULLS}/{pull['id']}/events", headers=theirs).status == 403
    room.standin.release()
    room.until(pull, over)


def test_an_event_source_that_comes_again_after_the_end_is_told_to_stop(room):
    pull = room.pull("short")
    room.until(pull, over)
    assert room.get(f"{PULLS}/{pull['id']}/events", **{"Last-Event-ID": "1"}).status == 204
    whole = room.get(f"{PULLS}/{pull['id']}/events?names=0")
    (message,) = Parser().feed(whole.body)
    assert (message.event, json.loads(message.data)["data"]["pull"]["status"]) == ("message", "done")


def test_a_failure_is_told_with_its_code_and_its_remedy(room):
    ended = room.until(room.pull("missing"), over)
    assert (ended["status"], ended["error"]["code"]) == ("failed", "pull_unknown")
    ended = room.until(room.pull("full-disk"), over)
    assert (ended["error"]["code"], ended["error"]["retryable"]) == ("upstream_disk_full", False)


@pytest.mark.parametrize("server", ["demo", "nobody", ""])
def test_only_servers_that_keep_models_are_asked(room, server):
    answer = room.post(PULLS, {"server": server, "model": "x"})
    assert (answer.status, answer.json["error"]["details"]["field"]) == (400, "server")


@pytest.mark.parametrize("model", ["http://evil/x/y", "127.0.0.1:6379/a/b", "a b", "../x"])
def test_a_name_that_is_an_address_reaches_no_model_server(room, model):
    room.standin.reset()
    answer = room.post(PULLS, {"server": "ollama", "model": model})
    assert (answer.status, answer.json["error"]["details"]["field"]) == (400, "model")
    assert "/api/pull" not in room.standin.stats()["requests"]
    assert not ModelPull.objects.filter(model__contains=model).exists()


def test_a_model_is_loaded_unloaded_and_deleted_and_all_of_it_is_on_record(room):
    LogEntry.objects.all().delete()
    name = "ollama/plain:latest"
    assert room.names()[name] is False
    answer = room.post("/api/v1/models/load", {"model": name})
    assert (answer.status, answer.json) == (200, {"model": name, "loaded": True})
    assert room.names()[name] is True
    answer = room.post("/api/v1/models/unload", {"model": name})
    assert (answer.status, answer.json, room.names()[name]) == (200, {"model": name, "loaded": False}, False)
    assert room.delete(f"/api/v1/models/{name}").status == 204
    assert name not in room.names()
    entries = LogEntry.objects.order_by("pk")
    assert [entry.change_message for entry in entries] == [
        f"The model plain:latest was {done}." for done in ("loaded", "unloaded", "deleted")
    ]
    assert {entry.user.username for entry in entries} == {"root"}


def test_what_is_not_there_is_told_and_nothing_is_put_on_record(room):
    LogEntry.objects.all().delete()
    for answer in (
        room.post("/api/v1/models/load", {"model": "ollama/nobody"}),
        room.post("/api/v1/models/unload", {"model": "ollama/nobody"}),
        room.delete("/api/v1/models/ollama/nobody"),
    ):
        assert (answer.status, answer.json["error"]["code"]) == (502, "model_missing")
    assert not LogEntry.objects.exists()


def test_a_load_that_takes_long_goes_on_and_is_asked_for_once(room, monkeypatch):
    room.standin.reset()
    room.until(room.pull("slow-load"), over)
    monkeypatch.setattr("streaming.engine.model_keeper.ModelKeeper.load.__kwdefaults__", {"patience": 0.2})
    answers = [room.post("/api/v1/models/load", {"model": "ollama/slow-load"}) for _ in range(3)]
    assert [(answer.status, answer.json["loaded"]) for answer in answers] == [(202, False)] * 3
    monkeypatch.setattr("streaming.engine.model_keeper.ModelKeeper.load.__kwdefaults__", {"patience": 10.0})
    assert room.post("/api/v1/models/load", {"model": "ollama/slow-load"}).status == 200
    stats = room.standin.stats()
    assert (stats["requests"]["/api/generate"], stats["aborted"]) == (1, [])


def test_a_load_of_nothing_is_refused_with_the_remedy(room):
    answer = room.post("/api/v1/models/load", {"model": "demo/demo"})
    assert (answer.status, answer.json["error"]["details"]) == (400, {"field": "model", "servers": ["ollama"]})
    answer = room.post("/api/v1/models/load", {"model": "ollama/x", "keep_alive": 0})
    assert (answer.status, answer.json["error"]["code"]) == (400, "invalid_request")
    assert (
        room.post("/api/v1/models/unload", {"model": "ollama/x", "force": True}).json["error"]["code"]
        == "unknown_field"
    )
