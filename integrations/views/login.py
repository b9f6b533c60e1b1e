"""The way in."""

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest


class LoginForm(AuthenticationForm):
    """Django's own, dressed."""

    def __init__(self, request: HttpRequest | None = None, *args: object, **kwargs: object) -> None:
        super().__init__(request, *args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-control"


class Login(LoginView):
    template_name = "integrations/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True
