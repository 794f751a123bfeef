from django.urls import include, path

from chatserver.accounts.api import api_urlpatterns

urlpatterns = [path("api/v1/", include(api_urlpatterns))]
