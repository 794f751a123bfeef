"""Model servers in the administration: those of the settings as they are, those of the database to be added, changed
and tried by administrators. A key goes in here and never comes out.
"""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from chatserver.model_servers import ModelServerSpec
from conversations import selectors, wire
from conversations.admin.model_server_forms import AliasForm, ServerForm
from conversations.admin.read_only import ReadOnlyAdmin
from conversations.models import ModelAlias, ModelServer
from conversations.ports import ports

NO_LIMIT = _("no limit")
_TRY = "_try"
_CONFIGURED = ["kind", "url", "key", "without_key", "max_parallel", "enabled", "audience", "groups"]
_STATE = ["running", "waiting"]


def _is_top(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


class OfAdministrators(ReadOnlyAdmin):
    """Whoever could change where questions go could read them all; so only those may who may do everything."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_top(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_top(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_top(request)


@admin.register(ModelServer)
class ModelServerAdmin(OfAdministrators):
    """Of the staff, whoever may change model servers changes how many runs one may have at once, and nothing else."""

    list_display = ["name", "kind", "source", "for_whom", "state", "at_once", "running", "waiting"]
    ordering = ["name"]
    actions = ["try_connection"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What the settings name would be there again a minute later."""
        return _is_top(request) and (obj is None or obj.managed or not _is_named(obj.name))

    def has_try_permission(self, request: HttpRequest) -> bool:
        return _is_top(request)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Servers are deleted one by one: some may not be."""
        return {name: each for name, each in super().get_actions(request).items() if name != "delete_selected"}

    def get_fields(self, request: HttpRequest, obj: ModelServer | None = None) -> Any:
        if obj is None:
            return ["name", *(field for field in _CONFIGURED if field != "without_key")]
        if _may_configure(request, obj):
            unsaid = [] if obj.encrypted_key else ["without_key"]
            return ["name", *(field for field in _CONFIGURED if field not in unsaid), "state", "last_error", *_STATE]
        # Where it is, and what it said, in which that may stand, is for administrators.
        where, said = (["address"], ["last_error"]) if _is_top(request) else ([], [])
        return ["name", "kind", "source", *where, "for_whom", "max_parallel", "state", *said, *_STATE]

    def get_readonly_fields(self, request: HttpRequest, obj: ModelServer | None = None) -> Any:
        if obj is None:
            return []
        if _may_configure(request, obj):
            return ["name", "state", "last_error", *_STATE]
        bound = [] if _bound(obj.name) is None else ["max_parallel"]
        return ["name", "kind", "source", "address", "for_whom", *bound, "state", "last_error", *_STATE]

    def get_form(
        self, request: HttpRequest, obj: ModelServer | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = ServerForm if obj is None or _may_configure(request, obj) else ModelForm
        return super().get_form(request, obj, change, form=form, **kwargs)

    @method_decorator(sensitive_post_parameters("key"))
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {"may_try": _is_top(request), **(extra_context or {})}
        response: HttpResponse = super().changeform_view(request, object_id, form_url, context)
        # Only now, that what was saved is committed: the server is asked as it is kept, and nobody waits for us.
        if saved := getattr(request, "saved_to_try", ""):
            self._try(request, saved)
        return response

    def response_add(
        self, request: HttpRequest, obj: ModelServer, post_url_continue: str | None = None
    ) -> HttpResponse:
        return super().response_add(_to_be_tried(request, obj), obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: ModelServer) -> HttpResponse:
        return super().response_change(_to_be_tried(request, obj), obj)

    def save_model(self, request: HttpRequest, obj: ModelServer, form: Any, change: bool) -> None:
        if not change:
            obj.managed = True
            obj.save()
        elif _may_configure(request, obj):
            # Not how it does, which somebody else may just have written.
            columns = ["kind", "url", "encrypted_key", "max_parallel", "enabled", "audience", "updated_at"]
            obj.save(update_fields=columns)
        else:
            obj.save(update_fields=["max_parallel", "updated_at"])

    @admin.action(description=_("Test the connection"), permissions=["try"])
    def try_connection(self, request: HttpRequest, queryset: QuerySet[ModelServer]) -> None:
        for name in queryset.order_by("name").values_list("name", flat=True)[:20]:
            self._try(request, name)

    def _try(self, request: HttpRequest, name: str) -> None:
        tried = ports.try_model_server(name)
        self.message_user(request, tried.message, messages.SUCCESS if tried.ok else messages.ERROR)

    @admin.display(description=_("configured in"))
    def source(self, server: ModelServer) -> str:
        if server.name == "demo":
            return gettext("built in")
        if _is_named(server.name):
            return gettext("the settings")
        return gettext("the administration") if server.managed else gettext("nowhere any more")

    @admin.display(description=_("address"))
    def address(self, server: ModelServer) -> str:
        spec = _spec(server.name)
        return "" if spec is None else _without_password(spec.url)

    @admin.display(description=_("who may use it"))
    def for_whom(self, server: ModelServer) -> str:
        spec = _spec(server.name)
        whom = server.audience if spec is None else spec.audience.whom
        if whom != "groups":
            return str(ModelServer.Audience(whom).label)
        groups = server.groups.values_list("name", flat=True) if spec is None else spec.audience.groups
        return gettext("groups: %(names)s") % {"names": ", ".join(sorted(groups)) or gettext("none")}

    @admin.display(description=_("health"))
    def state(self, server: ModelServer) -> str:
        if server.managed and not server.enabled:
            return gettext("switched off")
        health = server.health
        if "ok" not in health:
            return gettext("not asked yet")
        values = {"time": _shown(health["since"]), "message": health.get("message")}
        return (
            gettext("well since %(time)s") if health["ok"] else gettext("down since %(time)s: %(message)s")
        ) % values

    @admin.display(description=_("last error"))
    def last_error(self, server: ModelServer) -> str:
        health = server.health
        if "last_error" not in health:
            return gettext("none")
        return f"{_shown(health['last_error_at'])}: {health['last_error']}"

    @admin.display(description=_("runs at once"))
    def at_once(self, server: ModelServer) -> str:
        if server.max_parallel is None:
            return f"{settings.MAX_PARALLEL or NO_LIMIT} (MAX_PARALLEL)"
        return str(server.max_parallel or NO_LIMIT)

    @admin.display(description=_("at work now"))
    def running(self, server: ModelServer) -> int:
        return selectors.held_at([server.name]).count()

    @admin.display(description=_("waiting in line"))
    def waiting(self, server: ModelServer) -> int:
        return sum(load.waiting for load in selectors.loads() if load.server == server.name)


@admin.register(ModelAlias)
class ModelAliasAdmin(OfAdministrators):
    list_display = ["name", "target"]
    ordering = ["name"]
    fields = ["name", "target"]
    form = AliasForm


def _may_configure(request: HttpRequest, server: ModelServer) -> bool:
    return _is_top(request) and server.managed and not _is_named(server.name)


def _spec(name: str) -> ModelServerSpec | None:
    """What the settings say of a server."""
    return next((spec for spec in settings.MODEL_SERVERS.servers if spec.name == name), None)


def _bound(name: str) -> int | None:
    spec = _spec(name)
    return None if spec is None else spec.max_parallel


def _shown(time: str) -> str:
    at = wire.moment(time)
    return "" if at is None else date_format(localtime(at), "Y-m-d H:i")


def _is_named(name: str) -> bool:
    return name == "demo" or _spec(name) is not None


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _to_be_tried(request: Any, server: ModelServer) -> Any:
    """Where the button for it was pressed, the page is shown again, with what came of it."""
    if _TRY in request.POST and _is_top(request):
        request.POST = request.POST.copy()
        request.POST["_continue"] = "1"
        request.saved_to_try = server.name
    return request
