"""Where a person is signed in, and signing out there."""

from uuid import UUID

from allauth.usersessions.models import UserSession

from chatserver.accounts.rechecking import live_sessions


def sessions_of(user_id: UUID) -> list[UserSession]:
    """A person's sessions that still let them in, the newest first. Three queries."""
    rows = list(UserSession.objects.filter(user_id=user_id).order_by("-created_at", "-pk"))
    live = live_sessions([row.session_key for row in rows])
    return [row for row in rows if row.session_key in live]


def end_others(user_id: UUID, *, but: str | None) -> None:
    """Sign the person out everywhere, but in the session with this key. Live connections end with their sessions."""
    for row in UserSession.objects.filter(user_id=user_id).exclude(session_key=but or ""):
        row.end()
