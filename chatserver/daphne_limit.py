"""Daphne's limit for messages, kept to what it is for: what comes in."""

import sys
from typing import Any


def let_whole_messages_out() -> None:
    """Send every message whole, whatever ``--websocket-max-message-size`` says. Where Daphne does not serve, nothing.

    Daphne hands that limit to Autobahn, which holds it against what is sent too: an end event or a snapshot beyond it
    would raise, the socket would close, and the client would connect and ask for the same event for ever. What comes
    in is refused as before. See docs/decisions/0020. May be called again.
    """
    daphne: Any = sys.modules.get("daphne.ws_protocol")
    if daphne is None or getattr(daphne.WebSocketProtocol.serverSend, "lets_all_out", False):
        return
    daphne.WebSocketProtocol.serverSend = unlimited(daphne.WebSocketProtocol.serverSend)


def unlimited(send: Any) -> Any:
    """``send`` of a protocol of Autobahn, without the limit for as long as it takes."""

    def send_whole(self: Any, content: str | bytes, binary: bool = False) -> None:
        # On the one thread of Twisted, which reads nothing meanwhile.
        limit, self.maxMessagePayloadSize = self.maxMessagePayloadSize, 0
        try:
            send(self, content, binary)
        finally:
            self.maxMessagePayloadSize = limit

    send_whole.lets_all_out = True  # type: ignore[attr-defined]
    return send_whole
