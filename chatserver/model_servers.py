"""What a model server is, wherever it was configured, and what may be said of one. Pure."""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from chatserver.audience import EVERYBODY, Audience

KINDS = ("ollama", "openai")
RESERVED = frozenset({"demo"})
MAX_NAME, MAX_URL, MAX_KEY, MAX_MODEL = 100, 500, 1000, 300
DEFAULT = "default"  # the alias of the model that answers where none is named
NAME_RULE = (
    "A name is made of small letters, digits, - and _, begins and ends with a letter or a digit, and is at most 100"
    " characters long."
)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,98}[a-z0-9])?")
_ALIAS = re.compile(r"[!-.0-~]+(?:/[!-~]+)?")
_KEY = re.compile(r"[!-~]+")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelServerSpec:
    """One model server as it is to be asked. ``models``: these of it and no others; empty are all.

    ``trouble`` is why it cannot be asked as it stands, one sentence with the remedy. ``shows_address``: whether what it
    says of itself, where its address may stand, is for everybody.
    """

    name: str
    kind: str
    url: str
    key: str = field(default="", repr=False)
    max_parallel: int | None = None
    models: tuple[str, ...] = ()
    audience: Audience = EVERYBODY
    trouble: str = ""
    shows_address: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """All model servers of one source, in their order of preference, and other names of models."""

    servers: tuple[ModelServerSpec, ...] = ()
    aliases: dict[str, str] = field(default_factory=dict)


def checked_name(name: str) -> str:
    """Raises ValueError, as all here do: a sentence with the remedy, in which no secret stands."""
    if name in RESERVED:
        raise ValueError(f"The name {name} is taken by the demonstration; choose another one.")
    if not _NAME.fullmatch(name):
        raise ValueError(NAME_RULE)
    return name


def checked_url(url: str) -> str:
    """The address without its trailing slashes."""
    url = url.strip().rstrip("/")
    if len(url) > MAX_URL:
        raise ValueError(f"The address is longer than {MAX_URL} characters.")
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in _PORTS and _is_host(parts.hostname or "") and parts.port != 0
    except ValueError:  # a port that is no number, a name or number that no host has
        is_address = False
    if not is_address or not url.isprintable() or " " in url:
        raise ValueError("The address is none; write one such as http://127.0.0.1:11434 or https://host.example/v1.")
    if "@" in parts.netloc:
        raise ValueError("The address has a name or a password in it; leave them out, and give the key by itself.")
    if "?" in url or "#" in url:  # paths are added to it, and it is shown
        raise ValueError("The address has a ? or a #; leave out what begins there.")
    return url


def _is_host(host: str) -> bool:
    """Raises ValueError for what cannot be one, so that it is not found out only when it is asked."""
    if ":" in host or (host and not host.strip("0123456789.")):
        ip_address(host)
    return bool(host.encode("idna"))


def checked_key(key: str) -> str:
    key = key.strip()
    if len(key) > MAX_KEY or not _KEY.fullmatch(key):  # it is sent in a header
        raise ValueError("The key has characters that no key has, or is too long; copy it once more.")
    return key


def checked_alias(name: str) -> str:
    if len(name) > MAX_MODEL or not _ALIAS.fullmatch(name):
        raise ValueError("An alias is a word without spaces, such as fast, or two with a / between them.")
    return name


def checked_target(target: str) -> str:
    """``provider/model``."""
    provider, _, model = target.strip().partition("/")
    if not provider or not model or len(target) > MAX_MODEL or not target.isprintable():
        raise ValueError("Name the model in full: its server, a /, and its name there, such as office/llama3.2:3b.")
    return target.strip()


def origin_of(url: str) -> str:
    """Scheme, host and port, written in one way: what a key is bound to."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"
