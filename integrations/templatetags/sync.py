"""What any page can show of the sync: `{% load sync %}`, `{% sync_status record %}`, `{% billing_id record %}`."""

import json
import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

from integrations.curl import curl_of
from integrations.eligibility import CHANGES
from integrations.links import link_into_tenant
from integrations.models import (
    Connection,
    Delivery,
    DeliveryOutcome,
    EntityKind,
    JobState,
    Request,
    SyncJob,
    SyncRecord,
    SyncStatus,
)
from integrations.sections import SECTIONS, Section, url_of_key
from integrations.zuora.doctor import Outcome

register = template.Library()

_LOOKS = {
    SyncStatus.PENDING: ("clock", "azure"),
    SyncStatus.SUCCESS: ("check", "green"),
    SyncStatus.ERROR: ("alert", "red"),
    SyncStatus.NO_SYNC_REQUIRED: ("minus", "secondary"),
}
_OUTCOMES = {
    DeliveryOutcome.SENDING: ("clock", "azure"),
    DeliveryOutcome.SENT: ("check", "green"),
    DeliveryOutcome.UNCHANGED: ("check", "green"),
    DeliveryOutcome.NOT_SYNCED: ("minus", "secondary"),
    DeliveryOutcome.WAITS: ("clock", "azure"),
    DeliveryOutcome.RETRY: ("refresh", "orange"),
    DeliveryOutcome.FAILED: ("alert", "red"),
    DeliveryOutcome.LOST: ("alert", "orange"),
}
_STATES = {
    JobState.WAITING: ("clock", "azure"),
    JobState.SENDING: ("refresh", "azure"),
    JobState.DONE: ("check", "green"),
    JobState.FAILED: ("alert", "red"),
}
_STEPS = {
    Outcome.PASSED: ("check", "green"),
    Outcome.WARNING: ("alert", "orange"),
    Outcome.FAILED: ("cross", "red"),
    Outcome.SKIPPED: ("dash", "secondary"),
}
_NUMBER = re.compile('"\ue000([^"]*)\ue001"')


def _without_record(context: template.Context) -> str:
    """Return what to say where there is no record: which there are is not known while no tenant is connected."""
    is_away = "connection" in context and context["connection"] is None
    return "Not connected" if is_away else "Not in Zuora"


@register.inclusion_tag("integrations/tags/status.html", takes_context=True)
def sync_status(context: template.Context, record: SyncRecord | None) -> dict[str, str]:
    """Show the status as sign, colour and word. Without a record nobody has asked for a sync yet."""
    if record is None:
        return {"icon": "dash", "colour": "secondary", "label": _without_record(context)}
    if record.is_stopped:
        return {"icon": "pause", "colour": "orange", "label": "Linked, sync stopped"}
    icon, colour = _LOOKS[SyncStatus(record.status)]
    return {"icon": icon, "colour": colour, "label": record.get_status_display()}


@register.inclusion_tag("integrations/tags/billing_id.html", takes_context=True)
def billing_id(
    context: template.Context, record: SyncRecord | None, product: SyncRecord | None = None
) -> dict[str, str]:
    """Show the billing ID as a link into the tenant. A rate plan or charge is found on its `product`'s page."""
    if record is None or not record.zuora_id:
        return {"number": "", "without": _without_record(context)}
    return {
        "number": record.zuora_number or record.zuora_id,
        "zuora_id": record.zuora_id,
        "url": link_into_tenant(record, product),
        "kind": record.get_kind_display(),
    }


@register.inclusion_tag("integrations/tags/status.html")
def delivery_outcome(delivery: Delivery) -> dict[str, str]:
    """Show how one attempt ended."""
    icon, colour = _OUTCOMES[DeliveryOutcome(delivery.outcome)]
    return {"icon": icon, "colour": colour, "label": delivery.get_outcome_display()}


@register.inclusion_tag("integrations/tags/status.html")
def job_state(job: SyncJob) -> dict[str, str]:
    """Show where a job stands."""
    icon, colour = _STATES[JobState(job.state)]
    return {"icon": icon, "colour": colour, "label": job.get_state_display()}


@register.inclusion_tag("integrations/tags/status.html")
def step_outcome(outcome: str) -> dict[str, str]:
    """Show how a step of the connection test ended."""
    icon, colour = _STEPS[Outcome(outcome)]
    return {"icon": icon, "colour": colour, "label": outcome.capitalize()}


@register.inclusion_tag("integrations/tags/status.html")
def exchange_status(exchange: Request) -> dict[str, str]:
    """Show what came back: HTTP 200 is no success when the answer says otherwise."""
    label = str(exchange.status or "No answer")
    return {
        "icon": "alert" if exchange.error else "check",
        "colour": "red" if exchange.error else "green",
        "label": label,
    }


@register.simple_tag
def as_curl(exchange: Request, rest_url: str = "") -> str:
    """Return the exchange as a curl command, with nothing secret in it."""
    return curl_of(exchange, rest_url=rest_url)


@register.simple_tag
def zuora_kind(record: SyncRecord) -> str:
    """Return what Zuora calls it."""
    return {
        EntityKind.BILLING_PERIOD: "Rate plan",
        EntityKind.CHARGE: "Rate plan charge",
        EntityKind.CUSTOMER: "Account",
        EntityKind.SUBSCRIPTION: "Subscription",
        EntityKind.UNIT: "Unit of measure",
    }.get(EntityKind(record.kind), "Product")


