"""Who asks, in all the ways in which one can ask."""

from enum import StrEnum
from typing import Literal

from chatserver.gates import Gate


class Role(StrEnum):
    OWNER = "the owner by session"
    OWNER_TOKEN = "the owner by a token with all scopes"
    READ = "the owner by a token that may read"
    CHAT = "the owner by a token that may chat"
    MANAGE = "the owner by a token that may manage"
    FORGED = "the owner's session without a CSRF token"
    FOREIGN = "the owner's session from another site's page"
    OTHER = "another person by session"
    OTHER_TOKEN = "another person by token"
    STAFF = "staff without any right"
    OVERSEER = "staff who may see the lists"
    READER = "staff who may read transcripts"
    ADMINISTRATOR = "an administrator by session"
    ADMINISTRATOR_TOKEN = "an administrator by token"
    DEACTIVATED = "the owner, switched off, by session"
    DEACTIVATED_TOKEN = "the owner, switched off, by token"
    WRONG_TOKEN = "somebody with a token that does not exist"
    NOBODY = "nobody"


R = Role
Verdict = Literal["yes"] | Gate
Policy = dict[Role, Verdict]

TOKENS = {R.READ: "read", R.CHAT: "chat", R.MANAGE: "manage"}
STRANGERS = (R.OTHER, R.OTHER_TOKEN, R.STAFF, R.OVERSEER, R.READER, R.ADMINISTRATOR, R.ADMINISTRATOR_TOKEN)
UNKNOWN: Policy = {
    R.NOBODY: "sign_in",
    R.DEACTIVATED: "sign_in",
    R.DEACTIVATED_TOKEN: "token",
    R.WRONG_TOKEN: "token",
}
_BY_TOKEN = (R.OWNER_TOKEN, *TOKENS, R.OTHER_TOKEN, R.ADMINISTRATOR_TOKEN)
_BY_SESSION = (R.OWNER, R.OTHER, R.STAFF, R.OVERSEER, R.READER, R.ADMINISTRATOR)


def _scoped(scope: str) -> Policy:
    return {role: "yes" if scope == own else "scope" for role, own in TOKENS.items()}


def owned(gate: Gate, scope: str, *, changes: bool = True) -> Policy:
    """One thing of a person's: theirs with the scope, and for everybody else not there."""
    return {
        R.OWNER: "yes",
        R.OWNER_TOKEN: "yes",
        **_scoped(scope),
        **dict.fromkeys(STRANGERS, gate),
        **UNKNOWN,
        R.FORGED: "csrf" if changes else "yes",
        R.FOREIGN: "origin" if changes else "yes",
    }


def mine(scope: str, *, changes: bool = False) -> Policy:
    """Everybody's own: all who are signed in get through, each to what is theirs."""
    return owned("thread", scope, changes=changes) | dict.fromkeys(STRANGERS, "yes")


def by_token() -> Policy:
    """What takes a token and nothing else."""
    return {**dict.fromkeys(_BY_TOKEN, "yes"), R.DEACTIVATED_TOKEN: "token", R.WRONG_TOKEN: "token"}


def signed_in_page() -> Policy:
    """A page for whoever is signed in; a token opens none."""
    return {
        **dict.fromkeys((*_BY_SESSION, R.FORGED, R.FOREIGN), "yes"),
        **dict.fromkeys(_BY_TOKEN, "sign_in"),
        **UNKNOWN,
    }


def public() -> Policy:
    """For everybody, who they are or not; but a wrong token is told so everywhere."""
    everybody: Policy = dict.fromkeys(Role, "yes")
    return everybody | {R.DEACTIVATED_TOKEN: "token", R.WRONG_TOKEN: "token"}


def form() -> Policy:
    """A form that everybody may send who was given it: without its CSRF token, or from elsewhere, it is refused."""
    return {R.NOBODY: "yes", R.OWNER: "yes", R.FORGED: "csrf", R.FOREIGN: "origin", R.WRONG_TOKEN: "token"}


def administrators(*, changes: bool) -> Policy:
    """A call for those of the staff who have the right, and for their programs that may manage."""
    return {
        **dict.fromkeys((R.OWNER, R.OTHER, R.OWNER_TOKEN, R.OTHER_TOKEN, R.MANAGE), "staff"),
        **dict.fromkeys((R.READ, R.CHAT), "scope"),
        **dict.fromkeys((R.STAFF, R.OVERSEER, R.READER), "right"),
        **dict.fromkeys((R.ADMINISTRATOR, R.ADMINISTRATOR_TOKEN), "yes"),
        **UNKNOWN,
        R.FORGED: "csrf" if changes else "staff",
        R.FOREIGN: "origin" if changes else "staff",
    }


def administrators_page() -> Policy:
    """A page for the same people; a token opens none."""
    return administrators(changes=False) | dict.fromkeys(_BY_TOKEN, "sign_in")


def staff(*may: Role, gate: Gate = "right") -> Policy:
    """A page of the administration: of the staff, only those in ``may``; the others meet ``gate``."""
    inside = {role: "yes" if role in may else gate for role in (R.STAFF, R.OVERSEER, R.READER, R.ADMINISTRATOR)}
    return {
        **inside,
        R.OWNER: "staff",
        R.ADMINISTRATOR_TOKEN: "sign_in",
        R.NOBODY: "sign_in",
        R.DEACTIVATED: "sign_in",
        R.WRONG_TOKEN: "token",
    }
