"""A model of a server that is not for somebody is unknown to them, on every way in; and what they lost waits in vain.

Each case has its positive control: somebody of the group asks for the same in the same way, and is answered.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import override_settings

from chatserver.accounts.models import User
from chatserver.accounts.services import create_token, create_user
from conversations.models import Message, ModelAlias, ModelServer, Run, Thread
from streaming.protocol.lifecycle import TERMINAL
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text
from streaming.providers.scripted import ScriptedProvider
from streaming.transports.live import forget_connections
from tests.support.committed import committed
from tests.support.inside import Answer, Headers, Inside, Talk
from tests.support.people import PASSWORD
from tests.support.standin import StandIn
from tests.support.whole import leave_no_connection

LAB, OPEN = "lab/echo-3:latest", "open/model"
SSE = {"Accept": "text/event-stream"}
NAMES = ("member", "stranger", "staff", "root")


@dataclass
class World:
    inside: Inside
    people: dict[str, User]
    tokens: dict[str, str]
    group: Group
    standin: StandIn

    def headers(self, name: str) -> Headers:
        return {"Authorization": f"Bearer {self.tokens[name]}", "Content-Type": "application/json"}

    def ask(self, name: str, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        sent = None if body is None else json.dumps(body).encode()
        return self.inside.request(method, path, headers={**self.headers(name), **headers}, body=sent)

    def talk(self, name: str, *frames: dict[str, Any]) -> Talk:
        return self.inside.talk(*frames, headers={"Authorization": f"Bearer {self.tokens[name]}"})

    def thread(self, name: str, **fields: Any) -> Thread:
        return Thread.objects.create(owner=self.people[name], **fields)

    def asked(self, name: str) -> Thread:
        """A thread with an answer of a model that is for everybody."""
        thread = self.thread(name)
        answer = self.ask(name, "POST", f"/api/v1/threads/{thread.pk}/runs?wait=true", {"content": "a", "model": OPEN})
        assert answer.status == 200, answer
        return thread


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    said = [Text("said"), Finish(reason="stop", usage=Usage(prompt_tokens=1, completion_tokens=1))]
    everybodys = ScriptedProvider([[said]], name="open", kind="ollama")
    data_dir = tmp_path_factory.mktemp("gate")
    listed = ("--listed", "echo-3", "gated-2")
    with (
        StandIn(*listed) as standin,
        committed(django_db_blocker),
        override_settings(DATA_DIR=data_dir, MAX_STREAMS=1000),
    ):
        forget_connections()
        people = {name: create_user(username=name, password=PASSWORD, is_superuser=name == "root") for name in NAMES}
        User.objects.filter(username="staff").update(is_staff=True)
        group = Group.objects.create(name="research, and more")
        people["member"].groups.add(group)
        lab = ModelServer.objects.create(
            name="lab", kind="ollama", url=standin.base_url, managed=True, audience="groups", max_parallel=1
        )
        lab.groups.add(group)
        ModelAlias.objects.create(name="fast", target=LAB)
        tokens = {name: create_token(user=user)[1] for name, user in people.items()}
        with Inside(providers=[everybodys]) as inside:
            yield World(inside, people, tokens, group, standin)
        leave_no_connection()
        forget_connections()


@pytest.fixture(autouse=True)
def _as_it_was(world: World) -> Iterator[None]:
    yield
    world.standin.release()
    until(lambda: not Run.objects.filter(finished_at=None).exists())  # nobody is at work when the database goes
    world.people["member"].groups.set([world.group])


def in_thread(**body: Any) -> Callable[[World, str], Answer]:
    def way(world: World, name: str) -> Answer:
        path = f"/api/v1/threads/{world.thread(name).pk}/runs"
        return world.ask(name, "POST", path, {"content": "Why?", "model": LAB, **body})

    return way


def with_query(query: str, **headers: str) -> Callable[[World, str], Answer]:
    def way(world: World, name: str) -> Answer:
        path = f"/api/v1/threads/{world.thread(name).pk}/runs{query}"
        return world.ask(name, "POST", path, {"content": "Why?", "model": LAB}, **headers)

    return way


def short_way(path: str) -> Callable[[World, str], Answer]:
    return lambda world, name: world.ask(name, "POST", path, {"message": "Why?", "model": LAB})


def side_by_side(world: World, name: str) -> Answer:
    path = f"/api/v1/threads/{world.thread(name).pk}/runs"
    return world.ask(name, "POST", path, {"content": "Why?", "models": [OPEN, LAB]})


def model_of_the_thread(world: World, name: str) -> Answer:
    thread = world.thread(name)
    assert world.ask(name, "PATCH", f"/api/v1/threads/{thread.pk}", {"model": LAB}).status == 200
    return world.ask(name, "POST", f"/api/v1/threads/{thread.pk}/runs", {"content": "Why?"})


def model_of_a_new_thread(world: World, name: str) -> Answer:
    made = world.ask(name, "POST", "/api/v1/threads", {"model": LAB})
    return world.ask(name, "POST", "/api/chat", {"message": "Why?", "thread_id": made.json["id"]})


def regenerated(world: World, name: str) -> Answer:
    thread = world.asked(name)
    answer = Message.objects.get(thread=thread, role="assistant")
    body = {"regenerate": str(answer.pk), "model": LAB}
    return world.ask(name, "POST", f"/api/v1/threads/{thread.pk}/runs", body)


def edited(world: World, name: str) -> Answer:
    thread = world.asked(name)
    question = Message.objects.get(thread=thread, role="user")
    body = {"edit": str(question.pk), "content": "Else?", "model": LAB}
    return world.ask(name, "POST", f"/api/v1/threads/{thread.pk}/runs", body)


def gone_on_with(world: World, name: str) -> Answer:
    """An answer of that model ended early, when it was still theirs."""
    thread = world.asked(name)
    Message.objects.filter(thread=thread, role="assistant").update(model=LAB, status="incomplete")
    answer = Message.objects.get(thread=thread, role="assistant")
    return world.ask(name, "POST", f"/api/v1/threads/{thread.pk}/runs", {"continue": str(answer.pk)})


def over_the_socket(world: World, name: str) -> Answer:
    data = {"thread_id": str(world.thread(name).pk), "content": "Why?", "model": LAB, "subscribe": False}
    (reply,) = world.talk(name, {"event": "message.send", "req": 1, "data": data}).replies
    failed = reply["event"] != "ack"
    return Answer(status=400 if failed else 202, headers=[], body=json.dumps({"error": reply["data"]}).encode())


WAYS = {
    "a thread's run": in_thread(),
    "an alias": in_thread(model="fast"),
    "a bare name": in_thread(model="echo-3"),
    "a name that nobody lists": in_thread(model="lab/echo-2"),
    "a send that may wait": in_thread(if_busy="enqueue"),
    "a stream": with_query("", **SSE),
    "a whole answer": with_query("?wait=true"),
    "api/chat": short_way("/api/chat"),
    "api/chat/stream": short_way("/api/chat/stream"),
    "several models": side_by_side,
    "the thread's own": model_of_the_thread,
    "a new thread's": model_of_a_new_thread,
    "asked again": regenerated,
    "an edited question": edited,
    "gone on with": gone_on_with,
    "the socket": over_the_socket,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_it_is_unknown_to_whom_it_is_not_for(world: World, way: Callable[[World, str], Answer]) -> None:
    before = Run.objects.filter(provider="lab").count()
    for name in ("stranger", "staff"):
        refused = way(world, name)
        assert (refused.status, refused.json["error"]["code"]) == (400, "model_unknown"), name
        assert "lab" not in json.dumps(refused.json["error"]["details"]["nearest"])
    assert Run.objects.filter(provider="lab").count() == before
    for name in ("member", "root"):
        answered = way(world, name)
        assert answered.status in (200, 202), (name, answered)
    assert Run.objects.filter(provider="lab").count() == before + 2


def test_it_is_listed_for_whom_it_is_for(world: World) -> None:
    for name, known in (("stranger", False), ("staff", False), ("member", True), ("root", True)):
        found = world.ask(name, "GET", "/api/v1/models")
        assert found.status == 200
        assert (b"lab" in found.body) is known
        models = {model["name"]: model["alias_of"] for model in found.json["results"]}
        assert (models.get(LAB, ""), models.get("fast", "")) == ((None, LAB) if known else ("", ""))
        assert [server["name"] for server in found.json["servers"]] == (["lab"] if known else []) + ["open"]


def test_who_leaves_the_group_is_refused_at_the_next_send(world: World) -> None:
    thread = world.thread("member")

    def send() -> int:
        body = {"content": "Why?", "model": LAB}
        return world.ask("member", "POST", f"/api/v1/threads/{thread.pk}/runs?wait=true", body).status

    assert send() == 200
    world.people["member"].groups.clear()
    assert send() == 400
    assert over_the_socket(world, "member").status == 400
    assert b"lab" not in world.ask("member", "GET", "/api/v1/models").body


def test_what_waits_in_line_fails_and_what_is_at_work_goes_on(world: World) -> None:
    at_work = begun(world, "lab/gated-2:latest")
    asked_for(world)
    in_line = begun(world, LAB)
    assert Run.objects.get(pk=in_line).status == "queued"  # the server has one at once
    world.people["member"].groups.clear()
    world.standin.release()
    ends = {run_id: ended(run_id) for run_id in (at_work, in_line)}
    assert (ends[at_work].status, ends[in_line].status) == ("completed", "failed")
    assert ends[in_line].error_code == "model_unknown"


def test_a_waiting_send_can_not_be_changed_any_more_and_fails_in_its_turn(world: World) -> None:
    thread = world.thread("member")
    first = begun(world, "lab/gated-2:latest", thread)
    asked_for(world)
    body = {"content": "And then?", "model": LAB, "if_busy": "enqueue"}
    path = f"/api/v1/threads/{thread.pk}/runs"
    waiting = world.ask("member", "POST", path, body).json["run"]["id"]
    assert world.ask("member", "PATCH", f"/api/v1/runs/{waiting}", {"content": "And now?"}).status == 200
    world.people["member"].groups.clear()
    refused = world.ask("member", "PATCH", f"/api/v1/runs/{waiting}", {"content": "Or else?"})
    assert (refused.status, refused.json["error"]["code"]) == (400, "model_unknown")
    assert Run.objects.get(pk=waiting).request["content"] == "And now?"
    world.standin.release()
    assert ended(first).status == "completed"
    assert ended(waiting).error_code == "model_unknown"


def test_a_server_that_is_switched_off_is_gone_for_everybody_and_comes_back(world: World) -> None:
    server = ModelServer.objects.get(name="lab")
    for enabled in (False, True):
        server.enabled = enabled
        server.save()
        until(lambda: (b"lab/" in world.ask("root", "GET", "/api/v1/models").body) is enabled)  # noqa: B023
        assert in_thread()(world, "root").status == (202 if enabled else 400)


def begun(world: World, model: str, thread: Thread | None = None) -> str:
    thread = thread or world.thread("member")
    answer = world.ask("member", "POST", f"/api/v1/threads/{thread.pk}/runs", {"content": "Why?", "model": model})
    assert answer.status == 202, answer
    return str(answer.json["run"]["id"])


def asked_for(world: World) -> None:
    """The model server is at work: from here on the answer goes on, whatever is lost."""
    world.standin.wait_for(lambda stats: stats["active"] == 1, timeout=10)


def ended(run_id: str) -> Run:
    until(lambda: Run.objects.get(pk=run_id).status in TERMINAL)
    return Run.objects.get(pk=run_id)


def until(condition: Callable[[], bool], *, within: float = 10.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
