from django.contrib import admin
from django.urls import include, path

from chatserver import health
from chatserver.accounts.api import api_urlpatterns

urlpatterns = [
    path("", include("streaming.transports.urls")),
    path("", include("conversations.api.urls")),
    path("api/v1/", include(api_urlpatterns)),
    path("", include("conversations.pages")),
    path("accounts/", include("chatserver.accounts.urls")),
    path("admin/", admin.site.urls),
    path("livez", health.livez),
    path("readyz", health.readyz),
]

handler400 = "chatserver.errors.bad_request"
handler403 = "chatserver.errors.forbidden"
handler404 = "chatserver.errors.not_found"
handler500 = "chatserver.errors.server_error"
