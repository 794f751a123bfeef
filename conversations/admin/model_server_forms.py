"""The forms of model servers and aliases. Each refusal is a sentence with the remedy, and no key stands in it."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chatserver.model_servers import (
    KINDS,
    NAME_RULE,
    checked_alias,
    checked_key,
    checked_name,
    checked_target,
    checked_url,
    origin_of,
)
from chatserver.redaction import conceal
from chatserver.sealing import CannotSeal
from conversations.keys import seal_key
from conversations.models import ModelAlias, ModelServer

KEEP = _(
    "Leave it empty to keep the key that is there. It is never shown, and sent to the origin above and nowhere else."
)
NONE_YET = _("Sent as “Authorization: Bearer …” to the origin above and nowhere else. It is never shown again.")
SHOWN_AS = {"ollama": "Ollama", "openai": "OpenAI-compatible"}


class ServerForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable when it runs
    kind = forms.ChoiceField(choices=[(kind, SHOWN_AS[kind]) for kind in KINDS])
    url = forms.CharField(
        label=_("Address"),
        help_text=_(
            "Such as http://10.0.0.5:11434 for Ollama, or what /chat/completions is added to: "
            "https://host.example/v1. With another scheme, host or port the key has to be typed again."
        ),
        widget=forms.TextInput(attrs={"class": "vTextField", "spellcheck": "false"}),
    )
    key = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"class": "vTextField", "autocomplete": "new-password"}),
        help_text=NONE_YET,
    )
    without_key = forms.BooleanField(required=False, label=_("Forget the key"))

    class Meta:
        model = ModelServer
        fields = ["name", "kind", "url", "max_parallel", "enabled", "audience", "groups"]
        widgets = {"groups": forms.CheckboxSelectMultiple}
        error_messages = {"name": {"invalid": NAME_RULE}}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._before = self.instance.url if self.instance.encrypted_key else ""
        if self._before:
            self.fields["key"].help_text = KEEP

    def clean_name(self) -> str:
        name = _checked(checked_name, self.cleaned_data["name"])
        if any(spec.name == name for spec in settings.MODEL_SERVERS.servers):
            raise ValidationError(_("The settings name a server like that; choose another name."))
        return name

    def clean_url(self) -> str:
        return _checked(checked_url, self.cleaned_data["url"])

    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        conceal(key.strip())
        return _checked(checked_key, key) if key else ""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        key, url = cleaned.get("key", ""), cleaned.get("url", "")
        if key and cleaned.get("without_key"):
            self.add_error("without_key", _("A key is typed above; leave one of the two."))
        if self._before and url and not key and not cleaned.get("without_key"):
            kept_for = origin_of(self._before)
            if origin_of(url) != kept_for and "key" not in self.errors:
                self.add_error(
                    "key",
                    gettext("The key is kept for %(origin)s only; for another origin type it again.")
                    % {"origin": kept_for},
                )
        if cleaned.get("audience") == ModelServer.Audience.GROUPS and not cleaned.get("groups"):
            self.add_error("groups", _("Choose the groups that may use it, or somebody else above."))
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # what puts the values into the instance
        if self.errors:
            return
        if self.cleaned_data.get("without_key"):
            self.instance.encrypted_key = None
        if key := self.cleaned_data.get("key"):
            try:
                seal_key(self.instance, key)
            except CannotSeal as why:
                self.add_error("key", str(why))


class AliasForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = ModelAlias
        fields = ["name", "target"]

    def clean_name(self) -> str:
        name = _checked(checked_alias, self.cleaned_data["name"].strip())
        if name in settings.MODEL_SERVERS.aliases:
            raise ValidationError(_("The file of PROVIDERS says what this one means; change it there."))
        return name

    def clean_target(self) -> str:
        target = _checked(checked_target, self.cleaned_data["target"])
        known = set(ModelAlias.objects.values_list("name", flat=True)) | set(settings.MODEL_SERVERS.aliases)
        if target in known or target == self.cleaned_data.get("name"):
            raise ValidationError(_("This is an alias itself; name the model."))
        return target


def _checked(check: Callable[[str], str], value: str) -> str:
    try:
        return check(value)
    except ValueError as why:
        raise ValidationError(str(why)) from None
