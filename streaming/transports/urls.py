from django.urls import path

from streaming.transports import approving, documents, feed, models, runs

urlpatterns = [
    path("api/v1/events", feed.events),
    path("api/v1/models", models.models),
    path("api/v1/protocol.json", documents.protocol),
    path("api/v1/threads/<thread_id>/runs", runs.start),
    path("api/v1/runs/<run_id>", runs.one_run),
    path("api/v1/runs/<run_id>/events", runs.events),
    path("api/v1/runs/<run_id>/cancel", runs.cancel),
    path("api/v1/runs/<run_id>/approvals/<approval_id>", approving.decide),
    path("api/chat", runs.chat),
    path("api/chat/stream", runs.chat_stream),
]
