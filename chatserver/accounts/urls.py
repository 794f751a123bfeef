"""Everything under /accounts/: allauth's addresses, and the first administrator's."""

from django.urls import include, path

from chatserver.accounts.setup import setup

urlpatterns = [
    path("setup/", setup, name="account_setup"),
    path("", include("allauth.account.urls")),
]
