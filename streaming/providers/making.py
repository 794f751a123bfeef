"""From what is configured to what is asked."""

from collections.abc import Mapping
from typing import Unpack

import httpx

from chatserver.model_servers import ModelServerSpec
from streaming.protocol.errors import UpstreamUnreachable
from streaming.providers.base import Provider
from streaming.providers.http_provider import UpstreamNumbers
from streaming.providers.ollama import OllamaProvider
from streaming.providers.openai import OpenAIProvider
from streaming.providers.unusable import UnusableProvider


def provider_of(
    spec: ModelServerSpec, *, num_ctx: Mapping[str, int] | None = None, **numbers: Unpack[UpstreamNumbers]
) -> Provider:
    """``numbers`` are what holds for every model server: time-outs, limits, pace. ``num_ctx`` is Ollama's.

    Never raises: one that cannot be asked must not keep all others from being configured.
    """
    if spec.trouble:
        return UnusableProvider(name=spec.name, kind=spec.kind, trouble=spec.trouble)
    try:
        if spec.kind == "ollama":
            return OllamaProvider(name=spec.name, base_url=spec.url, api_key=spec.key, num_ctx=num_ctx, **numbers)
        return OpenAIProvider(name=spec.name, base_url=spec.url, api_key=spec.key, **numbers)
    except httpx.InvalidURL:
        trouble = f"The address of the model server {spec.name} is none. An administrator has to write it anew."
        return UnusableProvider(name=spec.name, kind=spec.kind, trouble=trouble, fault=UpstreamUnreachable)
