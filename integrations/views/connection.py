"""Settings > Integrations > Apps > Zuora."""

from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from integrations import connecting
from integrations.forms import ConnectForm, CredentialsForm, RemoveForm, SwitchesForm
from integrations.models import Connection, SyncJob, SyncRecord
from integrations.views.access import actor, administrators, viewers
from integrations.views.overview import active_connection
from integrations.zuora.doctor import Step
from integrations.zuora.hosts import DATA_CENTRES, ui_base

_REFUSED = 422


@viewers
def apps(request: HttpRequest) -> HttpResponse:
    return render(request, "integrations/apps.html", {"connection": active_connection(), "page": "settings"})


@administrators
def zuora(request: HttpRequest) -> HttpResponse:
    """Show the connection, or the form that makes one."""
    connection = active_connection()
    if connection:
        return _connected(request, connection)
    form = ConnectForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _unconnected(request, form, status=200 if request.method != "POST" else _REFUSED)
    try:
        made = connecting.connect(**form.cleaned_data, actor=actor(request), now=timezone.now())
    except connecting.ConnectionRefused as refusal:
        return _unconnected(request, form, steps=refusal.steps, status=_REFUSED)
    messages.success(
        request, f"Connected to tenant {made.tenant_id}. Everything is being looked at; the overview follows it."
    )
    return redirect("zuora")


def _unconnected(
    request: HttpRequest, form: ConnectForm, *, steps: tuple[Step, ...] = (), status: int = 200
) -> HttpResponse:
    context = {"page": "settings", "form": form, "steps": steps, "data_centres": DATA_CENTRES}
    return render(request, "integrations/connect.html", context, status=status)


def _connected(
    request: HttpRequest,
    connection: Connection,
    *,
    credentials: CredentialsForm | None = None,
    steps: tuple[Step, ...] = (),
    status: int = 200,
) -> HttpResponse:
    context = {
        "page": "settings",
        "connection": connection,
        "ui_url": ui_base(connection.rest_url),
        "switches": SwitchesForm(instance=connection),
        "credentials": credentials or CredentialsForm(initial={"client_id": connection.client_id}),
        "steps": steps or connection.findings.get("steps", []),
        "refused": bool(steps),
        "links": SyncRecord.objects.filter(connection=connection).exclude(zuora_id="").count(),
    }
    return render(request, "integrations/connected.html", context, status=status)


@administrators
def switches(request: HttpRequest) -> HttpResponse:
    connection = active_connection()
    form = SwitchesForm(request.POST, instance=connection)
    if request.method == "POST" and connection and form.is_valid():
        connecting.switch(connection=connection, **form.cleaned_data, actor=actor(request), now=timezone.now())
        messages.success(request, "Saved. Everything is being looked at again.")
    return redirect("zuora")


@administrators
def credentials(request: HttpRequest) -> HttpResponse:
    connection = active_connection()
    if request.method != "POST" or connection is None:
        return redirect("zuora")
    form = CredentialsForm(request.POST)
    if not form.is_valid():
        return _connected(request, connection, credentials=form, status=_REFUSED)
    try:
        connecting.change_credentials(
            connection=connection, **form.cleaned_data, actor=actor(request), now=timezone.now()
        )
    except connecting.ConnectionRefused as refusal:
        return _connected(request, connection, credentials=form, steps=refusal.steps, status=_REFUSED)
    messages.success(request, "The new credentials work, and are in use.")
    return redirect("zuora")


@administrators
def test(request: HttpRequest) -> HttpResponse:
    connection = Connection.objects.active().first()
    if request.method != "POST" or connection is None:
        return redirect("zuora")
    seen = connecting.examine_again(connection=connection, actor=actor(request), now=timezone.now())
    if not seen.ok:
        messages.error(request, "The connection does not work: see the test below.")
        return _connected(request, connection, steps=seen.steps, status=_REFUSED)
    messages.success(request, "The connection works.")
    return redirect("zuora")


@administrators
def remove(request: HttpRequest) -> HttpResponse:
    connection = active_connection()
    if connection is None:
        return redirect("zuora")
    host = urlsplit(ui_base(connection.rest_url)).netloc
    form = RemoveForm(request.POST or None, expected=host)
    if request.method == "POST" and form.is_valid():
        connecting.remove(connection=connection, actor=actor(request), now=timezone.now())
        messages.success(request, f"{host} is no longer connected. Nothing was changed there.")
        return redirect("zuora")
    context = {
        "page": "settings",
        "connection": connection,
        "form": form,
        "host": host,
        "links": SyncRecord.objects.filter(connection=connection).exclude(zuora_id="").count(),
        "waiting": SyncJob.objects.filter(connection=connection).waiting().count(),
    }
    return render(request, "integrations/remove.html", context, status=_REFUSED if form.errors else 200)
