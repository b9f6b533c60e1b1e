from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.zuora.body import KEPT_CHARACTERS, decode, encode, redact
from integrations.zuora.errors import Kind, Outcome, Rejected

texts = st.text(st.characters(exclude_categories=["Cs"]))
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=None, min_value=-(10**16), max_value=10**16)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | decimals | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
bodies = st.dictionaries(texts, values, max_size=5)


@given(bodies)
def test_what_is_encoded_is_decoded_again(body: dict[str, Any]) -> None:
    assert decode(encode(body)) == body


@given(bodies, st.randoms(use_true_random=False))
def test_bytes_do_not_depend_on_the_order_of_keys(body: dict[str, Any], random: Any) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            keys = list(value)
            random.shuffle(keys)
            return {key: shuffled(value[key]) for key in keys}
        return [shuffled(item) for item in value] if isinstance(value, list) else value

    assert encode(shuffled(body)) == encode(body)


def test_decimals_are_plain_numbers_digit_for_digit() -> None:
    body = {"b": Decimal("1.10"), "a": Decimal("1E+3"), "c": Decimal("1E-9"), "d": Decimal("0.1"), "e": "ä\n"}

    assert encode(body) == '{"a":1000,"b":1.10,"c":0.000000001,"d":0.1,"e":"ä\\n"}'.encode()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.1, "body.prices[1] holds a float"),
        (Decimal("NaN"), "body.prices[1] holds the number NaN"),
        (Decimal("-Infinity"), "body.prices[1] holds the number -Infinity"),
        (date(2026, 1, 1), "body.prices[1] holds a date"),
        (b"bytes", "body.prices[1] holds a bytes"),
        ({1: "x"}, "body.prices[1] holds the key 1"),
        ("\ud800", "body holds text with half a surrogate pair"),
    ],
)
def test_what_cannot_be_written_exactly_is_our_bug_and_never_sent(value: object, said: str) -> None:
    with pytest.raises(Rejected) as caught:
        encode({"prices": [1, value]})

    assert str(caught.value).startswith(said)
    assert (caught.value.kind, caught.value.outcome) == (Kind.BUG, Outcome.NOT_SENT)


@pytest.mark.parametrize("text", ["", "<html>", "NaN", '{"a": Infinity}', "[" * 100_000, "1" * 5_000])
def test_what_is_not_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (
            "client_id=app&client_secret=hush%20hush&grant_type=client_credentials",
            "client_id=app&client_secret=[hidden]&grant_type=client_credentials",
        ),
        ('{"access_token": "abc", "expires_in": 3599}', '{"access_token": "[hidden]", "expires_in": 3599}'),
        ('{"a":{"cardNumber":"4111 1111","Name":"n"}}', '{"a":{"cardNumber":"[hidden]","Name":"n"}}'),
        ('{"CreditCardNumber":4111111111111111,"b":1}', '{"CreditCardNumber":"[hidden]","b":1}'),
        ('{"securityCode":"1\\"23","iban":"XX00"}', '{"securityCode":"[hidden]","iban":"[hidden]"}'),
        ('{"client_secret":"cut off in the mid', '{"client_secret":"[hidden]"'),
        ("Authorization: Bearer ab.c-d_e=", "Authorization: Bearer [hidden]"),
        ('{"accountNumber":"A-1","idToken_note":"x"}', '{"accountNumber":"A-1","idToken_note":"x"}'),
    ],
)
def test_secrets_and_cards_are_blotted_out(text: str, kept: str) -> None:
    assert redact(text) == kept


def test_long_bodies_are_cut() -> None:
    assert redact("x" * (KEPT_CHARACTERS + 1)) == "x" * KEPT_CHARACTERS + " [cut]"


def test_a_secret_at_the_cut_is_hidden_before_it_is_cut() -> None:
    text = "x" * (KEPT_CHARACTERS - 25) + '{"client_secret":"' + "s" * 100 + '"}'

    assert "sss" not in redact(text)
