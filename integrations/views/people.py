"""Settings > People: who has an account, and what they may do."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.views.decorators.cache import never_cache

from integrations import people as verbs
from integrations.forms import InviteForm, RoleForm
from integrations.operating import Impossible
from integrations.people import Role, role_of
from integrations.views.access import actor, administrators
from integrations.views.paging import page_of

PAGE_SIZE = 50
_REFUSED = 422


@administrators
@never_cache
def people(request: HttpRequest) -> HttpResponse:
    """List everybody, and invite somebody: the answer to the form is the only page that holds the link."""
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = verbs.invite(**form.cleaned_data, actor=actor(request), now=timezone.now())
        messages.success(request, f"{user} is invited.")
        return _link(request, user)
    users = User.objects.prefetch_related("groups")
    page = page_of(
        users,
        key="username",
        after=request.GET.get("after", ""),
        before=request.GET.get("before", ""),
        size=PAGE_SIZE,
    )
    context = {
        "page": "settings",
        "tab": "people",
        "form": form,
        "slice": page,
        "rows": [(user, role_of(user)) for user in page.rows],
    }
    return render(request, "integrations/people.html", context, status=_REFUSED if form.errors else 200)


@administrators
def person(request: HttpRequest, user_id: int) -> HttpResponse:
    """Show one of them, and change their role."""
    user = get_object_or_404(User.objects.prefetch_related("groups"), pk=user_id)
    form = RoleForm(request.POST or None, initial={"role": role_of(user)})
    if request.method == "POST" and form.is_valid():
        role = Role(form.cleaned_data["role"])
        verb = lambda **who: verbs.change_role(**who, role=role)  # noqa: E731 - the same verb with one more word
        return _do(request, user, verb, f"{user} is {role.name.lower()} from the next click on.")
    context = {"page": "settings", "tab": "people", "person": user, "role": role_of(user), "form": form}
    return render(request, "integrations/person.html", context, status=_REFUSED if form.errors else 200)


@administrators
def person_deactivate(request: HttpRequest, user_id: int) -> HttpResponse:
    user = get_object_or_404(User, pk=user_id)
    return _do(request, user, verbs.deactivate, f"{user} is deactivated, and logged out.")


@administrators
def person_activate(request: HttpRequest, user_id: int) -> HttpResponse:
    user = get_object_or_404(User, pk=user_id)
    return _do(request, user, verbs.activate, f"{user} can log in again.")


@administrators
@never_cache
def person_link(request: HttpRequest, user_id: int) -> HttpResponse:
    """Make a link by which they choose a new password; the old one ends."""
    user = get_object_or_404(User, pk=user_id)
    if request.method != "POST":
        return redirect("person", user_id)
    try:
        user = verbs.forget_password(user=user, actor=actor(request), now=timezone.now())
    except Impossible as answer:
        messages.error(request, str(answer))
        return redirect("person", user_id)
    messages.success(request, f"The old password of {user} has ended.")
    return _link(request, user)


def _do(request: HttpRequest, user: User, verb: Callable[..., Any], said: str) -> HttpResponse:
    if request.method == "POST":
        try:
            verb(user=user, actor=actor(request), now=timezone.now())
        except Impossible as answer:
            messages.error(request, str(answer))
        else:
            messages.success(request, said)
    return redirect("person", user.pk)


def _link(request: HttpRequest, user: User) -> HttpResponse:
    # Django's own token: it ends with the first use, with another password and after PASSWORD_RESET_TIMEOUT.
    parts = [urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)]
    link = request.build_absolute_uri(reverse("choose_password", args=parts))
    context = {"page": "settings", "tab": "people", "person": user, "link": link}
    return render(request, "integrations/person_link.html", context)
