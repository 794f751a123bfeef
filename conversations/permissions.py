"""The one gate for each resource. REST, pages, SSE and WebSocket all go through here, at every act.

"Not there" and "not yours" are one answer, so nobody can probe for ids. A missing scope is told as such: it depends on
the token alone, never on the resource.
"""

from collections.abc import Sequence
from typing import Any, Literal, NoReturn
from uuid import UUID

from chatserver.accounts.models import User
from chatserver.accounts.principal import Principal
from chatserver.gates import Gate, refused
from chatserver.rows import Rows, for_update, stored_id
from conversations.models import Approval, Attachment, Message, ModelPull, Run, Thread
from streaming.protocol.errors import AttachmentUnknown, Forbidden, NotFound

_THREADS, _RUNS = Rows(Thread), Rows(Run)
_DELETED = f"""SELECT 1 FROM {_THREADS.table} deleted
    WHERE deleted.id = {_RUNS.table}.thread_id AND deleted.deleted_at IS NOT NULL"""
Scope = Literal["read", "chat", "manage"]
MANAGE_MODELS = "conversations.manage_models"
_ADMINISTRATORS_ONLY = "Only administrators may manage models: staff with the right to, and superusers."


def require(principal: Principal, scope: Scope) -> None:
    """Raises Forbidden where the token was not given ``scope``. Sessions have all scopes."""
    if scope not in principal.scopes:
        refused("scope", user=principal.user_id, token=principal.token_id, scope=scope)
        raise Forbidden(f"This token lacks the scope {scope}.", details={"scope": scope})


def access_thread(principal: Principal, thread_id: UUID | str, scope: Scope, *, keep: bool = False) -> Thread:
    """``keep``: nobody else changes it until the end of the caller's transaction."""
    require(principal, scope)
    key = _key(thread_id)
    lock = for_update() if keep else ""
    mine = f"id = %s AND owner_id = %s AND deleted_at IS NULL{lock}"
    thread = None if key is None else _THREADS.first(mine, stored_id(key), stored_id(principal.user_id))
    return thread or _nothing("thread", principal, key)


def access_deleted_thread(principal: Principal, thread_id: UUID | str, scope: Scope) -> Thread:
    """One that was deleted and is still kept."""
    require(principal, scope)
    key = _key(thread_id)
    mine = "id = %s AND owner_id = %s AND deleted_at IS NOT NULL"
    thread = None if key is None else _THREADS.first(mine, stored_id(key), stored_id(principal.user_id))
    return thread or _nothing("thread", principal, key)


def access_run(principal: Principal, run_id: UUID | str, scope: Scope) -> Run:
    require(principal, scope)
    key = _key(run_id)
    mine = f"id = %s AND owner_id = %s AND NOT EXISTS ({_DELETED})"
    run = None if key is None else _RUNS.first(mine, stored_id(key), stored_id(principal.user_id))
    return run or _nothing("run", principal, key)


def access_approval(principal: Principal, run_id: UUID | str, approval_id: UUID | str, scope: Scope) -> Approval:
    """What a run asks that ``access_run`` would let through."""
    run = access_run(principal, run_id, scope)
    key = _key(approval_id)
    approval = None if key is None else Approval.objects.filter(pk=key, run=run).first()
    return approval or _nothing("approval", principal, key)


def access_message(principal: Principal, thread: Thread, message_id: UUID | str, scope: Scope) -> Message:
    """A message of a thread that ``access_thread`` has let through."""
    require(principal, scope)
    key = _key(message_id)
    mine = Message.objects.filter(thread=thread, thread__owner_id=principal.user_id)
    message = None if key is None else mine.filter(pk=key).first()
    return message or _nothing("message", principal, key)


def hidden_model(principal: Principal) -> None:
    """Write down that somebody asked for a model whose server is not for them. The answer is that there is none.

    Which servers are for whom is held in memory (``streaming/providers/registry.py``): a question costs no statement.
    """
    refused("model", user=principal.user_id, token=principal.token_id)


def manage_models(principal: Principal) -> None:
    """The models of the servers are for those of the staff who have the right, and for programs that may manage.

    Raises Forbidden. Everybody may know that there is such a right, so who lacks it is told.
    """
    require(principal, "manage")
    if not principal.is_staff:
        refused("staff", user=principal.user_id, token=principal.token_id)
        raise Forbidden(_ADMINISTRATORS_ONLY)
    if not may_manage_models(User.objects.filter(pk=principal.user_id).first()):
        refused("right", user=principal.user_id, token=principal.token_id, right=MANAGE_MODELS)
        raise Forbidden(_ADMINISTRATORS_ONLY)


def may_manage_models(user: Any) -> bool:
    """Whether one of the staff has the right. No query for administrators, and none for who is not of the staff."""
    return user is not None and user.is_active and user.is_staff and bool(user.has_perm(MANAGE_MODELS))


def access_pull(principal: Principal, pull_id: UUID | str) -> ModelPull:
    manage_models(principal)
    key = _key(pull_id)
    pull = None if key is None else ModelPull.objects.filter(pk=key).first()
    if pull is None:
        raise NotFound("There is no such pull.")
    return pull


def access_attachment(principal: Principal, attachment_id: UUID | str, scope: Scope) -> Attachment:
    require(principal, scope)
    key = _key(attachment_id)
    mine = Attachment.objects.filter(owner_id=principal.user_id)
    attachment = None if key is None else mine.filter(pk=key).first()
    return attachment or _nothing("attachment", principal, key)


def access_attachments(principal: Principal, ids: Sequence[str]) -> list[Attachment]:
    """Those that a send names, each once, in its order; nobody else changes or removes them until the end of the
    caller's transaction. Raises AttachmentUnknown with the ids that are not there, or not theirs.
    """
    require(principal, "chat")
    named = {text: _key(text) for text in ids}
    mine = Attachment.objects.filter(owner_id=principal.user_id, pk__in=[key for key in named.values() if key])
    found = {row.pk: row for row in mine.select_for_update(no_key=True).order_by("pk")}
    if unknown := [text for text, key in named.items() if key not in found]:
        refused("attachment", user=principal.user_id, token=principal.token_id, id=unknown[0])
        raise AttachmentUnknown(details={"ids": unknown})
    return [found[key] for key in dict.fromkeys(key for key in named.values() if key)]


def as_id(value: UUID | str) -> UUID:
    """Raises NotFound for text that is no id: whatever it means, it is not here."""
    key = _key(value)
    if key is None:
        raise NotFound()
    return key


def _key(value: UUID | str) -> UUID | None:
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except ValueError:
        return None


def _nothing(gate: Gate, principal: Principal, key: UUID | None) -> NoReturn:
    refused(gate, user=principal.user_id, token=principal.token_id, id=key)
    raise NotFound()
