"""Settings > Integrations > Apps > Stigg: import an environment, and keep it fresh by webhooks."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone

from integrations import stigg_connecting as connecting
from integrations.forms import StiggForm, StiggSecretForm
from integrations.models import Operation, StiggAccount, StiggEvent, StiggEventState
from integrations.operating import Impossible
from integrations.stigg.importing import IMPORT
from integrations.views.access import actor, administrators
from integrations.views.paging import edges_of, page_of

PAGE_SIZE = 50
_IMPORTS_SHOWN = 5
_REFUSED = 422


@administrators
def stigg(request: HttpRequest) -> HttpResponse:
    """Show the account with its imports and events, or the form that connects one."""
    account = _account()
    if account is not None:
        return _connected(request, account)
    form = StiggForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            connecting.connect(**form.cleaned_data, actor=actor(request), now=timezone.now())
        except Impossible as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, "Stigg is connected. See what an import would change, or import now.")
            return redirect("stigg")
    context = {"page": "settings", "tab": "apps", "form": form}
    return render(request, "integrations/stigg_connect.html", context, status=_REFUSED if form.errors else 200)


def _account() -> StiggAccount | None:
    return StiggAccount.objects.active().defer("api_key", "hook_secret").first()


def _connected(request: HttpRequest, account: StiggAccount) -> HttpResponse:
    state = request.GET.get("state", "")
    events = StiggEvent.objects.filter(account=account).defer("body")
    if state in StiggEventState.values:
        events = events.filter(state=state)
    context = {
        "page": "settings",
        "tab": "apps",
        "account": account,
        "has_secret": StiggAccount.objects.filter(pk=account.pk).exclude(hook_secret="").exists(),
        "hook_url": settings.PUBLIC_URL.rstrip("/") + reverse("stigg_webhook", args=[account.hook_path]),
        "secret": StiggSecretForm(),
        "imports": Operation.objects.filter(kind=IMPORT)[:_IMPORTS_SHOWN],
        "slice": page_of(events, key="-pk", **edges_of(request), size=PAGE_SIZE),
        "states": StiggEventState.choices,
        "state": state,
    }
    return render(request, "integrations/stigg.html", context)


@administrators
def stigg_import(request: HttpRequest) -> HttpResponse:
    """Begin an import, or what an import would change."""
    if request.method != "POST":
        return redirect("stigg")
    dry_run = request.POST.get("dry_run") == "1"
    try:
        connecting.begin_import(dry_run=dry_run, actor=actor(request), now=timezone.now())
    except Impossible as refused:
        messages.error(request, str(refused))
    else:
        what = "It is being found out what an import would change." if dry_run else "The import runs."
        messages.success(request, f"{what} Its progress and its report are below, and at Background work.")
    return redirect("stigg")


@administrators
def stigg_secret(request: HttpRequest) -> HttpResponse:
    """Take another webhook secret."""
    account = StiggAccount.objects.active().first()
    form = StiggSecretForm(request.POST)
    if request.method == "POST" and account is not None and form.is_valid():
        connecting.change_secret(account=account, **form.cleaned_data, actor=actor(request), now=timezone.now())
        messages.success(request, "The webhook secret is saved.")
    return redirect("stigg")


@administrators
def stigg_remove(request: HttpRequest) -> HttpResponse:
    """Ask, and then let go of the account."""
    account = StiggAccount.objects.active().first()
    if account is None:
        return redirect("stigg")
    if request.method != "POST":
        return render(
            request, "integrations/stigg_remove.html", {"page": "settings", "tab": "apps", "account": account}
        )
    connecting.remove(account=account, actor=actor(request), now=timezone.now())
    messages.success(request, "Stigg is no longer connected. What was imported stays.")
    return redirect("apps")


@administrators
def stigg_replay(request: HttpRequest, event_id: int) -> HttpResponse:
    """Do once more what an event asks for."""
    if request.method == "POST":
        event = get_object_or_404(StiggEvent, pk=event_id, account__removed_at=None)
        connecting.replay(event=event, actor=actor(request), now=timezone.now())
        messages.success(request, f"{event} is looked at again.")
    return redirect("stigg")
