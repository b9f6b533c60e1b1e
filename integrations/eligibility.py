"""What is not synced, and why: pure rules over facts.

Every rule is returned with pass or fail and the value it saw, whatever the others say. They are defaults: a billing ID
set by hand or metadata that begins with ZUORA__ forces the sync.
Source: https://docs.stigg.io/documentation/native-integrations/billing/zuora/overview
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FORCING_PREFIX = "ZUORA__"

#: What would change each rule's answer; whatever does, the entity is looked at again by itself.
CHANGES = {
    "forced": "Remove the billing ID set by hand, or the metadata that begins with ZUORA__: then the rules decide.",
    "not_a_free_plan": "Move the subscription to a paid plan.",
    "not_a_custom_price": "Move the subscription to a plan with prices, or give it the billing ID of one made by hand.",
    "not_a_trial": "It is synced when the trial converts: at its end, or when somebody ends it sooner.",
    "payment_is_collected": "Choose CHARGE or INVOICE as its payment collection method.",
    "not_ended": "Nothing: it is over. What is sold anew is another subscription.",
    "subscription_sync_is_on": "An administrator switches it on at Settings > Integrations > Apps > Zuora.",
    "has_a_subscription": "A first subscription, or one that this customer pays for.",
    "more_than_free_plans": "A subscription to a paid plan.",
    "more_than_trials": "A trial that converts, or a subscription without a trial.",
    "more_than_custom_prices": "A subscription to a plan with prices, or a billing ID set by hand.",
    "more_than_uncollected": "A subscription whose payment is collected.",
    "has_billing_information": "Fill in the billing currency and the country of the customer's address.",
    "has_a_payment_method": "Attach a payment method that Zuora holds to the customer.",
    "customer_sync_is_on": "An administrator switches it on at Settings > Integrations > Apps > Zuora.",
}


@dataclass(frozen=True)
class Rule:
    """One rule's answer: `saw` is the value it judged, `text` the sentence that a page shows."""

    rule: str
    passed: bool
    saw: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """Whether to sync, with every rule; `forced` names what overrides the rules, or is empty."""

    rules: tuple[Rule, ...]
    forced: str = ""

    @property
    def syncs(self) -> bool:
        """Whether the entity belongs into Zuora."""
        return bool(self.forced) or all(rule.passed for rule in self.rules)

    @property
    def trace(self) -> list[dict[str, Any]]:
        """The rules as the record keeps them."""
        forced = Rule("forced", passed=True, saw=self.forced, text="The sync is forced.")
        # Not `asdict`, which copies what cannot change.
        return [{**vars(rule)} for rule in ([forced, *self.rules] if self.forced else self.rules)]

    @property
    def reason(self) -> str:
        """The sentences of the rules that failed."""
        return " ".join(rule.text for rule in self.rules if not rule.passed)


@dataclass(frozen=True)
class SubscriptionFacts:
    """What the rules ask of a subscription; `in_zuora`: a record links it already.

    `is_missed`: it ended while it was on its way there, so what it has run for is not billed yet.
    """

    pricing_type: str
    is_trial: bool
    is_ended: bool
    in_zuora: bool
    sync_on: bool
    billing_id: str = ""
    metadata: Mapping[str, Any] | None = None
    is_collected: bool = True
    is_missed: bool = False

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to do about it in Zuora any more, for it never came there."""
        return self.is_ended and not self.in_zuora and not self.is_missed

    @property
    def is_billable(self) -> bool:
        """Whether it is paid for."""
        return self.pricing_type == "PAID" and not self.is_trial and self.is_collected


@dataclass(frozen=True)
class CustomerFacts:
    """What the rules ask of a customer; `subscriptions` are those it has or pays for that have not ended unseen."""

    subscriptions: tuple[SubscriptionFacts, ...]
    billing_currency: str
    billing_country: str
    has_payment_method: bool
    sync_on: bool
    billing_id: str = ""
    metadata: Mapping[str, Any] | None = None


def changes(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rules of a trace that judge otherwise than in the one before; of the first trace those that fail."""
    judged = {rule["rule"]: rule["passed"] for rule in before}
    changed = [rule for rule in after if rule["passed"] != judged.get(rule["rule"], rule["rule"] != "forced")]
    gone = [rule for rule in before if rule["rule"] == "forced" and all(one["rule"] != "forced" for one in after)]
    return [
        *({"rule": rule["rule"], "passed": rule["passed"], "saw": rule["saw"]} for rule in changed),
        *({"rule": rule["rule"], "passed": False, "saw": "nothing forces it any more"} for rule in gone),
    ]


