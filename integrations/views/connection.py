"""Settings > Integrations > Apps > Zuora."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone

from integrations import connecting, figures
from integrations.connecting import ByStep
from integrations.counting import BACKLOG, LINKS
from integrations.forms import ConnectForm, CredentialsForm, RemoveForm, SwitchesForm
from integrations.models import Connection, StiggAccount, UsageRecord
from integrations.views.access import actor, administrators, viewers
from integrations.views.overview import active_connection
from integrations.views.steps import is_watched, watched
from integrations.zuora.doctor import Step, drained
from integrations.zuora.hosts import DATA_CENTRES, ui_base
from integrations.zuora.tenant import limits_of

_REFUSED = 422


@viewers
def apps(request: HttpRequest) -> HttpResponse:
    context = {
        "connection": active_connection(),
        "stigg": StiggAccount.objects.active().exists(),
        "page": "settings",
        "tab": "apps",
    }
    return render(request, "integrations/apps.html", context)


@administrators
def zuora(request: HttpRequest) -> HttpResponseBase:
    """Show the connection, or the form that makes one."""
    connection = active_connection()
    if request.method != "POST":
        return _connected(request, connection) if connection else _unconnected(request, ConnectForm())
    form = ConnectForm(request.POST)
    if not form.is_valid():
        return _unconnected(request, form, status=_REFUSED)
    work = connecting.connect(**form.cleaned_data, actor=actor(request), now=timezone.now())
    return _by_steps(request, work, said=_made, refused=lambda steps: _unconnected(request, form, steps, _REFUSED))


def _made(connection: Connection) -> str:
    return f"Connected to tenant {connection.tenant_id}. Everything is being looked at; the overview follows it."


def _by_steps(
    request: HttpRequest,
    work: ByStep,
    *,
    said: Callable[[Connection], str],
    refused: Callable[[tuple[Step, ...]], HttpResponse],
) -> HttpResponseBase:
    """Test the tenant while somebody watches, or, without script, all at once."""
    if is_watched(request):
        return watched(work, said=said)
    try:
        connection = drained(work)
    except connecting.ConnectionRefused as refusal:
        return refused(refusal.steps)
    messages.success(request, said(connection))
    return redirect("zuora")


def _unconnected(
    request: HttpRequest, form: ConnectForm, steps: tuple[Step, ...] = (), status: int = 200
) -> HttpResponse:
    context = {"page": "settings", "tab": "apps", "form": form, "steps": steps, "data_centres": DATA_CENTRES}
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
        "tab": "apps",
        "connection": connection,
        "ui_url": ui_base(connection.rest_url),
        "switches": SwitchesForm(instance=connection),
        "credentials": credentials or CredentialsForm(initial={"client_id": connection.client_id}),
        "steps": steps or connection.findings.get("steps", []),
        "refused": bool(steps),
        "limits": limits_of(connection, now=timezone.now()),
        **_removal(connection),
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
def credentials(request: HttpRequest) -> HttpResponseBase:
    connection = active_connection()
    if request.method != "POST" or connection is None:
        return redirect("zuora")
    form = CredentialsForm(request.POST)
    if not form.is_valid():
        return _connected(request, connection, credentials=form, status=_REFUSED)
    work = connecting.change_credentials(
        connection=connection, **form.cleaned_data, actor=actor(request), now=timezone.now()
    )
    return _by_steps(
        request,
        work,
        said=lambda _: "The new credentials work, and are in use.",
        refused=lambda steps: _connected(request, connection, credentials=form, steps=steps, status=_REFUSED),
    )


@administrators
def test(request: HttpRequest) -> HttpResponseBase:
    connection = Connection.objects.active().first()
    if request.method != "POST" or connection is None:
        return redirect("zuora")
    work = connecting.examine_again(connection=connection, actor=actor(request), now=timezone.now())
    return _by_steps(
        request,
        work,
        said=lambda _: "The connection works.",
        refused=lambda steps: _connected(request, connection, steps=steps, status=_REFUSED),
    )


@administrators
def remove(request: HttpRequest) -> HttpResponse:
    """Ask, and then let go; with script the same question opens over the connection's page."""
    connection = active_connection()
    if connection is None:
        return redirect("zuora")
    asked = _removal(connection)
    form = RemoveForm(request.POST or None, expected=asked["host"])
    if request.method == "POST" and form.is_valid():
        unsent = connecting.remove(connection=connection, actor=actor(request), now=timezone.now())
        messages.success(request, f"{asked['host']} is no longer connected. Nothing was changed there.")
        if unsent:
            what = "1 usage record" if unsent == 1 else f"{unsent:,} usage records"
            messages.warning(
                request,
                f"{what} did not get there, as far as was seen: connect the same tenant again to have it found out and "
                "sent.",
            )
        return redirect("zuora")
    context = {"page": "settings", "tab": "apps", "connection": connection, **asked, "form": form}
    return render(request, "integrations/remove.html", context, status=_REFUSED if form.errors else 200)


def _removal(connection: Connection) -> dict[str, Any]:
    """Return what a removal would do, in numbers."""
    host = urlsplit(ui_base(connection.rest_url)).netloc
    found = figures.read(connection, LINKS, BACKLOG, now=timezone.now())
    return {
        "host": host,
        "form": RemoveForm(expected=host),
        "links": found[LINKS],
        "waiting": found[BACKLOG].value and found[BACKLOG].value["waiting"],
        "unsent": UsageRecord.objects.filter(connection=connection).pending().count(),
    }
