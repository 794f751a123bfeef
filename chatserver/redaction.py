"""What no line of the log may have: patterns of secrets, and the secrets that this process knows."""

import json
import re
from collections.abc import Collection
from typing import Any

# A token of ours, of which its prefix may be told; the name and password in an address; a code in a link.
_SECRET = re.compile(
    r"(?P<token>chat_[0-9a-z]{1,40}_)[\w-]{8,}"
    r"|(?P<address>://)[^/\s@\"\\]+@"
    r"|(?P<code>[?&;](?:code|invitation|key|token|access_token|session(?:id)?)=)[^&\s\"\\]+"
)
_MARKS = ("chat_", "://", "=")  # one of them is in whatever the pattern finds
_SHORTEST = 8  # a short one would blot out words
_MOST = 1000
_learned: dict[str, None] = {}  # the latest last; a dict for its order


def conceal(secret: str) -> None:
    """From here on no line has it. Of what is learned while the process runs the latest thousand are known."""
    if len(secret) < _SHORTEST:
        return
    written = _as_written(secret)
    if written not in _learned:
        _learned[written] = None
        while len(_learned) > _MOST:
            del _learned[next(iter(_learned))]


class Redacted:
    """The last step of every line: whatever an exception's text or an address brought along, no secret leaves."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        known = {_as_written(text) for text in secrets if len(text) >= _SHORTEST}
        self._secrets = sorted(known, key=len, reverse=True)

    def __call__(self, logger: Any, name: str, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, "[redacted]")
        for secret in tuple(_learned):
            line = line.replace(secret, "[redacted]")
        # Nearly no line has any of these, and to look for them costs a hundredth of what the pattern does.
        return _SECRET.sub(_without_secret, line) if any(mark in line for mark in _MARKS) else line


def _as_written(secret: str) -> str:
    """As it stands in a line of JSON."""
    return json.dumps(secret)[1:-1]


def _without_secret(found: re.Match[str]) -> str:
    return f"{found['token'] or found['address'] or found['code']}[redacted]{'@' if found['address'] else ''}"
