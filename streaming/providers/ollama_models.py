"""What Ollama says about its models: /api/tags, /api/show and /api/ps as our ModelInfo.

Everything is optional here but the name: older servers say less, and what is of a wrong type counts as not said. Times
are not read at all (they may be local, and have nine digits).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from streaming.providers.base import ModelInfo

# More than any server has, less than would hurt the page.
MAX_MODELS = 1000
_MAX_NAME = 200
_MAX_WORDS, _MAX_WORD = 20, 50
LEVELS = ("low", "medium", "high")  # gpt-oss; all others are told to think or not to


class Facts(NamedTuple):
    """What can be known of a model, from tags or from show."""

    capabilities: tuple[str, ...] = ()
    context_length: int | None = None

    @property
    def complete(self) -> bool:
        return bool(self.capabilities) and self.context_length is not None


class Tag(NamedTuple):
    """One model of /api/tags. ``digest`` changes when the model does."""

    name: str
    digest: str
    size_bytes: int | None
    parameter_size: str | None
    remote: bool
    embedding_family: bool
    facts: Facts
    has_levels: bool = False  # of thinking, which cannot be switched off: gpt-oss


def tags(body: Any) -> list[Tag]:
    """The models of GET /api/tags, in its order (newest first); entries without a usable name are left out."""
    entries = _mapping(body).get("models")
    named = [entry for entry in entries if _name(entry)] if isinstance(entries, list) else []
    return [_tag(entry) for entry in named[:MAX_MODELS]]


def facts_of_show(body: Any) -> Facts:
    """What POST /api/show adds."""
    info = _mapping(_mapping(body).get("model_info"))
    length = info.get(f"{info.get('general.architecture')}.context_length")
    return Facts(_words(_mapping(body).get("capabilities")), _whole(length))


def loaded(body: Any) -> dict[str, int | None]:
    """The models in memory by GET /api/ps, with the context that is in force there."""
    entries = _mapping(body).get("models")
    named = [entry for entry in entries if _name(entry)] if isinstance(entries, list) else []
    return {_name(entry): _whole(entry.get("context_length")) for entry in named[:MAX_MODELS]}


def can_chat(tag: Tag, facts: Facts) -> bool:
    """False only for what is known not to chat: embedding and picture models."""
    if facts.capabilities:
        return "completion" in facts.capabilities or not {"embedding", "image"} & set(facts.capabilities)
    return not tag.embedding_family


class Contexts:
    """With how much context the models are loaded, in tokens: what was configured for a model or for all, else what it
    was seen to be loaded with last. Before that nobody knows: Ollama decides by the memory that there is.
    """

    def __init__(self, configured: Mapping[str, int]) -> None:
        """By the names of models, with or without ``:latest``; the empty name is for all that are not named."""
        self._configured = configured
        self._trained: dict[str, int | None] = {}
        self._seen: dict[tuple[str, str], int] = {}  # of a model that was pulled anew nothing is known

    def seen(self, listed: Sequence[tuple[Tag, Facts]], in_memory: Mapping[str, int | None] | None) -> None:
        self._trained = {tag.name: facts.context_length for tag, facts in listed}
        seen = {(tag.name, tag.digest): self._seen.get((tag.name, tag.digest)) for tag, _ in listed}
        seen |= {key: in_memory[key[0]] or seen[key] for key in seen if in_memory and key[0] in in_memory}
        self._seen = {key: context for key, context in seen.items() if context is not None}

    def num_ctx(self, name: str) -> int | None:
        """What a request has to say, always the same for a model; None leaves it to the server."""
        names = (name, name.removesuffix(":latest"), "")
        wish = next((self._configured[each] for each in names if each in self._configured), None)
        return None if wish is None else min(wish, self._trained.get(name) or wish)

    def of(self, tag: Tag) -> int | None:
        return self.num_ctx(tag.name) or self._seen.get((tag.name, tag.digest))


def model_info(
    provider: str,
    tag: Tag,
    facts: Facts,
    in_memory: Mapping[str, int | None] | None,
    *,
    in_force: int | None = None,
) -> ModelInfo:
    """``in_memory`` None: it is not known which models are loaded. ``in_force`` is the context that it is, or would be,
    loaded with; one that is loaded with another is loaded anew when it is asked.
    """
    context = facts.context_length
    loaded_with = in_memory.get(tag.name) if in_memory else None
    in_force = in_force or loaded_with
    if in_force is not None:  # the server may have loaded it with less than it was trained for
        context = min(context or in_force, in_force)
    thinks = "thinking" in facts.capabilities
    return ModelInfo(
        provider=provider,
        name=tag.name,
        capabilities=facts.capabilities,
        context_length=context,
        size_bytes=None if tag.remote else tag.size_bytes,
        parameter_size=tag.parameter_size,
        loaded=None if in_memory is None else tag.name in in_memory and loaded_with in (None, in_force),
        cannot_think=bool(facts.capabilities) and not thinks,
        thinking_levels=LEVELS if tag.has_levels else () if thinks else None,
        thinking_switch=not tag.has_levels,
        cannot_see=bool(facts.capabilities) and "vision" not in facts.capabilities,
    )


def _tag(entry: Mapping[str, Any]) -> Tag:
    details = _mapping(entry.get("details"))
    name, size, family = _name(entry), details.get("parameter_size"), str(details.get("family"))
    return Tag(
        name=name,
        digest=str(entry.get("digest")),
        size_bytes=_whole(entry.get("size")),
        parameter_size=size if isinstance(size, str) and 0 < len(size) <= 20 else None,
        remote=bool(entry.get("remote_host")),
        embedding_family="bert" in family or "embed" in name,
        facts=Facts(_words(entry.get("capabilities")), _whole(details.get("context_length"))),
        has_levels=family in ("gptoss", "gpt-oss") or name.rpartition("/")[2].startswith("gpt-oss"),
    )


def _name(entry: Any) -> str:
    name = _mapping(entry).get("name") or _mapping(entry).get("model")
    return name if isinstance(name, str) and len(name) <= _MAX_NAME and name.isprintable() else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _words(value: Any) -> tuple[str, ...]:
    """Everybody is told them with each list of models, so there are few, and they are words."""
    words = value[:_MAX_WORDS] if isinstance(value, list) else ()
    return tuple(word for word in words if isinstance(word, str) and len(word) <= _MAX_WORD and word.isprintable())


def _whole(value: Any) -> int | None:
    return value if type(value) is int and 0 < value < 2**60 else None
