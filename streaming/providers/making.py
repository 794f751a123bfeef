"""From what is configured to what is asked."""

from collections.abc import Mapping
from typing import Unpack

from chatserver.model_servers import ModelServerSpec
from streaming.providers.base import Provider
from streaming.providers.http_provider import UpstreamNumbers
from streaming.providers.ollama import OllamaProvider
from streaming.providers.openai import OpenAIProvider
from streaming.providers.unusable import UnusableProvider


def provider_of(
    spec: ModelServerSpec, *, num_ctx: Mapping[str, int] | None = None, **numbers: Unpack[UpstreamNumbers]
) -> Provider:
    """``numbers`` are what holds for every model server: time-outs, limits, pace. ``num_ctx`` is Ollama's."""
    if spec.trouble:
        return UnusableProvider(name=spec.name, kind=spec.kind, trouble=spec.trouble)
    if spec.kind == "ollama":
        return OllamaProvider(name=spec.name, base_url=spec.url, api_key=spec.key, num_ctx=num_ctx, **numbers)
    return OpenAIProvider(name=spec.name, base_url=spec.url, api_key=spec.key, **numbers)
