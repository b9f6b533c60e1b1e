"""Settings > API keys: made, shown once, revoked."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from integrations import api_keys as keys
from integrations.forms import ApiKeyForm
from integrations.models import ApiKey, Scope
from integrations.operating import Impossible
from integrations.views.access import actor, administrators
from integrations.views.paging import edges_of, page_of

PAGE_SIZE = 50
_REFUSED = 422


@administrators
@never_cache
def api_keys(request: HttpRequest) -> HttpResponse:
    """List the keys, and make one: the answer to the form is the only page that holds its token."""
    form = ApiKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        name, scope = form.cleaned_data["name"], Scope(form.cleaned_data["scope"])
        key, token = keys.create(name=name, scope=scope, actor=actor(request), now=timezone.now())
        messages.success(request, f"{key.name} can be used from now on.")
        context = {"page": "settings", "tab": "keys", "key": key, "token": token}
        return render(request, "integrations/api_key_made.html", context)
    found = ApiKey.objects.select_related("created_by")
    context = {
        "page": "settings",
        "tab": "keys",
        "form": form,
        "slice": page_of(found, key="-pk", **edges_of(request), size=PAGE_SIZE),
    }
    return render(request, "integrations/api_keys.html", context, status=_REFUSED if form.errors else 200)


@administrators
def api_key_revoke(request: HttpRequest, key_id: int) -> HttpResponse:
    """Ask, and then revoke."""
    key = get_object_or_404(ApiKey, pk=key_id)
    if request.method != "POST":
        return render(request, "integrations/api_key_revoke.html", {"page": "settings", "tab": "keys", "key": key})
    try:
        keys.revoke(key=key, actor=actor(request), now=timezone.now())
    except Impossible as answer:
        messages.info(request, str(answer))
    else:
        messages.success(request, f"{key.name} is revoked: nobody gets in by it any more.")
    return redirect("api_keys")