@register.filter
def in_words(code: str) -> str:
    """Return a code such as `has_a_subscription` or `PER_UNIT` in words."""
    return code.replace("_", " ").capitalize()


@register.filter
def said(value: Any) -> Any:
    """Return a list as `a, b, c`, and what is so or not so as a word."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else value


@register.filter
def first_figure(text: str) -> str:
    """Return the first figure of a limit's header, which is that of the window nearest to its end."""
    figure = re.split("[,;]", text, maxsplit=1)[0].strip()
    return f"{int(figure):,}" if figure.isdecimal() else figure or "\N{EN DASH}"


@register.filter
def what_changes(rule: str) -> str:
    """Return what would change the answer of a rule, as a sentence."""
    return CHANGES.get(rule, "")


#: How many decimals an amount has at least, where that is not two: https://www.iso.org/iso-4217-currency-codes.html
_DECIMALS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV"), 0),
    **dict.fromkeys(("XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


@register.simple_tag
def money(amount: Decimal, currency: str) -> SafeString:
    """Show an amount with the decimals of its currency at least, and no more than it has.

    The page's script writes it as the viewer's locale does. Where no currency is known it is a number.
    """
    if not currency:
        return number(amount)
    places = max(_DECIMALS.get(currency, 2), -int(amount.normalize().as_tuple().exponent))
    return format_html(
        '<data class="text-nowrap" value="{}" data-currency="{}">{} {}</data>',
        f"{amount.normalize():f}",
        currency,
        f"{amount:,.{places}f}",
        currency,
    )


@register.simple_tag
def number(count: int | Decimal) -> SafeString:
    """Show a number; the page's script groups its digits as the viewer's locale does."""
    plain = f"{count.normalize():f}" if isinstance(count, Decimal) else str(count)
    return format_html('<data value="{}" data-number>{}</data>', plain, f"{Decimal(plain):,}")


@register.filter
def quantity(amount: Decimal | int | str | None, plain: str = "") -> SafeString | str:
    """Return a quantity as people write it: thousands apart, no zeros at the end.

    What locales write differently is marked for the page's script, unless only `plain` text may stand there.
    """
    if amount is None or amount == "":
        return "\N{EN DASH}"
    text = f"{Decimal(amount):,f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    if plain or text.lstrip("-").isdecimal():
        return text
    return format_html('<data value="{}" data-number>{}</data>', text.replace(",", ""), text)


#: Not what stands within an id, a date or a time. Whole numbers read the same everywhere, and may be a code of Zuora's.
_DECIMAL_IN_SENTENCE = re.compile(r"(?<![\w.,:/+-])-?\d+\.\d+(?![\w:/+-]|\.\d)")

_FIGURE = re.compile(r"-?\d+(\.\d+)?")


@register.filter
def figures(sentence: str) -> SafeString:
    """Return a kept sentence with each decimal marked for the page's script, which writes it as the locale does."""
    said, parts = 0, []
    for found in _DECIMAL_IN_SENTENCE.finditer(sentence):
        parts += [escape(sentence[said : found.start()]), quantity(found.group())]
        said = found.end()
    return format_html("{}" * (len(parts) + 1), *parts, escape(sentence[said:]))


@register.filter
def as_field(value: str, name: str) -> SafeString | str:
    """Return the value of a field of a preview: prices and quantities as `quantity`, everything else as it is."""
    is_figure = name.startswith("Price ") or name.rpartition(": ")[2] in {"price", "quantity"}
    return quantity(value) if is_figure and _FIGURE.fullmatch(value) else value


@register.simple_tag
def utc(moment: datetime | str | None) -> SafeString | str:
    """Show a moment in UTC, to the minute; its title holds the second.

    The page's script writes it in the viewer's zone; the title stays.
    """
    if not isinstance(moment, datetime):  # a template gives "" for what is not there
        return "\N{EN DASH}"
    return format_html(
        '<time class="text-nowrap" datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        f"{moment:%Y-%m-%d %H:%M:%S} UTC",
        f"{moment:%Y-%m-%d %H:%M} UTC",
    )


@register.simple_tag
def sections() -> list[Section]:
    """Return the parts of the console, in the order of the menu."""
    return list(SECTIONS.values())


@register.filter
def entity_url(key: str) -> str:
    """Return the address of the page of the entity that a record key belongs to."""
    return url_of_key(key)


@register.filter
def entity_name(key: str) -> str:
    """Return the Stigg id within a record key."""
    return key.partition(":")[2].partition("/")[0] or key


@register.filter
def part_name(key: str) -> str:
    """Return what a record key says beneath its entity in words: `plan:pro/MONTHLY/RECURRING/PER_UNIT/seats`."""
    return " · ".join(
        part.replace("_", " ").capitalize() if part.isupper() else part for part in key.split("/")[1:]
    ) or entity_name(key)  # fmt: skip


@register.filter
def indented(text: str) -> str:
    """Return JSON with a line for each member, every number as it was written; other text as it is."""
    try:
        value = json.loads(text, parse_float="\ue000{}\ue001".format)
    except ValueError:
        return text
    return _NUMBER.sub(r"\1", json.dumps(value, indent=2, ensure_ascii=False))


@register.inclusion_tag("integrations/tags/connection_banner.html", takes_context=True)
def connection_banner(context: template.Context) -> dict[str, Any]:
    """Say on every page what keeps the sync from working; nothing when all is well."""
    connection = Connection.objects.active().defer("client_secret").first()
    return {"connection": connection, "perms": context.get("perms")}
