"""Reading the environment: typed, and with one clear sentence for a bad value."""

import os
from collections.abc import Callable, Collection, Mapping
from ipaddress import ip_network
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


class Environment:
    """A view of environment variables. Every getter raises ImproperlyConfigured naming the variable and the remedy."""

    def __init__(self, values: Mapping[str, str] = os.environ) -> None:
        self._values = values

    def text(self, name: str, default: str = "") -> str:
        return self._values.get(name, default).strip()

    def flag(self, name: str, default: bool) -> bool:
        word = self._values.get(name)
        if word is None:
            return default
        if word.strip().lower() in _TRUE:
            return True
        if word.strip().lower() in _FALSE:
            return False
        raise ImproperlyConfigured(f"{name} is {word!r}; write on or off.")

    def choice(self, name: str, default: str, choices: Collection[str]) -> str:
        word = self.text(name, default).lower() or default
        if word not in choices:
            raise ImproperlyConfigured(f"{name} is {word!r}; write one of: {', '.join(sorted(choices))}.")
        return word

    def whole(self, name: str, default: int, *, least: int = 0, most: int = 2**31 - 1) -> int:
        return int(self._number(name, default, least, most, int, "a whole number"))

    def number(self, name: str, default: float, *, least: float = 0.0, most: float = 1e9) -> float:
        return self._number(name, default, least, most, float, "a number")

    def words(self, name: str, default: str = "") -> list[str]:
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def sizes(self, name: str, *, least: int, most: int = 10_000_000) -> dict[str, int]:
        """Numbers by name, from "8192,qwen3:8b=32768"; the one without a name stands under the empty one."""
        sizes: dict[str, int] = {}
        for word in self.words(name):
            whose, _, number = word.rpartition("=")
            if not (number.strip().isdecimal() and least <= int(number) <= most) or whose.strip() in sizes:
                raise ImproperlyConfigured(
                    f"{name} has {word!r}; write a whole number from {least} to {most}, "
                    "and others for some as name=number."
                )
            sizes[whose.strip()] = int(number)
        return sizes

    def http_url(self, name: str, default: str = "") -> str:
        """An http or https address without its trailing slash, or the empty text."""
        url = self.text(name, default).rstrip("/")
        if not url:
            return ""
        if not is_address(url) or urlsplit(url).scheme not in ("http", "https"):
            raise ImproperlyConfigured(f"{name} is {url!r}; write an address such as http://127.0.0.1:11434.")
        return url

    def origins(self, name: str) -> list[str]:
        """Scheme, host and port of each, without a path."""
        origins = [origin.rstrip("/") for origin in self.words(name)]
        for origin in origins:
            if not is_address(origin) or urlsplit(origin).path:
                raise ImproperlyConfigured(f"{name} has {origin!r}; write origins such as https://chat.example.org.")
        return origins

    def networks(self, name: str) -> list[str]:
        """Addresses and networks; * is every one."""
        networks = self.words(name)
        for network in networks:
            try:
                network == "*" or ip_network(network, strict=False)
            except ValueError:
                raise ImproperlyConfigured(
                    f"{name} has {network!r}; write addresses such as 127.0.0.1 or networks such as 10.0.0.0/8."
                ) from None
        return networks

    def _number(
        self, name: str, default: float, least: float, most: float, parse: Callable[[str], float], kind: str
    ) -> float:
        word = self.text(name)
        if not word:
            return default
        try:
            value = parse(word)
        except ValueError:
            raise ImproperlyConfigured(f"{name} is {word!r}; write {kind}.") from None
        if not least <= value <= most:
            raise ImproperlyConfigured(f"{name} is {word}; write {kind} from {least} to {most}.")
        return value


def is_address(url: str) -> bool:
    """Whether it has a scheme and a host, and a port that is one if any."""
    try:
        parts = urlsplit(url)
        return bool(parts.scheme and parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        return False
