"""The model servers of the file that PROVIDERS names. A bad one stops the start: file, entry, remedy."""

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured

from chatserver.audience import EVERYBODY, Audience
from chatserver.model_servers import (
    DEFAULT,
    KINDS,
    Configured,
    ModelServerSpec,
    checked_alias,
    checked_key,
    checked_name,
    checked_target,
    checked_url,
)

MOST_SERVERS, MOST_ALIASES, MOST_BYTES = 100, 1000, 1024 * 1024
_FIELDS = frozenset(
    {"name", "kind", "url", "key", "key_env", "max_parallel", "enabled", "models", "allow_staff", "allow_groups"}
)
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}", re.I)
_WORDS = {str: "a text", int: "a whole number", bool: "true or false", list: "a list of texts"}
T = TypeVar("T")


def read_providers(path: Path, environment: Mapping[str, str], *, taken: Collection[str] = ()) -> Configured:
    """``environment`` is where ``key_env`` looks; ``taken`` are names that other settings have given away.

    Raises ImproperlyConfigured, never with a key in it.
    """
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise ImproperlyConfigured(f"PROVIDERS, {path}, cannot be read: {fault.strerror}.") from None
    try:
        return parse(data, environment, taken=taken)
    except ValueError as fault:
        raise ImproperlyConfigured(f"PROVIDERS, {path}, {fault}") from None


def parse(data: bytes, environment: Mapping[str, str], *, taken: Collection[str] = ()) -> Configured:
    """What the file says. Raises ValueError with the entry and the remedy."""
    if len(data) > MOST_BYTES:
        raise ValueError(f"is larger than {MOST_BYTES} bytes; it is a list of servers.")
    try:
        found = tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise ValueError("is not written in UTF-8; save it so.") from None
    except tomllib.TOMLDecodeError as fault:
        raise ValueError(f"is no TOML: {fault}.") from None
    if unknown := sorted(found.keys() - {"server", "aliases", "default"}):
        raise ValueError(f"has {unknown[0]!r}, which means nothing here; write [[server]], [aliases] or default.")
    entries = found.get("server", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("server: write each server below a line [[server]], with two brackets.")
    if len(entries) > MOST_SERVERS:
        raise ValueError(f"has more than {MOST_SERVERS} servers.")
    servers = [_server(entry, number, environment) for number, entry in enumerate(entries, start=1)]
    named: set[str] = set()
    for server in servers:
        if server is None:
            continue
        if server.name in named:
            raise ValueError(f"server {server.name}: the name stands there twice; give each server its own.")
        if server.name in taken:
            raise ValueError(
                f"server {server.name}: {server.name.upper()}_BASE_URL is set and has this name; unset it, or choose "
                "another name."
            )
        named.add(server.name)
    return Configured(servers=tuple(server for server in servers if server), aliases=_aliases(found))


def _server(entry: dict[str, Any], number: int, environment: Mapping[str, str]) -> ModelServerSpec | None:
    """None for one that is switched off."""
    name = entry.get("name")
    where = f"server {number} ({name})" if isinstance(name, str) and name.isprintable() else f"server {number}"
    try:
        return _checked(entry, environment)
    except ValueError as fault:
        raise ValueError(f"{where}: {fault}") from None


def _checked(entry: dict[str, Any], environment: Mapping[str, str]) -> ModelServerSpec | None:
    if unknown := sorted(entry.keys() - _FIELDS):
        raise ValueError(f"{unknown[0]!r} means nothing here; write one of {', '.join(sorted(_FIELDS))}.")
    name = checked_name(_take(entry, "name", str))
    kind = _take(entry, "kind", str)
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; write one of {', '.join(KINDS)}.")
    url = checked_url(_take(entry, "url", str))
    key = _key(entry, environment)
    max_parallel = _take(entry, "max_parallel", int) if "max_parallel" in entry else None
    if max_parallel is not None and not 0 <= max_parallel < 2**31:
        raise ValueError("max_parallel is how many answers it may give at once; write 0 (no limit) or more.")
    models = tuple(_texts(entry, "models"))
    if not _take(entry, "enabled", bool, True):
        return None
    return ModelServerSpec(
        name=name,
        kind=kind,
        url=url,
        key=key,
        max_parallel=max_parallel,
        models=models,
        audience=_audience(entry),
    )


def _key(entry: dict[str, Any], environment: Mapping[str, str]) -> str:
    if "key" in entry and "key_env" in entry:
        raise ValueError("it has key and key_env; leave one of them out.")
    if "key_env" in entry:
        variable = _take(entry, "key_env", str)
        if not _VARIABLE.fullmatch(variable):  # the key itself, it may be: it is not repeated
            raise ValueError("key_env is the name of a variable, such as OFFICE_KEY; the key itself stands in key.")
        key = environment.get(variable, "").strip()
        if not key:
            raise ValueError(f"key_env names {variable}, which is not set; set it to the key, or leave key_env out.")
        return checked_key(key)
    key = _take(entry, "key", str, "")
    return checked_key(key) if key else ""


def _audience(entry: dict[str, Any]) -> Audience:
    groups = frozenset(_texts(entry, "allow_groups"))
    staff = _take(entry, "allow_staff", bool, False)
    if staff and "allow_groups" in entry:
        raise ValueError("it has allow_staff and allow_groups; leave one of them out.")
    if "allow_groups" in entry:
        return Audience(whom="groups", groups=groups)
    return Audience(whom="staff") if staff else EVERYBODY


def _aliases(found: dict[str, Any]) -> dict[str, str]:
    aliases = found.get("aliases", {})
    if not isinstance(aliases, dict):
        raise ValueError('aliases: write them below a line [aliases], such as fast = "office/llama3.2:3b".')
    if len(aliases) > MOST_ALIASES:
        raise ValueError(f"has more than {MOST_ALIASES} aliases.")
    if DEFAULT in aliases:
        raise ValueError('aliases: the default model is no alias; write default = "…" above the first [[server]].')
    checked = {
        _of(f"alias {alias!r}", checked_alias, alias): _target(f"alias {alias!r}", target)
        for alias, target in aliases.items()
    }
    for alias, target in checked.items():
        if target in checked:
            raise ValueError(f"alias {alias!r}: {target} is an alias itself; name the model.")
    if "default" in found:
        default = found["default"]
        checked[DEFAULT] = checked.get(default) or _target("default", default)
    return checked


def _target(where: str, target: Any) -> str:
    if not isinstance(target, str):
        raise ValueError(f"{where}: write a text, such as office/llama3.2:3b.")
    return _of(where, checked_target, target)


def _of(where: str, check: Callable[[str], T], value: str) -> T:
    try:
        return check(value)
    except ValueError as fault:
        raise ValueError(f"{where}: {fault}") from None


def _texts(entry: dict[str, Any], name: str) -> list[str]:
    texts = _take(entry, name, list, [])
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError(f"{name} is a list of texts; write them in quotation marks.")
    return texts


def _take(entry: dict[str, Any], name: str, kind: type[T], otherwise: T | None = None) -> T:
    if name not in entry and otherwise is not None:
        return otherwise
    if name not in entry:
        raise ValueError(f"{name} is missing; it is {_WORDS[kind]}.")
    value = entry[name]
    if type(value) is not kind:
        raise ValueError(f"{name} is {_WORDS[kind]}.")
    return value
