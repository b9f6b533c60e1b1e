"""What the list of usage can be narrowed by: it reads the address, and narrows records and slices alike."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import Q

from integrations.models import UsageCharge, UsageRecord, UsageState, one_of

_TEXT = {"class": "form-control", "autocomplete": "off", "spellcheck": "false"}
#: So many charges are named one by one.
_NAMED = 2000
#: Slices that have no record yet: they are no state of a record, and are listed by themselves.
WAITING = "waiting"
#: What a record can be asked for, in the order of the choice.
STATES: Mapping[str, tuple[str, Q]] = {
    **{state.value.lower(): (state.label, Q(state=state)) for state in UsageState},
    "billed": ("Billed", Q(is_billed=True)),
    "corrections": ("Corrections", Q(slice=None)),
}


def _text(label: str, placeholder: str = "") -> forms.CharField:
    widget = forms.TextInput({**_TEXT, "placeholder": placeholder})
    return forms.CharField(label=label, required=False, max_length=300, widget=widget)


def _day(label: str) -> forms.DateField:
    widget = forms.DateInput({"class": "form-control", "type": "date"}, format="%Y-%m-%d")
    return forms.DateField(label=label, required=False, widget=widget, input_formats=["%Y-%m-%d"])


class UsageFilter(forms.Form):
    """A field that holds nonsense narrows nothing, and says so beside it."""

    use_required_attribute = False

    state = forms.ChoiceField(
        label="State",
        required=False,
        widget=forms.Select({"class": "form-select"}),
        choices=[
            ("", "All records"),
            *((slug, label) for slug, (label, _) in STATES.items()),
            (WAITING, "Waiting for a record"),
        ],
    )
    customer = _text("Customer", "Stigg id")
    subscription = _text("Subscription", "Stigg id")
    charge = _text("Charge", "Number or feature")
    key = _text("Record", "External key or Zuora ID")
    since = _day("From (UTC)")
    until = _day("To (UTC)")

    def __init__(self, asked: Mapping[str, Any]) -> None:
        super().__init__(asked)
        self.full_clean()
        self.wanted: dict[str, Any] = {name: value for name, value in self.cleaned_data.items() if value}

    @property
    def wants_waiting(self) -> bool:
        """Whether slices without a record are asked for, not records."""
        return self.wanted.get("state") == WAITING

    @property
    def narrows(self) -> bool:
        return bool(self.wanted)

    def of_records(self) -> Q:
        """Return the condition for records."""
        found = self._between() & self._of_subscription("charge__subscription__")
        if charge := self.wanted.get("charge"):
            found &= _of_charge(charge)
        if key := self.wanted.get("key"):
            found &= Q(external_key=key) | Q(zuora_id=key)
        if state := STATES.get(self.wanted.get("state", "")):
            found &= state[1]
        return found

    def of_slices(self) -> Q:
        """Return the condition for slices."""
        found = self._between() & self._of_subscription("subscription__")
        if charge := self.wanted.get("charge"):
            # Many of them wait for the very number: they are found by the feature.
            found &= Q(price__feature__ref_id=charge)
        if self.wanted.get("key"):
            found &= Q(pk__in=())  # what has no record has no key either
        return found

    def _of_subscription(self, path: str) -> Q:
        found = Q()
        if ref_id := self.wanted.get("subscription"):
            found &= Q(**{f"{path}ref_id": ref_id})
        if ref_id := self.wanted.get("customer"):
            found &= Q(**{f"{path}customer__ref_id": ref_id})
        return found

    def _between(self) -> Q:
        found = Q()
        if since := self.wanted.get("since"):
            found &= Q(starts_at__gte=_midnight(since))
        if until := self.wanted.get("until"):
            found &= Q(starts_at__lt=_midnight(until) + timedelta(days=1))
        return found


def _of_charge(text: str) -> Q:
    """Return the condition for records of a charge by its number; what is no charge's number is a key, or its feature.

    The charges are named where they are not too many: PostgreSQL cannot tell how many end in a text.
    """
    if UsageRecord.objects.filter(charge_number=text).exists():
        return Q(charge_number=text)
    charges = UsageCharge.objects.filter(Q(key__endswith=f"/{text}") | Q(key=text)).order_by()
    ids = list(charges.values_list("pk", flat=True)[: _NAMED + 1])
    if len(ids) <= _NAMED:
        return one_of("charge_id", ids)
    return Q(charge__key__endswith=f"/{text}") | Q(charge__key=text)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
