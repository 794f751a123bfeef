from django.urls import path

from streaming.transports.websocket import ChatSocket

websocket_urlpatterns = [path("ws/v1", ChatSocket.as_asgi())]
