"""The term of a subscription, as its `ZUORA__` metadata says it.

Source: https://docs.stigg.io/documentation/native-integrations/billing/zuora/termed-subscriptions
"""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from integrations.zuora.mapping.refusal import Refusals

_PERIOD_TYPES = ("Day", "Week", "Month", "Year")
_PREFIX = "ZUORA__"


class Length(TypedDict):
    period: int
    periodType: str


class Terms(TypedDict):
    """`termType` EVERGREEN alone, or TERMED with all the rest."""

    termType: str
    initialTerm: NotRequired[Length]
    renewalTerm: NotRequired[Length]
    renewalSetting: NotRequired[str]
    autoRenew: NotRequired[bool]


def terms_of(metadata: Mapping[str, Any], *, who: str, refusals: Refusals) -> Terms:
    """Return the terms; without keys a subscription is evergreen. Values count in any case.

    A termed one renews for the length of its first term unless it says otherwise, and not by itself unless it says so.
    """
    reader = _Reader(metadata, who, refusals)
    term_type = reader.choice("TermType", ("TERMED", "EVERGREEN"), default="EVERGREEN")
    period_type = reader.choice("PeriodType", _PERIOD_TYPES, default="Month")
    initial_type = reader.choice("InitialPeriodType", _PERIOD_TYPES, default=period_type)
    renewal_type = reader.choice("RenewalPeriodType", _PERIOD_TYPES, default=period_type)
    initial, renewal = reader.count("InitialTerm"), reader.count("RenewalTerm")
    setting = reader.choice(
        "RenewalSetting", ("RENEW_WITH_SPECIFIC_TERM", "RENEW_TO_EVERGREEN"), default="RENEW_WITH_SPECIFIC_TERM"
    )
    auto_renew = reader.choice("AutoRenew", ("true", "false"), default="false") == "true"
    if term_type == "EVERGREEN":
        return {"termType": term_type}
    if initial is None:
        if f"{_PREFIX}InitialTerm" not in metadata:
            refusals.add(f"{who} is termed, but not how long: add the metadata {_PREFIX}InitialTerm, a whole number.")
        return {"termType": term_type}
    return {
        "termType": term_type,
        "initialTerm": {"period": initial, "periodType": initial_type},
        "renewalTerm": {"period": renewal or initial, "periodType": renewal_type if renewal else initial_type},
        "renewalSetting": setting,
        "autoRenew": auto_renew,
    }


class _Reader:
    """Reads metadata values, and notes the bad ones by key and allowed values."""

    def __init__(self, metadata: Mapping[str, Any], who: str, refusals: Refusals) -> None:
        self._metadata, self._who, self._refusals = metadata, who, refusals

    def choice(self, name: str, allowed: tuple[str, ...], *, default: str) -> str:
        text = self._text(name)
        if not text:
            return default
        for value in allowed:
            if value.casefold() == text.casefold():
                return value
        self._refuse(name, text, " or ".join(allowed))
        return default

    def count(self, name: str) -> int | None:
        text = self._text(name)
        if not text:
            return None
        if text.isascii() and text.isdecimal() and 0 < int(text) < 10**4:
            return int(text)
        self._refuse(name, text, "a whole number from 1 to 9999")
        return None

    def _text(self, name: str) -> str:
        value = self._metadata.get(f"{_PREFIX}{name}")
        return "" if value is None else str(value).strip()

    def _refuse(self, name: str, text: str, allowed: str) -> None:
        self._refusals.add(f"{self._who} has the metadata {_PREFIX}{name} = {text!r}: make it {allowed}.")
