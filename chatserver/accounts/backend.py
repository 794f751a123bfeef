"""Checking a name and a password in a time that does not tell whether the name exists."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.internal.userkit import filter_users_by_email, get_user_by_username
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest

from chatserver.accounts.groups import with_groups
from chatserver.accounts.models import User


class AccountBackend(AuthenticationBackend):
    """Signs in by name or e-mail address. allauth's own checks a password twice where an address is known."""

    def _authenticate(self, request: HttpRequest | None, **credentials: Any) -> AbstractBaseUser | None:
        username, email = credentials.get("username"), credentials.get("email")
        candidates: dict[Any, AbstractBaseUser] = {}
        if username and (named := get_user_by_username(username)):
            candidates[named.pk] = named
        if address := email or (username if username and "@" in username else None):
            for user in filter_users_by_email(address, prefer_verified=True, for_login=True):
                candidates[user.pk] = user
        for candidate in candidates.values():
            if self._check_password(candidate, credentials["password"]):
                return candidate
        return None

    def get_user(self, user_id: Any) -> User | None:
        """Whose session it is, with the groups; asked at every request that has one."""
        user = with_groups(User.objects.filter(pk=user_id)).first()
        return user if user is not None and self.user_can_authenticate(user) else None
