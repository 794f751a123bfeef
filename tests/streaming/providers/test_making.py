"""A provider is made of whatever is configured, also of what cannot be asked."""

import pytest

from chatserver.model_servers import KINDS, ModelServerSpec
from streaming.protocol.errors import UpstreamKey, UpstreamUnreachable
from streaming.providers.making import provider_of


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("url", ["http://10.0.0.500:11434", "http://☃.example", "http://[v1.x]"])
async def test_an_address_that_is_none_is_told_and_keeps_nobody_else_away(kind: str, url: str) -> None:
    provider = provider_of(ModelServerSpec(name="office", kind=kind, url=url))
    with pytest.raises(UpstreamUnreachable, match="The address of the model server office is none"):
        await provider.models()


async def test_what_is_wrong_with_a_key_is_told() -> None:
    spec = ModelServerSpec(name="office", kind="openai", url="http://host/v1", trouble="Its key does not open.")
    with pytest.raises(UpstreamKey, match="does not open"):
        await provider_of(spec).models()
