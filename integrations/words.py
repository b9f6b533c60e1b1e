"""Says in plain words what happened and what to do about it."""

from dataclasses import dataclass

from integrations.zuora.errors import (
    Conflict,
    Forbidden,
    Kind,
    LimitExceeded,
    Locked,
    NoAnswer,
    NotFound,
    Outcome,
    Redirected,
    RedisAway,
    Rejected,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    ZuoraError,
)


@dataclass(frozen=True)
class Words:
    """What happened, and the cure (empty where `what` says it already or nothing needs to be done)."""

    what: str
    cure: str

    @property
    def text(self) -> str:
        """Both, as sentences; Zuora's own words end with or without a stop."""
        return f"{self.what.rstrip('.')}. {self.cure}" if self.cure else self.what


#: What helps when our own Redis does not work.
REDIS = "Whoever runs this installation starts it again or corrects REDIS_URL: /readyz says what is wrong with it."

_CURES: dict[type[ZuoraError], str] = {
    Unauthorized: (
        "Check the client ID and secret at Settings > Integrations > Apps > Zuora, and that the API user is active."
    ),
    Redirected: "Check the tenant URL at Settings > Integrations > Apps > Zuora.",
    Forbidden: "Give the API user the permission (API Write Access in its Platform role), then retry.",
    NotFound: "Check in Zuora whether somebody removed it, then retry.",
    LimitExceeded: "It is sent again by itself.",
    Locked: "It is sent again by itself.",
    Conflict: "It is sent again by itself.",
    RedisAway: f"{REDIS} What waits is sent by itself then.",
    Unavailable: "It is sent again by itself.",
    UnexpectedAnswer: "It is looked up before it is sent again.",
    NoAnswer: "Whether Zuora did what was asked is found out before it is sent again.",
}

#: What Zuora's refusals mean, by a word that stands in them: first match wins.
_REFUSALS: tuple[tuple[str, str], ...] = (
    (
        "currency",
        "Activate the currency in Zuora at Billing Settings > Customize Currencies, or correct it here, then retry.",
    ),
    ("uom", "Create or activate the unit in Zuora at Billing Settings > Units of Measure, then retry."),
    ("unit of measure", "Create or activate the unit in Zuora at Billing Settings > Units of Measure, then retry."),
    ("chargemodel", "Activate the charge model in Zuora at Billing Settings > Customize Charge Models, then retry."),
    ("charge model", "Activate the charge model in Zuora at Billing Settings > Customize Charge Models, then retry."),
    ("payment method", "Check the payment method's id: it must be one that Zuora holds for this customer."),
    ("__c", "Create the custom field in Zuora (text, 255), or run the connection test again so that it is left out."),
    ("not effective", "Extend the dates of the rate plan in Zuora, or choose another start date, then retry."),
    ("too long", "Shorten the text, then save it again."),
    ("country", "Correct the country or state of the address, then save it again."),
    ("state", "Correct the country or state of the address, then save it again."),
)
_OTHERWISE = "Correct what Zuora names, then retry."
_OURS = "This is a mistake in the program: report it with the request id."


def in_words(error: ZuoraError) -> Words:
    """Return what a person needs to know of an error."""
    if error.kind is Kind.BUG:
        return Words(error.message, _OURS)
    if isinstance(error, Rejected):
        said = " ".join(str(reason) for reason in error.reasons).lower() or error.message.lower()
        return Words(error.message, next((cure for word, cure in _REFUSALS if word in said), _OTHERWISE))
    if error.outcome is Outcome.NOT_SENT and isinstance(error, NoAnswer):
        return Words(error.message, "It is sent by itself as soon as Zuora can be reached.")
    return Words(error.message, _CURES.get(type(error), _OTHERWISE))


def in_words_of_a_read(error: ZuoraError) -> str:
    """Return what a person needs to know of an error that met somebody who only looked: nothing is sent again."""
    words = in_words(error)
    if isinstance(error, RedisAway):
        return Words(words.what, REDIS).text
    return Words(words.what, "Look again in a while.").text if error.kind is Kind.TRANSIENT else words.text
