"""What OpenAI-compatible servers say about their models at GET /models, as our ModelInfo.

OpenAI itself says a name and nothing else. What the others add is read where it is there: vLLM and SGLang
``max_model_len``, llama.cpp ``meta``, OpenRouter ``context_length``, ``supported_parameters`` and ``architecture``,
LM Studio ``type``, ``state`` and ``max_context_length``, Mistral an object of capabilities, Groq ``context_window``.
What is of a wrong type counts as not said.
"""

import re
from collections.abc import Mapping
from typing import Any

from streaming.providers.base import ModelInfo

# More than any server has, less than would hurt the page.
MAX_MODELS = 1000
_MAX_NAME = 200
# OpenAI lists all its models side by side and does not say which of them chat.
_NO_CHAT = re.compile(
    r"embed|rerank|moderation|^whisper|^tts-|-tts\b|transcri|^dall-e|^gpt-image|^chatgpt-image|^sora|-realtime\b"
    r"|^(?:babbage|davinci)-|-instruct-0914$|-audio-preview\b",
    re.I,
)
# What the wire itself has a word for, whoever speaks it: how much to think, not whether to; no time to stay loaded.
OF_THE_WIRE: dict[str, Any] = {
    "thinking_levels": ("low", "medium", "high"),
    "thinking_switch": False,
    "no_word_for": ("keep_alive",),
}
_NO_CHAT_TYPES = frozenset({"embedding", "embeddings", "rerank", "reranker", "image", "audio", "video", "moderation"})


def model_infos(provider: str, body: Any) -> list[ModelInfo]:
    """The models that can chat, in the server's order; entries without a usable name are left out, and so is a name
    that has been listed before.
    """
    entries = body if isinstance(body, list) else _mapping(body).get("data")
    named: dict[str, Mapping[str, Any]] = {}
    for entry in entries if isinstance(entries, list) else ():
        if name := _name(entry):
            named.setdefault(name, entry)
        if len(named) == MAX_MODELS:
            break
    return [_info(provider, entry) for entry in named.values() if _can_chat(entry)]


def is_listing(body: Any) -> bool:
    """Whether it is a list of models at all; ``data`` may be null where there are none."""
    return isinstance(body, list) or (isinstance(body, dict) and "data" in body)


def _info(provider: str, entry: Mapping[str, Any]) -> ModelInfo:
    return ModelInfo(
        provider=provider,
        name=_name(entry),
        capabilities=_capabilities(entry),
        context_length=_context_length(entry),
        size_bytes=_whole(_mapping(entry.get("meta")).get("size")),
        loaded=_loaded(entry),
        cannot_see=_sees(entry) is False,
        **OF_THE_WIRE,
    )


def _can_chat(entry: Mapping[str, Any]) -> bool:
    """False only for what is known not to chat."""
    if _word(entry.get("type")) in _NO_CHAT_TYPES or entry.get("supports_chat") is False:
        return False
    if _mapping(entry.get("capabilities")).get("completion_chat") is False:
        return False
    outputs = _words(_mapping(entry.get("architecture")).get("output_modalities"))
    if outputs:
        return "text" in outputs
    return not _NO_CHAT.search(_name(entry).rpartition("/")[2])


def _capabilities(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """A model counts as able to call tools where nothing is said of it: most can, and one that cannot says so."""
    able = ["completion"]
    if _tools(entry) is not False:
        able.append("tools")
    parameters = _words(entry.get("supported_parameters"))
    if {"reasoning", "include_reasoning", "reasoning_effort"} & {*parameters}:
        able.append("thinking")
    if _sees(entry) is True:
        able.append("vision")
    return tuple(able)


def _tools(entry: Mapping[str, Any]) -> bool | None:
    """What the server says of tools, None where it says nothing."""
    if isinstance(entry.get("supported_parameters"), list):
        return "tools" in entry["supported_parameters"]
    able = entry.get("capabilities")
    if isinstance(able, list) and able:
        return bool({"tools", "tool_use", "tool-calling", "function_calling"} & {*_words(able)})
    said = (_mapping(able).get("function_calling"), entry.get("supports_tools"), entry.get("supports_function_calling"))
    return next((word for word in said if isinstance(word, bool)), None)


def _sees(entry: Mapping[str, Any]) -> bool | None:
    """What the server says of images, None where it says nothing."""
    inputs = _words(_mapping(entry.get("architecture")).get("input_modalities"))
    able, kind = entry.get("capabilities"), entry.get("type")
    said = (
        "image" in inputs if inputs else None,
        {"vlm": True, "llm": False}.get(kind) if isinstance(kind, str) else None,
        entry.get("supports_image_input"),
        _mapping(able).get("vision"),
        "vision" in _words(able) or None,
    )
    known = [word for word in said if isinstance(word, bool)]
    return any(known) if known else None


def _context_length(entry: Mapping[str, Any]) -> int | None:
    """The least of what is said: what is in force may be less than what the model was made for."""
    meta, top = _mapping(entry.get("meta")), _mapping(entry.get("top_provider"))
    said = (
        *(entry.get(name) for name in ("max_model_len", "context_length", "max_context_length", "context_window")),
        entry.get("loaded_context_length"),
        meta.get("n_ctx"),
        meta.get("n_ctx_train"),
        top.get("context_length"),
    )
    return min((length for length in map(_whole, said) if length is not None), default=None)


def _loaded(entry: Mapping[str, Any]) -> bool | None:
    """LM Studio's ``state``, or llama.cpp's ``status`` where it serves several."""
    state = entry.get("state") or _mapping(entry.get("status")).get("value")
    return state == "loaded" if state in ("loaded", "not-loaded", "unloaded", "loading") else None


def _name(entry: Any) -> str:
    name = _mapping(entry).get("id") or _mapping(entry).get("name")
    return name if isinstance(name, str) and len(name) <= _MAX_NAME and name.isprintable() else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _words(value: Any) -> tuple[str, ...]:
    return tuple(word for word in value if isinstance(word, str)) if isinstance(value, list) else ()


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: Any) -> int | None:
    return value if type(value) is int and 0 < value < 2**60 else None
