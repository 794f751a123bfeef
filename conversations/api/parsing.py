from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.parsers import BaseParser

from streaming.protocol.errors import BodyTooLarge
from streaming.protocol.strict_json import parse_json


class StrictJSONParser(BaseParser):
    """JSON as the protocol wants it, on every transport the same: no NaN, no infinity, shallow and bounded.

    Raises InvalidJson, BodyTooLarge.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read() if limit is None else stream.read(limit + 1)
        if limit is not None and len(raw) > limit:
            raise BodyTooLarge()
        return parse_json(raw)
