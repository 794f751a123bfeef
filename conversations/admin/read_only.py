"""Lists that show and never change, and tell nobody what was said."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model
from django.http import HttpRequest

from chatserver.gates import Denied, refused
from conversations.admin.pages import BoundedPaginator

READ = "conversations.read_transcripts"
_WITH_ITS_PERSON = frozenset({"accounts_user_delete", "accounts_user_changelist"})


def may_read(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether ``user`` may see what others said: titles in lists, and transcripts for a reason and on record."""
    return isinstance(user, AbstractBaseUser) and user.is_active and getattr(user, "is_staff", False) and _has(user)


def require_transcripts(request: HttpRequest) -> None:
    """Raises Denied where the asker may not read what others said."""
    if not may_read(request.user):
        refused("transcript", user=request.user.pk, path=request.path)
        raise Denied


def _has(user: Any) -> bool:
    return bool(user.has_perm(READ))


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable when it runs
    # What an address may ask of the list. Django lets it ask anything of the model's own fields, so that whoever may
    # not see a title could guess it letter by letter (?title__startswith=…).
    open_lookups: frozenset[str] = frozenset()

    actions: Sequence[str] | None = None
    show_full_result_count = False  # counting a large table costs more than the page
    paginator = BoundedPaginator
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nothing is removed here by itself. With its person it may go: there Django asks every row's admin."""
        match = request.resolver_match
        return (
            match is not None
            and match.url_name in _WITH_ITS_PERSON
            and bool(getattr(request.user, "has_perm", lambda _: False)("accounts.delete_user"))
        )

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in self.open_lookups or lookup.partition("__")[0] in self.open_lookups
