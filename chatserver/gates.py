"""Every gate that refuses somebody says so here: one line of the log, with the gate's name.

``docs/security.md`` has what each of them guards. Who is not signed in at all is the daily noise of every server, and
stands in the log only at the level debug.
"""

from typing import Literal, get_args

import structlog
from django.core.exceptions import PermissionDenied

_log = structlog.get_logger(__name__)

Gate = Literal[
    "sign_in",  # nobody is signed in
    "token",  # the token is unknown, revoked, expired, or its person is switched off
    "scope",  # the token was not given this scope
    "thread",
    "run",
    "message",
    "approval",
    "model",  # its server is not for this person
    "attachment",
    "own_token",  # unknown, or another person's
    "own_session",  # the same
    "csrf",  # the request does not prove that our own page made it
    "origin",  # another page made it
    "media_type",  # a session's body that a plain form of another page could have sent
    "staff",  # the administration is for the staff
    "right",  # one of the staff lacks the permission
    "transcript",  # one of the staff may not read what others said
]
GATES: frozenset[str] = frozenset(get_args(Gate))


def refused(gate: Gate, **facts: object) -> None:
    """Write down that ``gate`` refused. ``facts`` say whom and what; never a secret, never a text that was sent."""
    note = _log.debug if gate == "sign_in" else _log.info
    note("refused", gate=gate, **{name: str(fact) for name, fact in facts.items() if fact is not None})


class Denied(PermissionDenied):
    """A refusal of a page, by a gate that has written it down already."""
