"""Attaching a file over HTTP, in the whole application."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from chatserver.accounts.services import create_token, create_user
from chatserver.attachments_url import attachments_storage
from chatserver.ids import new_id
from conversations.models import Attachment, LooseFile
from streaming.protocol.errors import RateLimited
from streaming.providers.scripted import ScriptedProvider
from streaming.transports.live import forget_connections
from streaming.transports.uploads import Places, Turns
from tests.support import files
from tests.support.committed import committed
from tests.support.inside import Answer, Inside

ADDRESS = "/api/v1/attachments"


class Person:
    def __init__(self, inside: Inside, name: str) -> None:
        self.user = create_user(username=name, password="correct horse battery")
        self.inside = inside
        self.headers = {"Authorization": f"Bearer {create_token(user=self.user)[1]}"}

    def attach(self, data: bytes, name: str = "file.bin", *, headers: Any = (), **how: Any) -> Answer:
        body, kind = files.form(data, name, **how)
        return self.send(body, kind, headers=headers)

    def send(self, body: bytes, kind: str, *, headers: Any = ()) -> Answer:
        told = {**self.headers, "Content-Type": kind, **dict(headers)}
        return self.inside.request("POST", ADDRESS, headers=told, body=body)

    def get(self, address: str) -> Answer:
        return self.inside.request("GET", address, headers=self.headers)

    def delete(self, id: str) -> Answer:
        return self.inside.request("DELETE", f"{ADDRESS}/{id}", headers=self.headers)

    def ask(self, **body: Any) -> Answer:
        told = {**self.headers, "Content-Type": "application/json"}
        thread = self.inside.request("POST", "/api/v1/threads", headers=told, body=b"{}").json["id"]
        return self.inside.request(
            "POST", f"/api/v1/threads/{thread}/runs", headers=told, body=json.dumps({"content": "?", **body}).encode()
        )


@pytest.fixture(scope="module")
def inside(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    data_dir = tmp_path_factory.mktemp("uploads")
    stored = {**settings.STORAGES, "attachments": attachments_storage("", data_dir)}
    provider = ScriptedProvider([[[]]], name="ollama", kind="ollama")
    with committed(django_db_blocker), override_settings(DATA_DIR=data_dir, STORAGES=stored):
        forget_connections()
        with Inside(providers=[provider]) as running:
            yield running
        forget_connections()


@pytest.fixture(scope="module")
def ada(inside: Inside) -> Person:
    return Person(inside, "ada")


def test_a_picture_is_kept_told_shown_and_removed(ada: Person) -> None:
    made = ada.attach(files.picture("PNG"), "cat.gif", type="text/html")
    assert made.status == 201
    told = made.json
    assert {key: told[key] for key in ("name", "type", "kind", "width", "height")} == {
        "name": "cat.png",
        "type": "image/png",
        "kind": "image",
        "width": 40,
        "height": 30,
    }
    assert made.header("Location") == f"{ADDRESS}/{told['id']}"
    assert ada.get(f"{ADDRESS}/{told['id']}").json == told
    shown = ada.get(told["url"])
    assert (shown.status, len(shown.body), shown.header("Content-Type")) == (200, told["size"], "image/png")
    assert shown.header("Content-Disposition") == 'inline; filename="cat.png"'
    assert ada.delete(told["id"]).status == 204
    assert (ada.delete(told["id"]).status, ada.get(told["url"]).status) == (404, 404)
    assert not LooseFile.objects.exists()


@pytest.mark.parametrize(
    ("data", "name", "type"),
    [
        (files.SVG, "cat.svg", "image/svg+xml"),
        (files.HTML, "page.html", "text/html"),
        (files.HTML, "cat.png", "image/png"),
        (b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>", "x.xhtml", "application/xhtml+xml"),
        (files.pdf("Hello"), "a.pdf", "text/html"),
    ],
)
def test_nothing_active_is_ever_served(ada: Person, data: bytes, name: str, type: str) -> None:
    """A38: whatever it is called, and whatever its sender says that it is."""
    served = ada.get(ada.attach(data, name, type=type).json["url"])
    assert served.header("Content-Type") in ("text/plain; charset=utf-8", "application/pdf")
    assert served.header("Content-Disposition").startswith("attachment; ")
    assert served.header("X-Content-Type-Options") == "nosniff"
    assert served.header("Content-Security-Policy") == "sandbox; default-src 'none'; frame-ancestors 'none'"
    assert served.header("Cache-Control") == "private, no-store"


@pytest.mark.parametrize("name", ['a"; filename=evil.html; x=".txt', "grüße \u202e.txt", "a%0d%0aSet-Cookie: x=1.txt"])
def test_the_name_of_a_file_is_no_header(ada: Person, name: str) -> None:
    made = ada.attach(b"Hello", name.replace('"', "%22")).json
    served = ada.get(made["url"])
    assert served.header("Content-Disposition").startswith("attachment; filename")
    assert served.header("Content-Disposition").isascii()
    assert "evil.html" not in served.header("Content-Disposition").partition(";")[0]
    assert served.header("Set-Cookie") == ""
    assert "\u202e" not in made["name"]


def test_a_picture_is_inert_too(ada: Person) -> None:
    served = ada.get(ada.attach(files.picture() + files.HTML).json["url"])
    assert b"script" not in served.body
    assert served.header("Content-Security-Policy").startswith("sandbox;")


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"PK\x03\x04\x00", 415, "unsupported_type"),
        (files.pixel_bomb(), 422, "unreadable_file"),
        (b"", 400, "invalid_request"),
    ],
)
def test_what_cannot_be_taken_says_so_and_leaves_nothing(ada: Person, data: bytes, status: int, code: str) -> None:
    before = Attachment.objects.count()
    refused = ada.attach(data, "report.pdf")
    assert (refused.status, refused.json["error"]["code"]) == (status, code)
    assert (Attachment.objects.count(), LooseFile.objects.count()) == (before, 0)


def test_a_form_has_one_file_in_the_one_field(ada: Person) -> None:
    other = ada.attach(b"Hello", field="attachment")
    assert (other.status, other.json["error"]["details"]) == (400, {"fields": ["attachment"]})
    assert ada.send(b"--x--", "multipart/form-data; boundary=x").json["error"]["details"] == {"field": "file"}
    assert ada.send(b"{}", "application/json").status == 415
    assert ada.send(b"nothing of the kind", "multipart/form-data").json["error"]["code"] == "invalid_request"
    one, kind = files.form(b"Hello")
    twice = one.removesuffix(b"--edge-of-the-form--\r\n") + one
    assert ada.send(twice, kind).json["error"]["details"] == {"field": "file"}


def test_the_same_key_makes_no_second_one(ada: Person) -> None:
    key = {"Idempotency-Key": "upload 1"}
    made, again = (ada.attach(b"Hello", "a.txt", headers=key) for _ in range(2))
    assert (again.status, again.json, again.header("Idempotency-Replayed")) == (201, made.json, "true")
    for data, name in ((b"Hallo", "a.txt"), (b"Hello", "b.txt")):
        assert ada.attach(data, name, headers=key).json["error"]["code"] == "idempotency_conflict"


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(ada: Person) -> None:
    with override_settings(MAX_ATTACHMENT=1024):
        refused = ada.attach(b"x" * 1025)
    assert (refused.status, refused.json["error"]["details"]) == (413, {"limit": 1024})
    most = settings.MAX_ATTACHMENT
    body, kind = files.form(b"x" * (most - 100))
    assert ada.send(body, kind).status == 201  # ten megabytes pass here, and nowhere else
    assert ada.inside.request("POST", "/api/v1/threads", headers=ada.headers, body=body).status == 413
    announced = {"Content-Length": str(most + 65_537)}
    assert ada.send(b"", kind, headers=announced).json["error"]["code"] == "body_too_large"


def test_the_room_of_a_person_has_an_end(inside: Inside) -> None:
    bob = Person(inside, "bob")
    with override_settings(ATTACHMENTS_QUOTA=8):
        kept = bob.attach(b"12345").json
        refused = bob.attach(b"12345")
        assert (refused.status, refused.json["error"]["details"]) == (409, {"limit": 8, "used": 5, "size": 5})
        bob.delete(kept["id"])
        assert bob.attach(b"12345").status == 201


def test_one_that_a_message_has_stays(ada: Person) -> None:
    kept = ada.attach(b"Hello").json["id"]
    assert ada.ask(attachments=[kept]).status == 202
    refused = ada.delete(kept)
    assert (refused.status, refused.json["error"]["code"]) == (409, "attachment_used")


def test_only_so_many_are_received_at_once() -> None:
    places = Places(most=3, most_each=2)
    one, other = new_id(), new_id()
    with places.taken(one):
        with places.taken(one):
            with pytest.raises(RateLimited), places.taken(one):
                pass
            with places.taken(other), pytest.raises(RateLimited), places.taken(new_id()):
                pass
        with places.taken(one):
            pass
    assert not places._taken


async def test_of_each_person_one_file_is_taken_apart_at_a_time() -> None:
    turns, one = Turns(), new_id()
    async with turns.of(one):
        assert turns.of(one).locked()
        assert not turns.of(new_id()).locked()
    assert not len(turns._locks)
