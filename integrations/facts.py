"""Reads what the eligibility rules ask: the only queries they need."""

from django.db.models import Model, Q

from customers.models import Customer
from integrations.eligibility import CustomerFacts, SubscriptionFacts, Verdict, judge_customer, judge_subscription
from integrations.models import Connection, EntityKind, SyncRecord
from subscriptions.models import PaymentCollectionMethod, Subscription


def verdict_on(entity: Model, *, connection: Connection, record: SyncRecord) -> Verdict | None:
    """Judge an entity, of which this is the record, by its rules; None for one that has no rules, like a plan."""
    match entity:
        case Customer():
            return verdict_on_customer(entity, connection=connection)
        case Subscription():
            return judge_subscription(_facts(entity, connection=connection, in_zuora=record.is_linked))
    return None


def verdict_on_subscription(subscription: Subscription, *, connection: Connection) -> Verdict:
    """Judge a subscription as it stands in the database."""
    linked = _linked(connection, [subscription.pk])
    return judge_subscription(_facts(subscription, connection=connection, in_zuora=bool(linked)))


def verdict_on_customer(customer: Customer, *, connection: Connection) -> Verdict:
    """Judge a customer as it stands in the database; what others pay for it counts, and what it pays for others."""
    rows = list(
        Subscription.objects.filter(Q(customer=customer) | Q(paying_customer=customer))
        .select_related("plan")
        .order_by("pk")
    )
    linked = _linked(connection, [row.pk for row in rows if row.is_ended])  # of the others it makes no difference
    facts = [_facts(row, connection=connection, in_zuora=row.pk in linked) for row in rows]
    return judge_customer(
        CustomerFacts(
            subscriptions=tuple(one for one in facts if not one.is_ended or one.in_zuora),
            billing_currency=customer.billing_currency,
            billing_country=customer.billing_country,
            has_payment_method=customer.has_payment_method,
            sync_on=connection.sync_customers,
            billing_id=customer.billing_id,
            metadata=customer.metadata,
        )
    )


def _facts(row: Subscription, *, connection: Connection, in_zuora: bool) -> SubscriptionFacts:
    return SubscriptionFacts(
        pricing_type=row.plan.pricing_type,
        is_trial=row.is_trial,
        is_ended=row.is_ended,
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
