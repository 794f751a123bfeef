from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from conversations.keys import open_key, seal_key
from conversations.models import ModelServer

pytestmark = pytest.mark.django_db
OLD, NEW = "o" * 32, "n" * 32


def keyed(name: str, key: str) -> ModelServer:
    server = ModelServer(name=name, kind="openai", url="http://a.example", managed=True)
    seal_key(server, key)
    server.save()
    return server


def run() -> str:
    out = StringIO()
    call_command("seal_keys", stdout=out)
    return out.getvalue()


def test_an_old_secret_can_go_when_the_new_one_has_sealed_what_it_had(settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    servers = [keyed("a", "key-of-a"), keyed("b", "key-of-b")]
    ModelServer.objects.create(name="without", kind="ollama")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert run() == "Keys sealed anew: 2.\n"
    assert run() == "Keys sealed anew: 0.\n"
    settings.ENCRYPTION_KEYS = [NEW]
    for server in servers:
        server.refresh_from_db()
        assert open_key(server) == f"key-of-{server.name}"


def test_what_does_not_open_is_named_and_stays(settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    lost = keyed("lost", "key")
    settings.ENCRYPTION_KEYS = [NEW]
    with pytest.raises(CommandError, match=r"do not open with any part of ENCRYPTION_KEY: lost\."):
        run()
    before = bytes(lost.encrypted_key or b"")
    lost.refresh_from_db()
    assert bytes(lost.encrypted_key or b"") == before
