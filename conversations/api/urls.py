from django.urls import path

from conversations.api.access import AccessRecords
from conversations.api.search import Search
from conversations.api.threads import Messages, OneMessage, Restored, Threads, one_thread

urlpatterns = [
    path("api/v1/threads", Threads.as_view()),
    path("api/v1/threads/<thread_id>", one_thread),
    path("api/v1/threads/<thread_id>/restore", Restored.as_view()),
    path("api/v1/threads/<thread_id>/messages", Messages.as_view()),
    path("api/v1/threads/<thread_id>/messages/<message_id>", OneMessage.as_view()),
    path("api/v1/search", Search.as_view()),
    path("api/v1/access-records", AccessRecords.as_view()),
]
