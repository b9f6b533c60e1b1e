"""A test of the tenant that is watched: each step is sent when it ends, and the outcome at the end.

The page's script asks for it by its Accept header; without script the same form is answered by a page.
"""

import json
import logging
from collections.abc import Callable, Iterator

from django.http import HttpRequest, StreamingHttpResponse
from django.template.loader import render_to_string

from integrations.connecting import ByStep, ConnectionRefused
from integrations.models import Connection
from integrations.zuora.doctor import STEPS, Step

logger = logging.getLogger(__name__)
KIND = "application/x-ndjson"
_REFUSED = "The test failed, and nothing was saved"
_BROKEN = "Something went wrong, and the mistake is ours: it is in the log with its time"


def is_watched(request: HttpRequest) -> bool:
    """Tell whether the steps are wanted one by one."""
    return request.headers.get("Accept") == KIND


def watched(work: ByStep, *, said: Callable[[Connection], str]) -> StreamingHttpResponse:
    """Answer with a line of JSON for each step: `{"step": html, "next": name}`, and at last `{"end": html}`."""
    response = StreamingHttpResponse(_lines(work, said), content_type=KIND)
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # a proxy in front must not save them up
    return response


def _lines(work: ByStep, said: Callable[[Connection], str]) -> Iterator[str]:
    shown: list[Step] = []
    yield _line(next=STEPS[0])
    try:
        while True:
            step = next(work)
            shown.append(step)
            yield _line(step=_html(step), next=_after(step))
    except StopIteration as end:
        yield _line(end=render_to_string("integrations/steps_end.html", {"said": said(end.value), "worked": True}))
    except ConnectionRefused as refusal:
        for step in refusal.steps:
            if step not in shown:
                yield _line(step=_html(step), next="")
        yield _line(end=render_to_string("integrations/steps_end.html", {"said": _REFUSED}))
    except Exception:  # the answer has begun: an error page would not be seen
        logger.exception("A test of the tenant broke")
        yield _line(end=render_to_string("integrations/steps_end.html", {"said": _BROKEN}))


def _after(step: Step) -> str:
    place = STEPS.index(step.name) + 1 if step.name in STEPS else len(STEPS)
    return STEPS[place] if place < len(STEPS) and step.ok else ""


def _html(step: Step) -> str:
    return render_to_string("integrations/step.html", {"step": step})


def _line(**members: str) -> str:
    return json.dumps(members) + "\n"
