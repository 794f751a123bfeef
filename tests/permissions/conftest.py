from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from chatserver.attachments_url import attachments_storage
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text
from streaming.providers.scripted import ScriptedProvider
from streaming.transports.live import forget_connections
from tests.permissions.world import SECRET, World
from tests.support.committed import committed
from tests.support.inside import Inside
from tests.support.scripted_store import ScriptedStore


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all cells of a file: they leave it as it was, or use up what they made for themselves."""
    said = [Text(f"answer {SECRET}"), Finish(reason="stop", usage=Usage(prompt_tokens=1, completion_tokens=1))]
    provider: Any = ScriptedProvider([[said]], name="ollama", kind="ollama")
    provider.store = ScriptedStore()
    data_dir = tmp_path_factory.mktemp("world")
    stored = {**settings.STORAGES, "attachments": attachments_storage("", data_dir)}
    with committed(django_db_blocker), override_settings(DATA_DIR=data_dir, STORAGES=stored, MAX_STREAMS=1000):
        forget_connections()
        made = World()
        with Inside(providers=[provider]) as inside:
            made.settle(inside)
            yield made
        made.close()
        forget_connections()
