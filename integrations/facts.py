"""Reads what the eligibility rules ask: the only queries they need."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db.models import Model, Q

from customers.models import Customer
from integrations.eligibility import CustomerFacts, SubscriptionFacts, Verdict, judge_customer, judge_subscription
from integrations.models import Connection, EntityKind, SyncRecord
from subscriptions.models import PaymentCollectionMethod, Subscription


def verdict_on(entity: Model, *, connection: Connection, record: SyncRecord) -> Verdict | None:
    """Judge an entity, of which this is the record, by its rules; None for one that has no rules, like a plan."""
    return verdicts_on([(entity, record)], connection=connection)[0]


def verdicts_on(entities: Iterable[tuple[Model, SyncRecord]], *, connection: Connection) -> list[Verdict | None]:
    """Judge several entities, of which these are the records, with as many queries as one needs."""
    pairs = list(entities)
    customers = [entity for entity, _ in pairs if isinstance(entity, Customer)]
    of_customers = _verdicts_on_customers(customers, connection=connection) if customers else {}

    def judge(entity: Model, record: SyncRecord) -> Verdict | None:
        if isinstance(entity, Subscription):
            return judge_subscription(_facts(entity, connection=connection, in_zuora=record.is_linked))
        return of_customers[entity.pk] if isinstance(entity, Customer) else None

    return [judge(entity, record) for entity, record in pairs]


def verdict_on_subscription(subscription: Subscription, *, connection: Connection) -> Verdict:
    """Judge a subscription as it stands in the database."""
    linked = _linked(connection, [subscription.pk])
    return judge_subscription(_facts(subscription, connection=connection, in_zuora=bool(linked)))


def verdict_on_customer(customer: Customer, *, connection: Connection) -> Verdict:
    """Judge a customer as it stands in the database; what others pay for it counts, and what it pays for others."""
    return _verdicts_on_customers([customer], connection=connection)[customer.pk]


def _verdicts_on_customers(customers: Sequence[Customer], *, connection: Connection) -> dict[int, Verdict]:
    pks = {customer.pk for customer in customers}
    rows = list(
        Subscription.objects.filter(Q(customer__in=pks) | Q(paying_customer__in=pks))
        .select_related("plan")
        .order_by("pk")
    )
    linked = _linked(connection, [row.pk for row in rows if row.is_ended])  # of the others it makes no difference
    held = defaultdict(list)
    for row in rows:
        facts = _facts(row, connection=connection, in_zuora=row.pk in linked)
        if not facts.is_ended or facts.in_zuora:
            for pk in {row.customer_id, row.paying_customer_id}:
                held[pk].append(facts)
    return {
        customer.pk: judge_customer(
            CustomerFacts(
                subscriptions=tuple(held[customer.pk]),
                billing_currency=customer.billing_currency,
                billing_country=customer.billing_country,
                has_payment_method=customer.has_payment_method,
                sync_on=connection.sync_customers,
                billing_id=customer.billing_id,
                metadata=customer.metadata,
            )
        )
        for customer in customers
    }


def _facts(row: Subscription, *, connection: Connection, in_zuora: bool) -> SubscriptionFacts:
    return SubscriptionFacts(
        pricing_type=row.plan.pricing_type,
        is_trial=row.is_trial,
        is_ended=row.is_ended and row.billed_until is None,  # else its last period is owed
        in_zuora=in_zuora,
        sync_on=connection.sync_subscriptions,
        billing_id=row.billing_id,
        metadata=row.metadata,
        is_collected=row.payment_collection_method != PaymentCollectionMethod.NONE,
    )


def _linked(connection: Connection, pks: list[int]) -> set[int]:
    if not pks:
        return set()
    records = SyncRecord.objects.filter(connection=connection, kind=EntityKind.SUBSCRIPTION, root_id__in=pks)
    return set(records.exclude(zuora_id="").values_list("root_id", flat=True))
