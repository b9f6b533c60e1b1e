"""The pages that `tests.bench.pages` asks for, by name: each filter, each order, and the ends of what they find."""

import json
from itertools import product
from urllib.parse import quote

from django.utils import timezone

from catalog.models import Plan
from customers.models import Customer
from integrations.models import (
    JobState,
    Operation,
    SyncJob,
    SyncRecord,
    UsageReconciliation,
    UsageRecord,
)
from integrations.usage_filters import STATES
from integrations.views.listing import FILTERS, SORTS
from subscriptions.models import Subscription
from usage.models import Slice, UnattributedUsage

_STATUSES = tuple(FILTERS)


def pages() -> dict[str, str]:
    """Return what is asked for: a name and an address of each."""
    deep = Customer.objects.order_by("ref_id")[Customer.objects.count() * 9 // 10]
    sold = Subscription.objects.order_by("ref_id")[Subscription.objects.count() * 9 // 10]
    return {
        **{f"customers, {name}": f"/customers/?{query}" for name, query in _customers(deep).items()},
        **{f"subscriptions, {name}": f"/subscriptions/?{query}" for name, query in _subscriptions(sold).items()},
        **_catalog(),
        **_problems(),
        **_activity(),
        **_usage(),
        **_entities(deep, sold),
        **_rest(),
    }


def grid() -> dict[str, list[str]]:
    """Return each search with each filter of the long lists, with the addresses in each order and direction."""
    deep = Customer.objects.order_by("ref_id")[Customer.objects.count() * 9 // 10]
    searches = {
        "customers": {
            "all": "",
            "a word of many": "aurora",
            "a word of some": "aa",
            "a word of every row": "billing",
            "two words": "aurora+bak",
            "one hit": deep.name.split()[1].lower(),
            "no hit": "zzzzqqq",
            "beginning of ids": deep.ref_id[:8],
        },
        "subscriptions": {"all": "", "a word of every row": "sub", "no hit": "zzzzqqq", "beginning of ids": "sub_0001"},
    }
    orders = {
        "customers": [f"{way}{sort}" for sort in SORTS for way in ("", "-")],
        "subscriptions": [f"{way}{sort}" for sort in SORTS if sort != "name" for way in ("", "-")],
    }
    return {
        f"{section}: {name}, {status or 'any status'}": [
            f"/{section}/?q={words}&status={status}&sort={order}" for order in orders[section]
        ]
        for section, sought in searches.items()
        for (name, words), status in product(sought.items(), ("", *_STATUSES))
    }


def _customers(deep: Customer) -> dict[str, str]:
    known = deep.name.split()[1].lower()
    some = Customer.objects.order_by("name", "ref_id")[Customer.objects.count() // 2]
    record = SyncRecord.objects.get(key=f"customer:{deep.ref_id}")
    named = quote(json.dumps([some.name, some.ref_id]))
    since = quote(json.dumps([record.status_since.isoformat(), str(record.pk)]))
    standing = quote(json.dumps([record.standing, record.key]))
    return {
        "first page": "",
        "deep page": f"after={deep.ref_id}",
        "back from a deep page": f"before={deep.ref_id}",
        "last page": "before=zzzz",
        "search: one hit": f"q={known}",
        "search: two common words": "q=aurora+bak",
        "search: two common words, by name": "q=aurora+bak&sort=name",
        "search: a common word": "q=aurora",
        "search: in every row": "q=billing",
        "search: a common word, deep": f"q=aurora&after={deep.ref_id}",
        "search: a common word, back": f"q=aurora&before={deep.ref_id}",
        "search: no hit": "q=zzzzqqq",
        "search: beginning of late ids": f"q={deep.ref_id[:8]}",
        "search: one hit, failed": f"q={known}&status=failed",
        **{f"search: a common word, by {sort}": f"q=aurora&sort={sort}" for sort in ("name", "-since", "status")},
        "search: a fairly common word": "q=aa",
        "search: a fairly common word, by name": "q=aa&sort=name",
        "search: a fairly common word, failed": "q=aa&status=failed",
        **{f"status: {name}": f"status={name}" for name in _STATUSES},
        **{f"status: {name}, by name": f"status={name}&sort=name" for name in _STATUSES},
        **{f"sort: {way}{sort}": f"sort={way}{sort}" for sort in SORTS for way in ("", "-")},
        **{f"sort: {way}name, {edge}": f"sort={way}name&{edge}={named}" for way, edge in _EDGES},
        **{f"sort: {way}since, {edge}": f"sort={way}since&{edge}={since}" for way, edge in _EDGES},
        **{f"sort: {way}status, {edge}": f"sort={way}status&{edge}={standing}" for way, edge in _EDGES},
    }


#: Pages beside a deep one, in both directions.
_EDGES = tuple(product(("", "-"), ("after", "before")))


def _subscriptions(deep: Subscription) -> dict[str, str]:
    return {
        "first page": "",
        "deep page": f"after={deep.ref_id}",
        "back from a deep page": f"before={deep.ref_id}",
        "last page": "before=zzzz",
        "search: in every row": "q=sub",
        "search: no hit": "q=zzzzqqq",
        **{f"status: {name}": f"status={name}" for name in _STATUSES},
        **{f"sort: {name}": f"sort={name}" for name in ("-id", "status", "-since")},
    }


def _catalog() -> dict[str, str]:
    queries = {"all": "", "search": "?q=team", "no hit": "?q=zzzz", "failed, by name": "?status=failed&sort=-name"}
    return {
        f"{section}, {name}": f"/{section}/{query}"
        for section in ("plans", "addons", "coupons")
        for name, query in queries.items()
    }


def _problems() -> dict[str, str]:
    some = SyncJob.objects.problems().order_by("pk")[SyncJob.objects.problems().count() // 100]
    one_cause = f"cause={quote(some.cause)}"
    return {
        "problems": "/problems/",
        "problems, deep": f"/problems/?after={some.pk}",
        "problems, back from a deep page": f"/problems/?before={some.pk}",
        "problems, customers": "/problems/?kind=customer",
        "problems, customers, deep": f"/problems/?kind=customer&after={some.pk}",
        "problems, plans": "/problems/?kind=plan",
        "problems, one cause": f"/problems/?{one_cause}",
        "problems, one cause, customers": f"/problems/?{one_cause}&kind=customer",
        "problems, one cause, plans": f"/problems/?{one_cause}&kind=plan",
        "problems, no such cause": "/problems/?cause=nothing",
    }


def _activity() -> dict[str, str]:
    early = SyncJob.objects.order_by("pk")[SyncJob.objects.count() // 200]
    combined = product((*JobState.values, "PARENT"), ("customer", "plan"))
    return {
        "activity": "/activity/",
        "activity, deep": f"/activity/?after={early.pk}",
        "activity, back from a deep page": f"/activity/?before={early.pk}",
        **{f"activity, {state.lower()}": f"/activity/?state={state}" for state in (*JobState.values, "PARENT")},
        "activity, plans": "/activity/?kind=plan",
        "activity, customers": "/activity/?kind=customer",
        **{f"activity, {state.lower()} {kind}s": f"/activity/?state={state}&kind={kind}" for state, kind in combined},
        "activity, done customers, deep": f"/activity/?state=DONE&kind=customer&after={early.pk}",
    }


def _usage() -> dict[str, str]:
    record = UsageRecord.objects.order_by("pk")[1000]
    customer = f"customer={record.charge.subscription.customer.ref_id}"
    subscription = f"subscription={record.charge.subscription.ref_id}"
    edge = quote(json.dumps([record.starts_at.isoformat(), str(record.pk)]))
    first, today = f"until={record.starts_at:%Y-%m-%d}", f"since={timezone.now():%Y-%m-%d}"
    states = (*STATES, "waiting")
    nobodys = UnattributedUsage.objects.order_by("-pk")[0].customer.ref_id
    return {
        "usage": "/usage/",
        "usage, deep": f"/usage/?after={edge}",
        "usage, back from a deep page": f"/usage/?before={edge}",
        **{f"usage, {state}": f"/usage/?state={state}" for state in states},
        **{f"usage, {state}, until the first day": f"/usage/?state={state}&{first}" for state in states},
        **{f"usage, {state}, since today": f"/usage/?state={state}&{today}" for state in states},
        **{f"usage, {state}, of a customer": f"/usage/?state={state}&{customer}" for state in states},
        **{f"usage, {state}, of a subscription": f"/usage/?state={state}&{subscription}" for state in states},
        **{f"usage, {state}, of a feature": f"/usage/?state={state}&charge=api-calls" for state in states},
        "usage, of a customer": f"/usage/?{customer}",
        "usage, of a subscription": f"/usage/?{subscription}",
        "usage, of nobody": "/usage/?customer=nobody",
        "usage, waiting, of nobody": "/usage/?customer=nobody&state=waiting",
        "usage, of a charge": f"/usage/?charge={record.charge_number}",
        "usage, of a charge, failed": f"/usage/?charge={record.charge_number}&state=failed",
        "usage, of a feature": "/usage/?charge=api-calls",
        "usage, of no charge": "/usage/?charge=nothing",
        "usage, until the first day": f"/usage/?{first}",
        "usage, since today": f"/usage/?{today}",
        "usage, before all days": "/usage/?until=2001-01-01",
        "usage, a record": f"/usage/{record.pk}/",
        "usage, a slice": f"/usage/slices/{Slice.objects.untaken().order_by('-pk')[0].pk}/",
        "usage, the overview's part": "/usage/overview/",
        "usage, billed to nobody": "/usage/nobodys/",
        "usage, billed to nobody, deep": "/usage/nobodys/?after=cus_000500000",
        "usage, billed to nobody, back from a deep page": "/usage/nobodys/?before=cus_000500000",
        "usage, billed to nobody, of a customer": f"/usage/nobodys/?customer={nobodys}",
        "usage, billed to nobody, of nobody": "/usage/nobodys/?customer=nobody",
        "usage, comparisons": "/usage/reconciliations/",
        "usage, a comparison": f"/usage/reconciliations/{UsageReconciliation.objects.order_by('pk')[0].pk}/",
    }


def _entities(customer: Customer, sold: Subscription) -> dict[str, str]:
    failed = SyncJob.objects.problems().order_by("pk")[0].key.partition(":")[2]
    by_name = "sort=name&status=failed"
    return {
        "a customer's page": f"/customers/{customer.ref_id}/",
        "a failed customer's page: why": f"/customers/{failed}/",
        "a plan's page": f"/plans/{Plan.objects.order_by('pk')[1].ref_id}/",
        "a subscription's page": f"/subscriptions/{sold.ref_id}/",
        "a subscription's usage": "/subscriptions/sub_000000100/usage/",
        "a subscription's usage, what would be sent": "/subscriptions/sub_000000100/usage/preview/",
        "export's beginning: customers": "/customers.csv",
        "export's beginning: failed customers by name": f"/customers.csv?{by_name}",
        "export's beginning: customers with a common word": "/customers.csv?q=aurora&sort=-since",
        "export's beginning: subscriptions": "/subscriptions.csv",
        "export's beginning: usage": "/usage/export/",
        "export's beginning: failed usage": "/usage/export/?state=failed",
        "export's beginning: waiting usage": "/usage/export/?state=waiting",
    }


def _rest() -> dict[str, str]:
    report = f"/background/{Operation.objects.get().pk}/"
    return {
        "overview": "/",
        "background work": "/background/",
        "a report": report,
        "a report, failed": f"{report}?outcome=Failed",
        "apps": "/settings/integrations/apps/",
        "the tenant": "/settings/integrations/apps/zuora/",
        "API keys": "/settings/api-keys/",
        "people": "/settings/people/",
        "the API's page": "/settings/api/",
    }
