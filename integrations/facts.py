"""Reads what the eligibility rules ask: the only queries they need."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

from django.db.models import Model, Q

from customers.models import Customer
from integrations.eligibility import (
    CustomerFacts,
    SubscriptionFacts,
    Verdict,
    judge_customer,
    judge_subscription,
    was_wanted,
)
from integrations.models import Connection, EntityKind, SyncRecord
from subscriptions.models import PaymentCollectionMethod, Subscription
from usage.windows import ends_at

_Records = Mapping[int, SyncRecord]


def verdict_on(entity: Model, *, connection: Connection, record: SyncRecord) -> Verdict | None:
    """Judge an entity, of which this is the record, by its rules; None for one that has no rules, like a plan."""
    return verdicts_on([(entity, record)], connection=connection)[0]


def verdicts_on(entities: Iterable[tuple[Model, SyncRecord]], *, connection: Connection) -> list[Verdict | None]:
    """Judge several entities, of which these are the records, with as many queries as one needs."""
    pairs = list(entities)
    customers = {entity: record for entity, record in pairs if isinstance(entity, Customer)}
    subscriptions = {entity: record for entity, record in pairs if isinstance(entity, Subscription)}
    of_customers = _verdicts_on_customers(customers, connection=connection) if customers else {}
    of_subscriptions = _verdicts_on_subscriptions(subscriptions, connection=connection)

    def judged(entity: Model) -> Verdict | None:
        if isinstance(entity, Subscription):
            return of_subscriptions[entity]
        return of_customers[entity] if isinstance(entity, Customer) else None

    return [judged(entity) for entity, _ in pairs]


def verdict_on_subscription(subscription: Subscription, *, connection: Connection) -> Verdict:
    """Judge a subscription as it stands in the database."""
    record = _records(connection, EntityKind.SUBSCRIPTION, [subscription.pk]).get(subscription.pk)
    return _verdicts_on_subscriptions({subscription: record}, connection=connection)[subscription]


def verdict_on_customer(customer: Customer, *, connection: Connection) -> Verdict:
    """Judge a customer as it stands in the database; what others pay for it counts, and what it pays for others."""
    record = _records(connection, EntityKind.CUSTOMER, [customer.pk]).get(customer.pk)
    return _verdicts_on_customers({customer: record}, connection=connection)[customer]


def _verdicts_on_subscriptions(
    subscriptions: Mapping[Subscription, SyncRecord | None], *, connection: Connection
) -> dict[Subscription, Verdict]:
    missed = [row for row, record in subscriptions.items() if _ended_on_its_way(row, record, connection)]
    owners = {pk for row in missed for pk in _customers_of(row)}
    unwanted = {
        pk for pk, record in _records(connection, EntityKind.CUSTOMER, owners).items() if not _was_wanted(record)
    }
    is_missed = {row for row in missed if not unwanted & _customers_of(row)}
    return {
        row: judge_subscription(_facts(row, connection=connection, record=record, is_missed=row in is_missed))
        for row, record in subscriptions.items()
    }


def _verdicts_on_customers(
    customers: Mapping[Customer, SyncRecord | None], *, connection: Connection
) -> dict[Customer, Verdict]:
    pks = {customer.pk for customer in customers}
    rows = list(
        Subscription.objects.filter(Q(customer__in=pks) | Q(paying_customer__in=pks))
        .select_related("plan")
        .order_by("pk")
    )
    # Of the others it makes no difference.
    records = _records(connection, EntityKind.SUBSCRIPTION, [row.pk for row in rows if row.is_ended])
    held = defaultdict(list)
    for row in rows:
        for pk in {row.customer_id, row.paying_customer_id}:
            held[pk].append(row)
    return {
        customer: _judged(customer, record, held[customer.pk], records, connection)
        for customer, record in customers.items()
    }


def _judged(
    customer: Customer,
    record: SyncRecord | None,
    held: Sequence[Subscription],
    records: _Records,
    connection: Connection,
) -> Verdict:
    wanted = record is None or _was_wanted(record)
    facts = [
        _facts(
            row,
            connection=connection,
            record=records.get(row.pk),
            is_missed=wanted and _ended_on_its_way(row, records.get(row.pk), connection),
        )
        for row in held
    ]
    return judge_customer(
        CustomerFacts(
            subscriptions=tuple(one for one in facts if not one.is_over),
            billing_currency=customer.billing_currency,
            billing_country=customer.billing_country,
            has_payment_method=customer.has_payment_method,
            sync_on=connection.sync_customers,
            billing_id=customer.billing_id,
            metadata=customer.metadata,
        )
    )


def _facts(
    row: Subscription, *, connection: Connection, record: SyncRecord | None, is_missed: bool
) -> SubscriptionFacts:
    return SubscriptionFacts(
        pricing_type=row.plan.pricing_type,
        is_trial=row.is_trial,
        is_ended=row.is_ended and row.billed_until is None,  # else its last period is owed
        in_zuora=record is not None and record.is_linked,
        sync_on=connection.sync_subscriptions,
        billing_id=row.billing_id,
        metadata=row.metadata,
        is_collected=row.payment_collection_method != PaymentCollectionMethod.NONE,
        is_missed=is_missed,
    )


def _ended_on_its_way(row: Subscription, record: SyncRecord | None, connection: Connection) -> bool:
    """Tell whether it was to be synced while it ran, is not in Zuora, and ran for a day that is billed.

    What was over before anybody asked for it here is never billed in hindsight.
    """
    end = ends_at(row) if row.is_ended else None
    if record is None or record.is_linked or end is None:
        return False
    zone = ZoneInfo(connection.time_zone)
    if end.astimezone(zone).date() <= row.first_billed.astimezone(zone).date():
        return False
    # Of one that was never judged it is not known how it was, only since when it has been asked for.
    return was_wanted(record.trace) if record.trace else record.status_since < end


def _customers_of(row: Subscription) -> set[int]:
    return {row.customer_id, row.paying_customer_id or row.customer_id}


def _was_wanted(record: SyncRecord) -> bool:
    return record.is_linked or was_wanted(record.trace)


def _records(connection: Connection, kind: EntityKind, pks: Collection[int]) -> dict[int, SyncRecord]:
    if not pks:
        return {}
    rows = SyncRecord.objects.filter(connection=connection, kind=kind, root_id__in=pks)
    return {row.root_id: row for row in rows.only("root_id", "zuora_id", "trace", "status_since")}
