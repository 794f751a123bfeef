"""Every frame of the socket, by everybody, in the real application; and every event, behind the gate of its run."""

import json
import re
from typing import Any

import pytest

from conversations.models import Message, Run, RunEvent, RunLease, Thread
from streaming.protocol.codec import dumps
from streaming.protocol.events import BY_NAME, HINTS, Event
from streaming.protocol.lifecycle import MessageStatus
from tests.permissions.roles import Role, Verdict
from tests.permissions.table import EVENTS, FRAMES, Frame
from tests.permissions.test_calls import NOT_THERE
from tests.permissions.world import SECRET, World, unknown
from tests.support.inside import Talk

R = Role
CODES = {"sign_in": "not_authenticated", "token": "not_authenticated", "scope": "forbidden"}
BY_TOKEN = (R.OWNER_TOKEN, R.READ, R.CHAT, R.MANAGE, R.OTHER_TOKEN, R.ADMINISTRATOR_TOKEN)
CELLS = [(frame, role, verdict) for frame in FRAMES for role, verdict in frame.policy.items()]


def named(cell: Any) -> str | None:
    return cell.event if isinstance(cell, Frame) else str(cell)


def say(world: World, frame: Frame, role: Role, data: str) -> Talk:
    """The frame on a socket of ``role``: with its session's cookie, or after its token."""
    filled = json.loads(data.replace("<token>", world.token(role)))
    asked_for: list[dict[str, Any]] = [{"event": frame.event, "req": "asked", "data": filled}]
    if not frame.reply:
        del asked_for[0]["req"]
        asked_for.append({"event": "ping", "req": "after"})
    world.gates.taken()
    if role in (*BY_TOKEN, R.WRONG_TOKEN, R.DEACTIVATED_TOKEN) and frame.event != "auth":
        return world.inside.talk({"event": "auth", "req": "auth", "data": {"token": world.token(role)}}, *asked_for)
    headers = {} if frame.event == "auth" else world.headers(role, changes=False)
    if "Cookie" in headers:
        headers["Origin"] = "https://evil.example" if role is R.FOREIGN else "http://localhost"
    return world.inside.talk(*asked_for, headers=headers)


def as_on_a_socket(role: Role, frame: Frame, verdict: Verdict) -> Verdict:
    """A socket has no CSRF token: the page's origin proves it instead, at the handshake."""
    if frame.event == "auth":
        return verdict
    if role is R.FOREIGN:
        return "origin"
    if role is R.FORGED:
        return frame.policy[R.OWNER]
    return "token" if role in (R.WRONG_TOKEN, R.DEACTIVATED_TOKEN) else verdict


@pytest.mark.parametrize(("frame", "role", "verdict"), CELLS, ids=named)
def test_who_may_and_who_may_not(world: World, frame: Frame, role: Role, verdict: Verdict) -> None:
    verdict = as_on_a_socket(role, frame, verdict)
    talk = say(world, frame, role, world.filled(json.dumps(frame.data), role, fresh=frame.fresh))
    gates = world.gates.taken()
    if verdict == "yes" and not frame.reply:
        assert (talk.replies[-1]["event"], talk.replies[-1]["req"], gates) == ("pong", "after", []), talk
        return
    if verdict == "yes":
        assert (talk.replies[-1]["event"], gates) == (frame.reply, []), talk
        return
    assert gates == [verdict]
    assert SECRET not in str(talk.others)
    if verdict == "origin":
        assert (talk.close_code, talk.replies) == (4403, [])
        return
    refused = next(reply for reply in talk.replies if reply["event"] == "error")
    assert (refused["event"], refused["data"]["code"]) == ("error", CODES.get(verdict, "not_found"))
    if verdict == "token":
        assert talk.close_code == 4401
    if verdict in NOT_THERE:
        for data in (unknown(json.dumps(frame.data)), re.sub(r"<\w+>", "no-id", json.dumps(frame.data))):
            assert say(world, frame, role, data).replies[-1] == refused, "not yours and not there differ"


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_is_told_to_the_owner_of_its_run_only(world: World, name: str) -> None:
    run_id = ended_run_with(world, name)
    asked = {R.OWNER: "yes", R.READ: "yes", R.OTHER: "run", R.ADMINISTRATOR: "run", R.READER: "run", R.CHAT: "scope"}
    for role, verdict in asked.items():
        headers = world.headers(role, changes=False)
        streamed = world.inside.request("GET", f"/api/v1/runs/{run_id}/events?snapshot=0", headers=headers)
        polled = world.inside.request("GET", f"/api/v1/runs/{run_id}?wait=1&after=0", headers=headers)
        assert world.gates.taken() == ([] if verdict == "yes" else [verdict, verdict])
        for answer in (streamed, polled):
            assert (f'"event":"{name}"' in answer.body.decode()) == (verdict == "yes")
            assert (SECRET in answer.body.decode()) == (verdict == "yes")


def test_every_event_has_a_schema_and_hints_are_told_apart() -> None:
    assert all(issubclass(BY_NAME[name], Event) for name in EVENTS)
    assert {name for name, carrier in EVENTS.items() if carrier == "hint"} == HINTS


def ended_run_with(world: World, name: str) -> str:
    """The id of a run of the owner's whose log is one event of that name, and its end."""
    thread = Thread.objects.get(pk=world.filled("<thread_id>", R.OWNER))
    answer = Message.objects.create(thread=thread, role=Message.Role.ASSISTANT, status=MessageStatus.COMPLETED)
    run = Run.objects.create(thread=thread, owner_id=thread.owner_id, answer=answer, status="completed", head=2)
    RunLease.objects.create(run=run, head=2)
    texts = [(name, {"run_id": str(run.pk), "content": SECRET}), ("thread.run.completed", {"run_id": str(run.pk)})]
    for seq, (event, data) in enumerate(texts, start=1):
        RunEvent.objects.create(run=run, seq=seq, text=dumps({"event": event, "id": seq, "data": data}))
    return str(run.pk)
