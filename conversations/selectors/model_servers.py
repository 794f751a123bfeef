"""The model servers of the administration, and the aliases: what all processes look for every few seconds."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connection

from chatserver.accounts.groups import as_groups
from chatserver.audience import EVERYBODY, Audience, Whom
from chatserver.model_servers import Configured, ModelServerSpec
from chatserver.rows import Rows
from chatserver.sealing import CannotOpen
from conversations.keys import open_key
from conversations.models import ModelAlias, ModelServer

_SERVERS = Rows(ModelServer, only=("id", "name", "kind", "url", "encrypted_key", "max_parallel", "audience"))
_GROUPS = """FROM conversations_modelserver_groups allowed JOIN auth_group held ON held.id = allowed.group_id
    WHERE allowed.modelserver_id = conversations_modelserver.id ORDER BY held.name"""
_NAMES = {
    "sqlite": f"(SELECT JSON_GROUP_ARRAY(name) FROM (SELECT held.name AS name {_GROUPS}))",
    "postgresql": f"ARRAY(SELECT held.name {_GROUPS})",
}


@dataclass(frozen=True)
class Written:
    """What the rows say, as it stands: the same again means that nothing has changed."""

    servers: tuple[tuple[Any, ...], ...]
    aliases: tuple[tuple[str, str], ...]


def written() -> Written:
    """Two queries of small tables, and nothing is opened."""
    with connection.cursor() as cursor:
        cursor.execute(_managed())
        servers = tuple(tuple(map(_plain, row)) for row in cursor.fetchall())
    return Written(servers, tuple(ModelAlias.objects.order_by("name").values_list("name", "target")))


def configured_by(rows: Written) -> Configured:
    """The same to be used, with its keys open. A server whose key does not open says so instead of answering."""
    return Configured(servers=tuple(map(_spec, rows.servers)), aliases=dict(rows.aliases))


def spec_of(server: ModelServer) -> ModelServerSpec:
    """One of them, whether it is switched on or not."""
    groups = frozenset(server.groups.values_list("name", flat=True))
    return _made(server, groups)


def _spec(row: tuple[Any, ...]) -> ModelServerSpec:
    return _made(_SERVERS.made(row, connection), as_groups(row[-1]))


def _made(server: ModelServer, groups: frozenset[str]) -> ModelServerSpec:
    key, trouble = "", ""
    try:
        key = open_key(server)
    except CannotOpen as why:
        trouble = (
            f"The key of the model server {server.name} does not open: {why}. An administrator has to type it again."
        )
    whom: Whom = "groups" if server.audience == "groups" else "staff"
    return ModelServerSpec(
        name=server.name,
        kind=server.kind,
        url=server.url,
        key=key,
        max_parallel=server.max_parallel,
        audience=EVERYBODY if server.audience == "everybody" else Audience(whom=whom, groups=groups),
        trouble=trouble,
    )


@cache
def _managed() -> str:
    columns = f"{_SERVERS.columns}, {_NAMES[connection.vendor]}"
    return f"SELECT {columns} FROM {_SERVERS.table} WHERE managed AND enabled ORDER BY name"


def _plain(value: Any) -> Any:
    """As something to be compared: PostgreSQL's bytes are views, its arrays lists."""
    if isinstance(value, memoryview):
        return bytes(value)
    return tuple(value) if isinstance(value, list) else value
