"""A form of the console, as its test sends it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Form:
    """A form as somebody sends it: the least role that may, the line it leaves and a part of what is said.

    `arguments` are the address's; `prepare` makes what the form is about, and `ticked` is what is chosen of it.
    """

    role: str
    action: str
    said: str
    sent: Mapping[str, str] = field(default_factory=dict)
    arguments: Callable[[], list[object]] = list
    prepare: Callable[[], object] = lambda: None
    ticked: Callable[[], Mapping[str, object]] = dict
