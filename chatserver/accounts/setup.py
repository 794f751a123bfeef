"""The one-time link that makes the first administrator of an empty installation, and the page it opens."""

from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import login
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from chatserver.accounts.forms import SetupForm
from chatserver.accounts.services import CodeSpent, is_open_setup_code, redeem_setup_code, replace_setup_code


def setup_link(base_url: str) -> str | None:
    """A fresh link, after which older ones are dead; None once an administrator exists. Print it, never log it."""
    code = replace_setup_code()
    if code is None:
        return None
    return f"{base_url.rstrip('/')}{reverse('account_setup')}?{urlencode({'code': code})}"


@never_cache
@sensitive_post_parameters("code", "password", "password_again")
@require_http_methods(["GET", "POST"])
def setup(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        code = request.GET.get("code", "")
        if not is_open_setup_code(code):
            return _spent(request)
        return _page(request, SetupForm(initial={"code": code}))
    form = SetupForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    try:
        user = redeem_setup_code(
            code=form.cleaned_data["code"],
            username=form.cleaned_data["username"],
            password=form.cleaned_data["password"],
            email=form.cleaned_data["email"],
        )
    except CodeSpent:
        return _spent(request)
    except ValidationError as error:
        form.add_error(None, error)
        return _page(request, form)
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return redirect("/")


def _page(request: HttpRequest, form: SetupForm) -> HttpResponse:
    return render(request, "accounts/setup.html", {"form": form})


def _spent(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/setup_spent.html", status=404)
