"""Composes the ASGI application: one engine a process, HTTP and WebSocket, limits in front of everything."""

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.sessions import CookieMiddleware
from django.conf import settings
from django.urls import re_path

from chatserver.edge import BodyLimit, CutShort, HeadLimit, WriteTimeout, no_such_socket
from chatserver.handler import Handler
from chatserver.lifetime import Lifetime
from chatserver.threads import OwnThreads
from streaming.transports.attachments import ADDRESS, AROUND_A_FILE
from streaming.transports.routing import websocket_urlpatterns

_django = WriteTimeout(Handler(), seconds=settings.WRITE_TIMEOUT)
_larger = {ADDRESS: max(settings.MAX_BODY, settings.MAX_ATTACHMENT + AROUND_A_FILE)}
_http = CutShort(BodyLimit(_django, most=settings.MAX_BODY, larger=_larger))
_everything_else = re_path("", no_such_socket)  # type: ignore[arg-type]  # an ASGI application, as URLRouter takes
_websocket = CookieMiddleware(URLRouter([*websocket_urlpatterns, _everything_else]))

_either = HeadLimit(ProtocolTypeRouter({"http": _http, "websocket": _websocket}))

application = Lifetime(OwnThreads(_either))
