"""What Ollama says about its models: /api/tags, /api/show and /api/ps as our ModelInfo.

Everything is optional here but the name: older servers say less, and what is of a wrong type counts as not said. Times
are not read at all (they may be local, and have nine digits).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from streaming.providers.base import ModelInfo

# More than any server has, less than would hurt the page.
MAX_MODELS = 1000
_MAX_NAME = 200


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


def model_info(provider: str, tag: Tag, facts: Facts, in_memory: Mapping[str, int | None] | None) -> ModelInfo:
    """``in_memory`` None: it is not known which models are loaded."""
    context = facts.context_length
    in_force = in_memory.get(tag.name) if in_memory else None
    if in_force is not None:  # the server may have loaded it with less than it was trained for
        context = min(context or in_force, in_force)
    return ModelInfo(
        provider=provider,
        name=tag.name,
        capabilities=facts.capabilities,
        context_length=context,
        size_bytes=None if tag.remote else tag.size_bytes,
        parameter_size=tag.parameter_size,
        loaded=None if in_memory is None else tag.name in in_memory,
        cannot_think=bool(facts.capabilities) and "thinking" not in facts.capabilities,
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
    )


def _name(entry: Any) -> str:
    name = _mapping(entry).get("name") or _mapping(entry).get("model")
    return name if isinstance(name, str) and len(name) <= _MAX_NAME and name.isprintable() else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _words(value: Any) -> tuple[str, ...]:
    return tuple(word for word in value if isinstance(word, str)) if isinstance(value, list) else ()


def _whole(value: Any) -> int | None:
    return value if type(value) is int and 0 < value < 2**60 else None
