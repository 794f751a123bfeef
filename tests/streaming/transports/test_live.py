from collections.abc import Callable
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async

from chatserver.accounts.models import ApiToken, User
from chatserver.accounts.principal import Principal, principal_of_token
from streaming.protocol.errors import Draining, NotAuthenticated, TooManyStreams, Unavailable
from streaming.transports.live import Live, LiveConnections


def person(number: int) -> Principal:
    return Principal(UUID(int=number), f"user{number}", False, frozenset({"read"}), "session", session_key="s")


def test_a_user_has_so_many_streams_and_no_more():
    connections = LiveConnections(max_streams=2)
    first = connections.admit(person(1))
    connections.admit(person(1))
    with pytest.raises(TooManyStreams):
        connections.admit(person(1))
    connections.admit(person(2))
    connections.leave(first)
    connections.admit(person(1))
    assert len(connections) == 3


def test_leaving_twice_counts_once():
    connections = LiveConnections(max_streams=1)
    live = connections.admit(person(1))
    connections.leave(live)
    connections.leave(live)
    connections.admit(person(1))
    with pytest.raises(TooManyStreams):
        connections.admit(person(1))


def test_a_draining_process_admits_nobody():
    connections = LiveConnections(max_streams=1)
    connections.draining = True
    with pytest.raises(Draining):
        connections.admit(person(1))


def test_everybody_is_woken_and_told_why_once():
    connections = LiveConnections(max_streams=1)
    live = connections.admit(person(1))
    woken: list[str] = []
    with live.waking(lambda: woken.append("one")), live.waking(lambda: woken.append("two")):
        connections.end_all("restart")
        live.end("too_slow")
    assert (live.ending, woken) == ("restart", ["one", "two"])


def changed(token: ApiToken, change: str) -> None:
    if change == "staff":
        User.objects.filter(pk=token.user_id).update(is_staff=True)
    elif change == "scopes":
        ApiToken.objects.filter(pk=token.pk).update(scopes=["read"])
    elif change == "off":
        User.objects.filter(pk=token.user_id).update(is_active=False)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("change", "reason"),
    [("nothing", None), ("off", "not_authenticated"), ("scopes", "rights_changed"), ("staff", "rights_changed")],
)
async def test_a_connection_ends_when_its_rights_are_not_what_they_were(
    user: User, token_for: Callable[..., str], change: str, reason: str | None
):
    text = await sync_to_async(token_for)(user, ["read", "chat"])
    principal = await sync_to_async(principal_of_token)(text)
    assert principal is not None
    connections = LiveConnections(max_streams=1)
    live = connections.admit(principal)
    token = await ApiToken.objects.aget(pk=principal.token_id)
    await sync_to_async(changed)(token, change)
    await connections.end_the_unwelcome()
    assert (live.ending, live.may_deliver) == (reason, reason is None)


@pytest.mark.parametrize(
    ("reason", "error"),
    [("not_authenticated", NotAuthenticated), ("rights_changed", Unavailable), ("restart", Draining)],
)
def test_who_has_not_been_answered_yet_is_told_why(reason: str, error: type[Exception]):
    live = Live(person(1))
    live.end(reason)  # type: ignore[arg-type]
    assert type(live.ended()) is error
