from typing import Any

from allauth.account.forms import AddEmailForm as AllauthAddEmailForm
from allauth.account.forms import SignupForm as AllauthSignupForm
from allauth.account.models import EmailAddress
from allauth.core import context
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.password_validation import password_validators_help_text_html
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chatserver.accounts.adapter import invitation_of
from chatserver.accounts.models import User
from chatserver.accounts.services import CodeSpent, redeem_invitation, take_email


class SignupForm(AllauthSignupForm):
    """allauth's form, which also carries and spends the invitation where the policy asks for one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if settings.SIGNUP == "invite":
            self.fields["invitation"] = forms.CharField(
                widget=forms.HiddenInput, initial=invitation_of(context.request), max_length=200
            )

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        """An e-mail address that another account has is not kept, and the answer is the same, so that sign-up tells no
        stranger whose addresses are known.
        """
        try:
            with transaction.atomic():
                email = self.cleaned_data.get("email")
                if email and not take_email(email):
                    self.cleaned_data["email"] = ""
                user, response = super().try_save(request)
                if user is not None and settings.SIGNUP == "invite":
                    redeem_invitation(code=self.cleaned_data["invitation"], user=user)
                return user, response
        except (IntegrityError, CodeSpent):
            # Somebody else took the name or the invitation a moment ago; the page knows by now, and says so.
            messages.error(request, gettext("This name or invitation has just been taken. Please try again."))
            return None, redirect(request.get_full_path())


class AddEmailForm(AllauthAddEmailForm):
    def save(self, request: HttpRequest) -> EmailAddress:
        """An address that another account has, verified or not, is not kept, as at sign-up. (Of two who add a new one
        at the same moment both may; whoever verifies it gets it.)
        """
        with transaction.atomic():
            free = take_email(self.cleaned_data["email"])
        if free:  # outside the transaction: this sends mail
            address: EmailAddress = super().save(request)
            return address
        assert isinstance(self.user, User)
        return EmailAddress(user=self.user, email=self.cleaned_data["email"])


class SetupForm(forms.Form):
    """The first administrator's account. The rules of names and passwords stand in services.create_user."""

    code = forms.CharField(widget=forms.HiddenInput, max_length=200)
    username = forms.CharField(
        label=_("Username"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "username"})
    )
    email = forms.EmailField(
        label=_("Email (optional)"), required=False, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        help_text=password_validators_help_text_html(),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    password_again = forms.CharField(
        label=_("Password (again)"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if "password_again" in values and values.get("password") != values["password_again"]:
            self.add_error("password_again", gettext("You must type the same password each time."))
        return values
