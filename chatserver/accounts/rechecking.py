"""Asking again who holds a live connection, for all connections of a process at once."""

from collections.abc import Collection

from asgiref.sync import sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from chatserver.accounts.groups import with_groups
from chatserver.accounts.models import User
from chatserver.accounts.principal import Principal, live_tokens, of_token, of_user


def recheck(principals: Collection[Principal]) -> dict[Principal, Principal | None]:
    """What each principal is now: itself, one with other rights, or None where its way in is gone.

    At most three queries, however many there are.
    """
    ids = {each.token_id for each in principals if each.token_id is not None}
    tokens = {token.pk: of_token(token) for token in live_tokens(ids)}
    sessions = live_sessions({each.session_key for each in principals if each.session_key is not None})
    return {
        each: tokens.get(each.token_id) if each.token_id is not None else sessions.get(each.session_key or "")
        for each in principals
    }


arecheck = sync_to_async(recheck)


def live_sessions(keys: Collection[str]) -> dict[str, Principal]:
    """Those of the sessions that still let somebody in, and whom. Two queries."""
    if not keys:
        return {}
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    contents = {row.session_key: row.get_decoded() for row in rows}
    owners = {str(content[SESSION_KEY]) for content in contents.values() if SESSION_KEY in content}
    active = with_groups(User.objects.filter(pk__in=owners, is_active=True))
    users = {str(user.pk): user for user in active}
    found: dict[str, Principal] = {}
    for key, content in contents.items():
        user = users.get(content.get(SESSION_KEY, ""))
        # A new password makes the hash of every older session wrong.
        if user and constant_time_compare(content.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()):
            found[key] = of_user(user, key)
    return found
