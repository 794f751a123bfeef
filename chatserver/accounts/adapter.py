"""Our policy, where allauth asks for it."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.internal import ratelimit
from django.conf import settings
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

from chatserver.accounts.names import clean_name
from chatserver.accounts.services import is_open_invitation


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        match settings.SIGNUP:
            case "open":
                return True
            case "invite":
                return is_open_invitation(invitation_of(request))
            case _:
                return False

    def clean_username(self, username: str, shallow: bool = False) -> str:
        name: str = super().clean_username(clean_name(username), shallow)
        return name

    def is_safe_url(self, url: str | None) -> bool:
        # After signing in people stay here: local paths only, no other host however trusted.
        return bool(url) and url_has_allowed_host_and_scheme(str(url), allowed_hosts=None)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        super().pre_authenticate(request, **credentials)
        login = str(credentials.get("email") or credentials.get("username") or "").lower()
        wide = ratelimit.consume(request, app="allauth.account", action="login_failed_anywhere", key=login)
        if wide is None:
            raise self.validation_error("too_many_login_attempts")
        if self._login_failed_rl_usage is not None:
            self._login_failed_rl_usage.usage += wide.usage  # a right password takes both back

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # Counted for an account and an address together, so that a stranger's guesses do not lock its owner out. The
        # many addresses of one attacker meet the wider limit of pre_authenticate.
        key = super()._get_login_attempts_cache_key(request, **credentials)
        return f"{key}:{self.get_client_ip(request)}"

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, *rest: Any, **named: Any
    ) -> None:
        # The chat page shows no messages: this one would wait, and greet people on some later page.
        if message_template != "account/messages/logged_in.txt":
            super().add_message(request, level, message_template, *rest, **named)

    def get_client_ip(self, request: HttpRequest) -> str:
        # The server in front has already put the client of a trusted proxy here; the header itself anyone can write.
        return str(request.META.get("REMOTE_ADDR") or "unknown")


def invitation_of(request: HttpRequest) -> str:
    """The code of the invitation that this request to the sign-up page carries, or the empty text."""
    return request.POST.get("invitation") or request.GET.get("invitation") or ""
