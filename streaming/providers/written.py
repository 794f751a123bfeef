"""A question as it goes over the wire: JSON, with the pictures put in as they are. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

from msgspec.structs import replace

from streaming.protocol.codec import dumps
from streaming.protocol.errors import InvalidRequest
from streaming.providers.base import ChatRequest, PromptImage, PromptMessage

# Where a picture belongs. Nobody outside of this process knows the word, so no text can have it in it.
_WORD = uuid4().hex
_PLACE = re.compile(f"{_WORD}-([0-9]+);")


def written(request: ChatRequest, body_of: Callable[[ChatRequest], Mapping[str, Any]]) -> bytes:
    """The JSON of ``body_of(request)``. Raises InvalidRequest for what JSON has no word for, such as NaN.

    Base64 has nothing that JSON escapes: to look through ten megabytes of it for that would stop everybody's answers
    for a tenth of a second, also from another thread.
    """
    pictures: list[str] = []
    messages = tuple(_with_places(message, pictures) if message.images else message for message in request.messages)
    try:
        text = dumps(body_of(replace(request, messages=messages) if pictures else request))
    except (TypeError, ValueError) as fault:
        raise InvalidRequest("The parameters cannot be written as JSON.") from fault
    return b"".join(_filled(text, pictures)) if pictures else text.encode()


def _with_places(message: PromptMessage, pictures: list[str]) -> PromptMessage:
    places = []
    for image in message.images:
        places.append(PromptImage(type=image.type, data=f"{_WORD}-{len(pictures)};"))
        pictures.append(image.data)
    return replace(message, images=tuple(places))


def _filled(text: str, pictures: list[str]) -> Iterator[bytes]:
    """A server may have been asked without its pictures: then there is no place for them."""
    for at, piece in enumerate(_PLACE.split(text)):
        yield (pictures[int(piece)] if at % 2 else piece).encode()
