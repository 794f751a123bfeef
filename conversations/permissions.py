"""The one gate for each resource. REST, pages, SSE and WebSocket all go through here, at every act.

"Not there" and "not yours" are one answer, so nobody can probe for ids. A missing scope is told as such: it depends on
the token alone, never on the resource.
"""

from typing import Literal
from uuid import UUID

from chatserver.accounts.principal import Principal
from conversations.models import Approval, Message, Run, Thread
from streaming.protocol.errors import Forbidden, NotFound

Scope = Literal["read", "chat", "manage"]


def require(principal: Principal, scope: Scope) -> None:
    """Raises Forbidden where the token was not given ``scope``. Sessions have all scopes."""
    if scope not in principal.scopes:
        raise Forbidden(f"This token lacks the scope {scope}.", details={"scope": scope})


def access_thread(principal: Principal, thread_id: UUID | str, scope: Scope) -> Thread:
    require(principal, scope)
    thread = Thread.objects.filter(pk=as_id(thread_id), owner_id=principal.user_id).first()
    if thread is None:
        raise NotFound()
    return thread


def access_run(principal: Principal, run_id: UUID | str, scope: Scope) -> Run:
    require(principal, scope)
    run = Run.objects.filter(pk=as_id(run_id), owner_id=principal.user_id).first()
    if run is None:
        raise NotFound()
    return run


def access_approval(principal: Principal, run_id: UUID | str, approval_id: UUID | str, scope: Scope) -> Approval:
    """What a run asks that ``access_run`` would let through."""
    run = access_run(principal, run_id, scope)
    approval = Approval.objects.filter(pk=as_id(approval_id), run=run).first()
    if approval is None:
        raise NotFound()
    return approval


def access_message(principal: Principal, thread: Thread, message_id: UUID | str, scope: Scope) -> Message:
    """A message of a thread that ``access_thread`` has let through."""
    require(principal, scope)
    message = Message.objects.filter(pk=as_id(message_id), thread=thread, thread__owner_id=principal.user_id).first()
    if message is None:
        raise NotFound()
    return message


def as_id(value: UUID | str) -> UUID:
    """Raises NotFound for text that is no id: whatever it means, it is not here."""
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except ValueError:
        raise NotFound() from None
