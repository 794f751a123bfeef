"""The rows of model servers: one for each that is configured, how it does, and its key under the newest secret."""

from collections.abc import Iterable

from django.utils import timezone

from chatserver.sealing import CannotOpen
from conversations import wire
from conversations.database import verb
from conversations.keys import open_key, seal_key, sealer
from conversations.models import ModelServer, Run
from streaming.protocol.lifecycle import ACTIVE


@verb
def list_model_servers(servers: dict[str, str], bounds: dict[str, int] | None = None) -> None:
    """Give every configured model server a row, by name and kind. Of what is there already only a bound changes that
    the settings name, and a kind that nobody knew. What claims left behind of servers that are gone is removed.
    """
    bounds = bounds or {}
    rows = {row.name: row for row in ModelServer.objects.filter(name__in=servers)}
    for name in sorted(servers):
        row = rows.get(name)
        if row is None:
            fresh = {"kind": servers[name], "max_parallel": bounds.get(name)}
            ModelServer.objects.get_or_create(name=name, defaults=fresh)
            continue
        changes: dict[str, object] = {"kind": servers[name]} if not row.kind else {}
        if name in bounds and row.max_parallel != bounds[name]:
            changes["max_parallel"] = bounds[name]
        if changes:
            ModelServer.objects.filter(pk=row.pk).update(**changes)
    at_work = Run.objects.filter(status__in=ACTIVE).values("provider")
    ModelServer.objects.filter(kind="", managed=False).exclude(name__in=at_work).exclude(name__in=servers).delete()


@verb
def note_health(*, name: str, ok: bool, message: str, detail: str) -> bool:
    """How a model server does, as one process has seen it; what the row says already is not written again. ``detail``
    is for administrators, and stays as the last error when all is well again. False where there is no row yet.
    """
    row = ModelServer.objects.select_for_update(no_key=True).filter(name=name).first()
    if row is None:
        return False
    if (row.health.get("ok"), row.health.get("detail")) == (ok, detail):
        return True
    now = wire.time(timezone.now())
    health = {**row.health, "ok": ok, "message": message, "detail": detail, "since": now}
    if not ok:
        health |= {"last_error": detail, "last_error_at": now}
    ModelServer.objects.filter(pk=row.pk).update(health=health)
    return True


def seal_anew(servers: Iterable[ModelServer]) -> tuple[int, list[str]]:
    """Seal with the newest secret what an older one has sealed. Returns how many that were, and the names of those
    whose key does not open, which stay as they are.
    """
    done, lost = 0, []
    for server in servers:
        if server.encrypted_key is None or sealer().is_current(bytes(server.encrypted_key)):
            continue
        before = bytes(server.encrypted_key)
        try:
            seal_key(server, open_key(server))
        except CannotOpen:
            lost.append(server.name)
            continue
        # What somebody types at this moment counts.
        done += ModelServer.objects.filter(pk=server.pk, encrypted_key=before).update(
            encrypted_key=server.encrypted_key
        )
    return done, lost
