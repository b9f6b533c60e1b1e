import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.zuora.mapping import keys
from tests.integrations.zuora.mapping import build

STIGG_IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:@|+-]{0,254}", fullmatch=True)
#: Ids that differ by little: what goes wrong first when a character, its case or a tail is lost.
CLOSE_IDS = st.text(alphabet="aAbB-_.:@|+2g", min_size=1, max_size=6)
LONG_IDS = CLOSE_IDS.map(lambda tail: "a" * 120 + tail)
ANY_PARTS = st.lists(st.one_of(st.text(max_size=8), CLOSE_IDS, LONG_IDS, STIGG_IDS), min_size=1, max_size=4)
LIMITS = st.sampled_from([50, 70, 100])


@given(first=ANY_PARTS, second=ANY_PARTS, limit=LIMITS, generations=st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_two_different_things_never_share_a_key_even_without_regard_to_case(
    first: list[str], second: list[str], limit: int, generations: tuple[int, int]
) -> None:
    one = keys.readable_key(*first, limit=limit, generation=generations[0])
    other = keys.readable_key(*second, limit=limit, generation=generations[1])
    is_same = first == second and generations[0] == generations[1]
    assert (one.casefold() == other.casefold()) == is_same


@given(first=CLOSE_IDS, second=CLOSE_IDS)
def test_close_ids_keep_their_own_keys(first: str, second: str) -> None:
    one = keys.subscription_number(first, prefix="stigg")
    other = keys.subscription_number(second, prefix="stigg")
    assert (one.casefold() == other.casefold()) == (first == second)


@given(parts=ANY_PARTS, limit=LIMITS, generation=st.integers(1, 10_000))
def test_a_key_is_short_enough_and_plain_ascii(parts: list[str], limit: int, generation: int) -> None:
    key = keys.readable_key(*parts, limit=limit, generation=generation)
    assert len(key) <= limit
    assert re.fullmatch(r"[A-Za-z0-9_-]+", key)


@given(ref_id=STIGG_IDS)
def test_an_account_number_begins_with_the_deployments_prefix(ref_id: str) -> None:
    number = keys.account_number(ref_id, prefix="stigg")
    assert number.startswith("stigg--")
    assert len(number) <= 70


@given(first=st.tuples(STIGG_IDS, st.integers(0, 10**6)), second=st.tuples(STIGG_IDS, st.integers(0, 10**6)))
def test_every_order_has_its_own_number(first: tuple[str, int], second: tuple[str, int]) -> None:
    numbers = [keys.order_number(ref_id, sequence, prefix="stigg") for ref_id, sequence in (first, second)]
    assert (numbers[0].casefold() == numbers[1].casefold()) == (first == second)
    assert all("/" not in number and len(number) <= 100 for number in numbers)


#: Numbers that are out in tenants: a change of these lines makes every entity a new one there.
@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (keys.product_sku("plan:basic", prefix="stigg"), "stigg--plan--basic"),
        (keys.product_sku("addon:basic", prefix="stigg"), "stigg--addon--basic"),
        (keys.product_sku("plan:basic", prefix="stigg-eu"), "stigg-eu--plan--basic"),
        (keys.rate_plan_number("plan:plan-basic", "MONTHLY", prefix="stigg"), "stigg--plan--plan-basic--monthly"),
        (
            keys.rate_plan_number("plan:plan-basic", "MONTHLY", prefix="stigg", generation=2),
            "stigg--plan--plan-basic--monthly__g2",
        ),
        (
            keys.discount_number("coupon:launch", "ANNUALLY", "FIXED", prefix="stigg"),
            "stigg--coupon--launch--annually--fixed",
        ),
        (keys.account_number("acme", prefix="stigg"), "stigg--acme"),
        (keys.account_number("Acme", prefix="stigg"), "stigg--Acme__ee44fepybclaocl2"),
        (
            keys.account_number("ada@widgets.example", prefix="stigg"),
            "stigg--ada-widgets-example__3vsmcgawv3z4jbyv",
        ),
        (keys.subscription_number("sub-1", prefix="stigg"), "stigg--sub-1"),
        (keys.order_number("sub-1", 3, prefix="stigg"), "stigg--sub-1--3"),
        (
            keys.product_sku("plan:" + "growth-" * 12 + "x", prefix="stigg"),
            "stigg--plan--growth-growth-growt__urh4irm6hglr22mu",
        ),
    ],
)
def test_numbers_are_readable_and_stable(number: str, expected: str) -> None:
    assert number == expected


@pytest.mark.parametrize(
    ("values", "key", "number"),
    [
        ({}, "plan:basic/MONTHLY/RECURRING/FLAT_FEE", "stigg--plan--basic--monthly--recurring--flat_fee"),
        (
            {"billing_model": "PER_UNIT", "feature": build.feature()},
            "plan:basic/MONTHLY/RECURRING/PER_UNIT/seats",
            "stigg--plan--basic--monthly--recurring--per_unit--seats",
        ),
        (
            {"billing_cadence": "ONE_OFF", "billing_period": "ANNUALLY", "version_number": 7},
            "plan:basic/ANNUALLY/ONE_OFF/FLAT_FEE",
            "stigg--plan--basic--annually--one_off--flat_fee",
        ),
    ],
)
def test_a_charge_is_the_same_in_every_version(values: dict[str, Any], key: str, number: str) -> None:
    charge = build.price(build.plan(), {"EUR": "1"}, **values)
    assert keys.charge_key("plan:basic", charge) == key
    assert keys.charge_number("plan:basic", charge, prefix="stigg") == number


def test_record_keys_name_kind_and_id() -> None:
    assert [
        keys.package_key(build.plan("basic")),
        keys.package_key(build.addon("support")),
        keys.coupon_key("launch"),
        keys.customer_key("acme"),
        keys.subscription_key("sub-1"),
        keys.unit_key("seats"),
        keys.rate_plan_key("plan:basic", "MONTHLY"),
    ] == [
        "plan:basic",
        "addon:support",
        "coupon:launch",
        "customer:acme",
        "subscription:sub-1",
        "unit:seats",
        "plan:basic/MONTHLY",
    ]