def forced_by(billing_id: str, metadata: Mapping[str, Any] | None) -> str:
    """Return what forces the sync, in words, or nothing."""
    if billing_id:
        return f"billing ID {billing_id}"
    keys = sorted(key for key in metadata or {} if key.startswith(FORCING_PREFIX))
    return f"metadata {', '.join(keys)}" if keys else ""


def judge_subscription(facts: SubscriptionFacts) -> Verdict:
    """Judge a subscription by the rules of its own."""
    plan = facts.pricing_type.lower()
    return Verdict(
        forced=forced_by(facts.billing_id, facts.metadata),
        rules=(
            Rule(
                "not_a_free_plan",
                facts.pricing_type != "FREE",
                f"a {plan} plan",
                "A subscription to a free plan is not billed.",
            ),
            Rule(
                "not_a_custom_price",
                facts.pricing_type != "CUSTOM",
                f"a {plan} plan",
                "A subscription to a plan with a custom price is billed by hand.",
            ),
            Rule(
                "not_a_trial",
                not facts.is_trial,
                "in trial" if facts.is_trial else "no trial",
                "A trial is not billed before it converts.",
            ),
            Rule(
                "payment_is_collected",
                facts.is_collected,
                "collected" if facts.is_collected else "NONE",
                "No payment is collected for it: only what it may use is kept here.",
            ),
            Rule(
                "not_ended",
                not facts.is_over,
                _end_of(facts),
                "It ended before it was ever in Zuora.",
            ),
            Rule(
                "subscription_sync_is_on",
                facts.sync_on,
                "on" if facts.sync_on else "off",
                "Subscription sync is off: switch it on at Settings > Integrations > Apps > Zuora.",
            ),
        ),
    )


def was_wanted(trace: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an entity was to be synced when it was last judged; one that was never judged may be."""
    return any(rule["rule"] == "forced" for rule in trace) or all(rule["passed"] for rule in trace)


def judge_customer(facts: CustomerFacts) -> Verdict:
    """Judge a customer; the "only" rules fail together where nothing is billable."""
    held = facts.subscriptions
    missing = [
        name for name, value in (("currency", facts.billing_currency), ("country", facts.billing_country)) if not value
    ]
    return Verdict(
        forced=forced_by(facts.billing_id, facts.metadata),
        rules=(
            Rule("has_a_subscription", bool(held), _count(held, "subscription"), "The customer has no subscription."),
            _only("more_than_free_plans", held, lambda one: one.pricing_type == "FREE", "free"),
            _only("more_than_trials", held, lambda one: one.is_trial and one.pricing_type == "PAID", "in trial"),
            _only("more_than_custom_prices", held, lambda one: one.pricing_type == "CUSTOM", "custom-priced"),
            _only("more_than_uncollected", held, lambda one: not one.is_collected, "not paid for"),
            Rule(
                "has_billing_information",
                not missing,
                f"no {' and no '.join(missing)}" if missing else f"{facts.billing_currency}, {facts.billing_country}",
                "Billing information is missing: fill in the billing currency and the country of the address.",
            ),
            Rule(
                "has_a_payment_method",
                facts.has_payment_method,
                "a payment method" if facts.has_payment_method else "none",
                "There is no payment method: attach one that Zuora holds.",
            ),
            Rule(
                "customer_sync_is_on",
                facts.sync_on,
                "on" if facts.sync_on else "off",
                "Customer sync is off: switch it on at Settings > Integrations > Apps > Zuora.",
            ),
        ),
    )


def _end_of(facts: SubscriptionFacts) -> str:
    if not facts.is_ended:
        return "not ended"  # where it is makes no difference, and nobody has looked
    where = "in Zuora" if facts.in_zuora else "on its way to Zuora" if facts.is_missed else "not in Zuora"
    return f"ended, {where}"


_ONLY = {
    "free": "free-plan subscriptions",
    "in trial": "trial subscriptions",
    "custom-priced": "custom-priced subscriptions",
    "not paid for": "subscriptions that nobody pays",
}


def _only(
    rule: str, held: tuple[SubscriptionFacts, ...], match: Callable[[SubscriptionFacts], bool], word: str
) -> Rule:
    """Fail where nothing is billable and this is (part of) why."""
    matching = sum(1 for one in held if match(one))
    billable = any(one.is_billable for one in held)
    return Rule(
        rule,
        billable or not matching,
        f"{matching} of {_count(held, 'subscription')} {word}",
        f"Nothing is billable: the customer has only {_ONLY[word]}.",
    )


def _count(rows: tuple[object, ...], word: str) -> str:
    return f"{len(rows)} {word}{'' if len(rows) == 1 else 's'}"
