"""One's own account, and the link by which somebody chooses a password."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator

from integrations import people
from integrations.views.access import actor, oneself

_REFUSED = 422


def _dressed(form: Any) -> Any:
    for field in form.fields.values():
        field.widget.attrs["class"] = "form-control"
    return form


@oneself
def account(request: HttpRequest) -> HttpResponse:
    """Show who one is here, and change one's password; other browsers are logged out by that."""
    user = actor(request)
    form = _dressed(PasswordChangeForm(user, request.POST or None))
    if request.method == "POST" and form.is_valid():
        form.save()
        people.password_chosen(user=user, now=timezone.now())
        update_session_auth_hash(request, user)
        messages.success(request, "Your new password holds from now on. Every other browser was logged out.")
        return redirect("account")
    context = {"page": "settings", "tab": "account", "form": form, "role": people.role_of(user)}
    return render(request, "integrations/account.html", context, status=_REFUSED if form.errors else 200)


@method_decorator(login_not_required, name="dispatch")
class ChoosePassword(PasswordResetConfirmView):
    """What the link opens. Django keeps its token out of the address of the form itself."""

    template_name = "integrations/choose_password.html"
    success_url = reverse_lazy("login")

    def get_form(self, form_class: Any = None) -> Any:
        return _dressed(super().get_form(form_class))

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        people.password_chosen(user=form.user, now=timezone.now())
        messages.success(self.request, "Your password is chosen: log in with it.")
        return response
