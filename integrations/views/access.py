"""Who may do what: each view stands behind one of three doors.

The roles are groups (Viewer, Operator, Administrator) that a migration makes; the doors ask for permissions, so that a
company may cut its own groups.
"""

from collections.abc import Callable

from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_http_methods, require_POST, require_safe

View = Callable[..., HttpResponseBase]

VIEW = "integrations.view_syncrecord"
OPERATE = "integrations.change_syncjob"
ADMINISTER = "integrations.change_connection"


def viewers(view: View) -> View:
    """Let everybody with a role read. Reading takes no transaction: on SQLite it would hold up the writers."""
    return transaction.non_atomic_requests(require_safe(permission_required(VIEW, raise_exception=True)(view)))


def operators(view: View) -> View:
    """Let operators and administrators do something: POST only."""
    return require_POST(permission_required((VIEW, OPERATE), raise_exception=True)(view))


def asking_operators(view: View) -> View:
    """Let operators and administrators read a question and answer it; to answer it is to do something."""
    return require_http_methods(["GET", "HEAD", "POST"])(
        permission_required((VIEW, OPERATE), raise_exception=True)(view)
    )


def administrators(view: View) -> View:
    """Let administrators read a form and send it. The view opens its own transactions: some of them ask Zuora first."""
    guarded = permission_required((VIEW, ADMINISTER), raise_exception=True)(view)
    return transaction.non_atomic_requests(require_http_methods(["GET", "HEAD", "POST"])(guarded))


def oneself(view: View) -> View:
    """Let everybody with a role read and send a form about themselves."""
    return require_http_methods(["GET", "HEAD", "POST"])(permission_required(VIEW, raise_exception=True)(view))


def actor(request: HttpRequest) -> User:
    """Return who asks. The doors let nobody in who is not logged in."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user
