"""Keeping the keys of model servers: sealed at rest, and good for one server at one origin only.

What is sealed says for whom. Whoever can write to the database may put a sealed key beside another address, or on
another row; there it does not open, so it is never sent.
"""

import base64
import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SHORTEST = 32  # characters of a secret
NO_SECRET = (
    "A key can be kept only where ENCRYPTION_KEY is set. Set it to at least 32 random characters in all processes, "
    "start them again, and type the key once more."
)


class CannotOpen(Exception):
    """The text says why, and what to do; never what was sealed."""


class CannotSeal(Exception):
    """There is no secret to seal with; the text has the remedy."""


class Sealer:
    """Seals with the first of ``secrets``, and opens what any of them has sealed: so a secret is changed for a new one.

    Each is a text of any form, of at least ``SHORTEST`` characters; without any, nothing is sealed or opened.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        fernets = [Fernet(_fernet_key(secret)) for secret in secrets]
        self._first = fernets[0] if fernets else None
        self._all = MultiFernet(fernets) if fernets else None

    def seal(self, key: str, *, server: str, origin: str) -> bytes:
        """``key`` for this server, by its id, at this origin. Raises CannotSeal."""
        if self._first is None:
            raise CannotSeal(NO_SECRET)
        return self._first.encrypt(json.dumps({"server": server, "origin": origin, "key": key}).encode())

    def open(self, sealed: bytes, *, server: str, origin: str) -> str:
        """The key, where it was sealed for this server and origin. Raises CannotOpen."""
        if self._all is None:
            raise CannotOpen("it was sealed with an ENCRYPTION_KEY, and none is set")
        try:
            held = json.loads(self._all.decrypt(sealed))
        except InvalidToken:
            raise CannotOpen("it was sealed with another ENCRYPTION_KEY, or was changed since") from None
        if (held["server"], held["origin"]) != (server, origin):
            raise CannotOpen("it was typed for another server or address")
        return str(held["key"])

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first secret has sealed it."""
        if self._first is None:
            return False
        try:
            self._first.decrypt(sealed)
        except InvalidToken:
            return False
        return True


def _fernet_key(secret: str) -> bytes:
    """Any text of enough randomness is a secret; Fernet wants 32 bytes in a form of its own."""
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"keys of model servers").derive(
        secret.encode()
    )
    return base64.urlsafe_b64encode(derived)
