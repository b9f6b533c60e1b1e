"""What people fill in."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth.models import User

from integrations.models import ApiKey, Connection
from integrations.people import Role

_TEXT = {"class": "form-control", "autocomplete": "off", "spellcheck": "false"}
_SWITCH = {"class": "form-check-input", "role": "switch"}


def _client_id() -> forms.CharField:
    return forms.CharField(label="Client ID", max_length=255, widget=forms.TextInput(_TEXT))


def _client_secret() -> forms.CharField:
    return forms.CharField(
        label="Client secret",
        max_length=1000,
        widget=forms.PasswordInput({**_TEXT, "autocomplete": "new-password"}),
        help_text="Stored encrypted, and never shown again.",
    )


def _hook_secret() -> forms.CharField:
    return forms.CharField(
        label="Webhook secret",
        max_length=1000,
        required=False,
        widget=forms.PasswordInput({**_TEXT, "autocomplete": "new-password"}),
        help_text="Stigg shows it when the webhook is made there. Without it nothing is taken from a webhook.",
    )


def _time_zone() -> forms.ChoiceField:
    # No API of Zuora's tells it, and dates are meant in it.
    return forms.ChoiceField(
        label="Tenant time zone",
        choices=lambda: [(name, name) for name in sorted(available_timezones())],
        initial="UTC",
        widget=forms.Select({"class": "form-select"}),
        help_text=(
            "As Zuora shows it at Administration > Manage Tenant Profile. It decides on which day something begins or "
            "ends there."
        ),
    )


class ConnectForm(forms.Form):
    """The tenant and the switches; a refused form comes back with everything but the secret."""

    tenant_url = forms.CharField(
        label="Tenant URL",
        max_length=255,
        widget=forms.TextInput(
            {**_TEXT, "list": "data-centres", "inputmode": "url", "placeholder": "https://na.zuora.com"}
        ),
        help_text="The address at which you open Zuora, or its REST host. The list holds Zuora's data centres.",
    )
    client_id = _client_id()
    client_secret = _client_secret()
    time_zone = _time_zone()
    sync_customers = forms.BooleanField(
        label="Sync customers", required=False, initial=True, widget=forms.CheckboxInput(_SWITCH)
    )
    sync_subscriptions = forms.BooleanField(
        label="Sync subscriptions", required=False, initial=True, widget=forms.CheckboxInput(_SWITCH)
    )


class CredentialsForm(forms.Form):
    """Another OAuth client of the same tenant."""

    client_id = _client_id()
    client_secret = _client_secret()


class SwitchesForm(forms.ModelForm[Connection]):
    time_zone = _time_zone()

    class Meta:
        model = Connection
        fields = ["sync_customers", "sync_subscriptions", "time_zone"]
        widgets = {"sync_customers": forms.CheckboxInput(_SWITCH), "sync_subscriptions": forms.CheckboxInput(_SWITCH)}


class RemoveForm(forms.Form):
    """Asks for the tenant's host, so that nobody removes a connection by a slip."""

    host = forms.CharField(label="Tenant host", max_length=255, widget=forms.TextInput(_TEXT))

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected

    def clean_host(self) -> str:
        host = str(self.cleaned_data["host"]).strip()
        if host != self.expected:
            raise forms.ValidationError(f"Type {self.expected} to confirm.")
        return host


class DismissForm(forms.Form):
    reason = forms.CharField(label="Why nothing needs to be done", max_length=500, widget=forms.TextInput(_TEXT))


class ApiKeyForm(forms.ModelForm[ApiKey]):
    class Meta:
        model = ApiKey
        fields = ["name", "scope"]
        widgets = {"name": forms.TextInput(_TEXT), "scope": forms.Select({"class": "form-select"})}

    def clean_name(self) -> str:
        """Refuse a second key of the same name: whoever loads the page of a new key again would make one unseen."""
        name: str = self.cleaned_data["name"]
        if ApiKey.objects.usable().filter(name=name).exists():
            raise forms.ValidationError("A key of this name is in use: revoke it, or give another name.")
        return name


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices, widget=forms.Select({"class": "form-select"}))


class InviteForm(forms.ModelForm[User]):
    """Somebody who gets an account; they choose their password themselves."""

    role = forms.TypedChoiceField(
        choices=Role.choices, coerce=Role, initial=Role.VIEWER, widget=forms.Select({"class": "form-select"})
    )

    class Meta:
        model = User
        fields = ["username", "email"]
        widgets = {"username": forms.TextInput(_TEXT), "email": forms.EmailInput(_TEXT)}
        help_texts = {"username": "Letters, digits and @ . + - _"}


class StiggForm(forms.Form):
    """A Stigg environment that is to be read."""

    base_url = forms.CharField(
        label="API address",
        max_length=255,
        initial="https://api.stigg.io",
        widget=forms.TextInput({**_TEXT, "inputmode": "url"}),
        help_text="Stigg's own, unless you import from another deployment of this program.",
    )
    api_key = forms.CharField(
        label="API key",
        max_length=1000,
        widget=forms.PasswordInput({**_TEXT, "autocomplete": "new-password"}),
        help_text="A server key of the environment with read access. Stored encrypted, and never shown again.",
    )
    hook_secret = _hook_secret()


class StiggSecretForm(forms.Form):
    """The secret by which Stigg proves itself to our webhook."""

    hook_secret = _hook_secret()
