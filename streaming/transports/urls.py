from django.urls import path

from streaming.transports import approving, attachments, documents, feed, model_keeping, model_pulls, models, runs

urlpatterns = [
    path("api/v1/events", feed.events),
    path("api/v1/models", models.models),
    path("api/v1/models/load", model_keeping.load),
    path("api/v1/models/unload", model_keeping.unload),
    path("api/v1/models/<path:name>", model_keeping.delete),
    path("api/v1/model-pulls", model_pulls.pulls),
    path("api/v1/model-pulls/<pull_id>", model_pulls.one_pull),
    path("api/v1/model-pulls/<pull_id>/cancel", model_pulls.cancel),
    path("api/v1/model-pulls/<pull_id>/events", model_pulls.events),
    path("api/v1/protocol.json", documents.protocol),
    path("api/v1/threads/<thread_id>/runs", runs.start),
    path("api/v1/runs/<run_id>", runs.one_run),
    path("api/v1/runs/<run_id>/events", runs.events),
    path("api/v1/runs/<run_id>/cancel", runs.cancel),
    path("api/v1/runs/<run_id>/approvals/<approval_id>", approving.decide),
    path("api/v1/attachments", attachments.upload),
    path("api/v1/attachments/<attachment_id>", attachments.one),
    path("api/v1/attachments/<attachment_id>/content", attachments.content),
    path("api/chat", runs.chat),
    path("api/chat/stream", runs.chat_stream),
]
