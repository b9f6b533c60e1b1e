"""How settings are read from the environment."""

from typing import Any

import environ


class Environment(environ.FileAwareEnv):  # type: ignore[misc]  # django-environ has no types
    """Reads settings, each from NAME or from the file that NAME_FILE names.

    What cannot be read does not stop the program at the first mistake: the default is taken, the mistake is kept in
    `unreadable` (variable -> what is wrong with it), and the system checks report all of them at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unreadable: dict[str, str] = {}

    def get_value(self, var: str, cast: Any = None, default: Any = None, parse_default: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002 - the signature is django-environ's
        # Not django-environ's own, which would follow a secret that begins with $ to a variable of that name.
        try:
            value = self.ENVIRON[var].strip()  # files end with a line feed
        except KeyError:
            return default
        except OSError as error:
            self.unreadable[var] = f"{var}_FILE names a file that cannot be read: {error.strerror}"
            return default
        if cast is None:
            return value
        if cast is bool and value.lower() not in {*self.BOOLEAN_TRUE_STRINGS, "false", "off", "n", "no", "0", ""}:
            self.unreadable[var] = f"{value!r} is neither true nor false"
            return default
        try:
            return self.parse_value(value, cast)
        except ValueError:
            self.unreadable[var] = f"{value!r} is not a number"
            return default

    def choice(self, var: str, *, choices: tuple[str, ...]) -> str:
        """Return one of the choices; the first is the default."""
        value = str(self.get_value(var, default=choices[0]))
        if value in choices:
            return value
        self.unreadable[var] = f"{value!r} is none of {', '.join(choices)}"
        return choices[0]

    def database(self, var: str, *, default: str) -> dict[str, Any]:
        """Return the database of a URL as Django wants it."""
        url = str(self.get_value(var, default=default))
        scheme = url.partition("://")[0]
        try:
            if scheme in {"postgres", "postgresql", "sqlite"}:
                return dict(self.db_url_config(url))
            self.unreadable[var] = "it does not begin with postgres:// or sqlite:///"
        except ValueError:
            self.unreadable[var] = "its parts cannot be told apart"
        return dict(self.db_url_config(default))
