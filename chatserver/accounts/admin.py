"""Accounts in the administration. Secrets are never shown: digests have no field, new links and tokens appear once."""

from typing import Any
from urllib.parse import urlencode

from allauth.account.admin import EmailAddressAdmin
from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.sites import AdminSite
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chatserver.accounts.models import ApiToken, Invitation, User
from chatserver.accounts.names import clean_name
from chatserver.accounts.secrets import digest, new_code
from chatserver.accounts.services import INVITATION_KEPT, revoke_token
from chatserver.gates import Denied, refused


def _is_staff(request: HttpRequest) -> bool:
    allowed = AdminSite.has_permission(admin.site, request)
    if not allowed:
        refused("staff" if request.user.is_authenticated else "sign_in", user=request.user.pk, path=request.path)
    return allowed


def _entrance(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Django's own sign-in page knows no rate limits; allauth's does."""
    if request.user.is_authenticated and not admin.site.has_permission(request):
        raise Denied
    response: HttpResponse = _sign_in(request, extra_context)
    return response


_sign_in = secure_admin_login(admin.site.login)  # type: ignore[no-untyped-call]
admin.site.login = _entrance  # type: ignore[method-assign]
admin.site.has_permission = _is_staff  # type: ignore[method-assign]


_RANK = ["is_staff", "is_superuser", "groups", "user_permissions"]


def _is_top(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


class OfAdministrators(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable when it runs
    """Who could change this could make oneself an administrator; so only those may who are."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_top(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_top(request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_top(request) and super().has_delete_permission(request, obj)


@admin.register(User)
class AccountAdmin(UserAdmin):  # type: ignore[type-arg]
    """One of the staff who may change people changes neither ranks nor those of the staff: a new password or address of
    theirs would be a way to their rights.
    """

    list_display = ["username", "email", "is_active", "is_staff", "is_superuser", "last_login", "date_joined"]
    readonly_fields = ["last_login", "date_joined"]
    ordering = ["username"]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        fields = [*super().get_readonly_fields(request, obj)]
        return fields if _is_top(request) else [*fields, *_RANK]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return _may_touch(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return _may_touch(request, obj) and super().has_delete_permission(request, obj)


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    return user is None or _is_top(request) or not user.is_staff


class AddressAdmin(OfAdministrators, EmailAddressAdmin):
    @admin.action(description=_("Mark the chosen addresses as verified"), permissions=["change"])
    def make_verified(self, request: HttpRequest, queryset: QuerySet[EmailAddress]) -> None:
        """allauth offers it to whoever may look; but whoever verifies an address gives an account away."""
        super().make_verified(request, queryset)


class RolesAdmin(OfAdministrators, GroupAdmin):
    pass


admin.site.unregister([EmailAddress, Group, UserSession])  # a session is its person's alone
admin.site.register(EmailAddress, AddressAdmin)
admin.site.register(Group, RolesAdmin)


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "user", "prefix", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_select_related = ["user"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    search_fields = ["name", "prefix", "user__username"]
    fields = list_display
    readonly_fields = list_display
    actions = ["revoke"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # its text would have to be shown; people make their own, or create_token does

    def has_delete_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False  # revoked tokens stay as the record of what had access

    @admin.action(description=_("Revoke the chosen tokens"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        revoked = sum(revoke_token(token) for token in queryset)
        self.message_user(request, gettext("Tokens revoked: %(count)s.") % {"count": revoked}, messages.SUCCESS)


@admin.register(Invitation)
class InvitationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["__str__", "created_by", "created_at", "expires_at", "used_by", "used_at"]
    list_select_related = ["created_by", "used_by"]
    fields = ["note", "expires_at"]
    search_fields = ["note", "used_by__username"]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"expires_at": timezone.now() + INVITATION_KEPT}

    def has_change_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        code = new_code()
        obj.digest, obj.note, obj.created_by_id = digest(code), clean_name(obj.note), request.user.pk
        super().save_model(request, obj, form, change)
        link = f"{request.build_absolute_uri(reverse('account_signup'))}?{urlencode({'invitation': code})}"
        self.message_user(request, gettext("The link, shown only now: %(link)s") % {"link": link}, messages.SUCCESS)
        if settings.SIGNUP == "closed":
            self.message_user(request, _("Sign-up is closed: set SIGNUP=invite for links to work."), messages.WARNING)
