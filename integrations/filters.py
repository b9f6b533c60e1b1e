"""What the logs can be narrowed by: each form reads the address, and says what it asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any

from django import forms
from django.db import connection
from django.db.models import F, Q
from django.db.models.lookups import Exact, IsNull
from django.http import QueryDict

from integrations.models import AuditEntry
from integrations.sections import SECTION_OF_KIND, Section

_TEXT = {"class": "form-control", "autocomplete": "off", "spellcheck": "false"}
#: As an index has it.
_HUNDREDS = F("status") / 100
#: What came back, in the order of the choice.
ANSWERS: dict[str, tuple[str, Q]] = {
    "failed": ("Failed", ~Q(error="")),
    "2xx": ("2xx", Q(Exact(_HUNDREDS, 2))),
    "3xx": ("3xx", Q(Exact(_HUNDREDS, 3))),
    "4xx": ("4xx", Q(Exact(_HUNDREDS, 4))),
    "5xx": ("5xx", Q(Exact(_HUNDREDS, 5))),
    "none": ("No answer", Q(IsNull(_HUNDREDS, True))),
}


@dataclass(frozen=True)
class Narrowing:
    """What a filter asks for: a time, conditions that an index lists in the log's order, and one judged row by row."""

    within: Q
    along: Sequence[Q]
    judged: Q


def _text(label: str, placeholder: str = "") -> forms.CharField:
    widget = forms.TextInput({**_TEXT, "placeholder": placeholder})
    return forms.CharField(label=label, required=False, max_length=300, widget=widget)


def _day(label: str) -> forms.DateField:
    widget = forms.DateInput({"class": "form-control", "type": "date"}, format="%Y-%m-%d")
    return forms.DateField(label=label, required=False, widget=widget, input_formats=["%Y-%m-%d"])


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


class _Filter(forms.Form):
    """Reads the address; a field that holds nonsense narrows nothing, and says so beside it."""

    use_required_attribute = False

    def __init__(self, asked: QueryDict) -> None:
        super().__init__(asked)
        self.prepare()
        self.full_clean()
        self.wanted: dict[str, Any] = {name: value for name, value in self.cleaned_data.items() if value}

    def prepare(self) -> None:
        """Fill in what the fields offer."""

    def between(self, moment: str) -> Q:
        """Return the condition for a moment on or after `since`, and on or before `until`: whole days in UTC."""
        condition = Q()
        if since := self.wanted.get("since"):
            condition &= Q(**{f"{moment}__gte": _midnight(since)})
        if until := self.wanted.get("until"):
            condition &= Q(**{f"{moment}__lt": _midnight(until) + timedelta(days=1)})
        return condition


def _distinct(column: str) -> list[str]:
    """Return the values of a column of the audit log, from one to the next along its index: not from line to line."""
    table = AuditEntry._meta.db_table  # noqa: SLF001 - Django's public name for it
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE found(value) AS (SELECT min({column}) FROM {table} UNION ALL "  # noqa: S608 - our own names
            f"SELECT (SELECT min({column}) FROM {table} WHERE {column} > found.value) FROM found "
            "WHERE found.value IS NOT NULL) SELECT value FROM found WHERE value IS NOT NULL"
        )
        return [value for (value,) in cursor.fetchall()]


def _actions() -> list[tuple[str, str]]:
    return [("", "All"), *((action, action.capitalize()) for action in _distinct("action"))]


class AuditFilter(_Filter):
    """Who did what, to which, when."""

    who = _text("Who")
    action = forms.ChoiceField(label="Action", required=False, widget=forms.Select({"class": "form-select"}))
    subject = _text("Subject", "plan:pro")
    since = _day("From (UTC)")
    until = _day("To (UTC)")

    def prepare(self) -> None:
        field = self.fields["action"]
        if isinstance(field, forms.ChoiceField):  # read once: a callable would be asked for each use
            field.choices = _actions()

    def narrowing(self) -> Narrowing:
        """Return what was asked for."""
        along, judged = [], Q()
        if self.exactly:
            along.append(Q(subject__in=self.exactly))
        elif subject := self.wanted.get("subject"):
            judged &= Q(subject__icontains=subject)
        if who := self.wanted.get("who"):
            people = [name for name in _distinct("actor_name") if who.lower() in name.lower()]
            if len(people) > 1:  # no index has the lines of several people in one order
                judged &= Q(actor_name__in=people)
            else:
                along.append(Q(actor_name=people[0]) if people else Q(pk__in=[]))
        if action := self.wanted.get("action"):
            along.append(Q(action=action))
        return Narrowing(self.between("at"), along, judged)

    @cached_property
    def exactly(self) -> list[str]:
        """The subjects that are the text itself, or an entity with this Stigg id: these alone are asked for.

        An index lists them at once. `anywhere` in the address asks for every line whose subject holds the text instead.
        """
        subject = self.wanted.get("subject")
        if not subject or self.data.get("anywhere"):
            return []
        kinds = () if subject.partition(":")[0] in SECTION_OF_KIND else SECTION_OF_KIND
        known = [subject, *(f"{kind}:{subject}" for kind in kinds)]
        return [one for one in known if AuditEntry.objects.filter(subject=one).exists()]


class RequestFilter(_Filter):
    """What was asked of Zuora, for which entity, and what came back."""

    answer = forms.ChoiceField(
        label="Answer",
        required=False,
        widget=forms.Select({"class": "form-select"}),
        choices=[("", "All"), *((slug, label) for slug, (label, _) in ANSWERS.items())],
    )
    path = _text("Path", "/v1/orders")
    entity = _text("Entity", "plan:pro")
    track = _text("Track or request id")
    since = _day("From (UTC)")
    until = _day("To (UTC)")

    def narrowing(self) -> Narrowing:
        """Return what was asked for."""
        along, judged = [], Q()
        if track := self.wanted.get("track"):
            along.append(Q(track_id=track) | Q(zuora_request_id=track))
        if entity := self.wanted.get("entity"):
            along.append(_of_entity(entity))
        if answer := self.wanted.get("answer"):
            along.append(ANSWERS[answer][1])
        if path := self.wanted.get("path"):
            judged = Q(path__icontains=path)
        return Narrowing(self.between("started_at"), along, judged)


def _of_entity(text: str) -> Q:
    """Return the condition for requests of an entity, given as its record key (`plan:pro`) or its Stigg id alone."""
    kind, _, rest = text.partition(":")
    sections: list[Section] = [SECTION_OF_KIND[kind]] if kind in SECTION_OF_KIND else list(SECTION_OF_KIND.values())
    ref_id = rest.partition("/")[0] if kind in SECTION_OF_KIND else text
    condition = Q(pk__in=[])
    for section in sections:
        ids = list(section.rows.filter(ref_id=ref_id).values_list("pk", flat=True))
        if ids:
            condition |= Q(delivery__job__kind=section.kind, delivery__job__entity_id__in=ids)
    return condition
