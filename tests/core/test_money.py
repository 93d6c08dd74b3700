"""Money: exact in every currency, split without a unit lost, and refused where it is not money."""

import json
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import (
    EXPONENTS,
    LARGEST_MINOR,
    CurrencyMismatch,
    InvalidAmount,
    Money,
    UnknownCurrency,
    allocate,
    exponent,
    parse,
    prorate_half_up,
    share_half_up,
)

currencies = st.sampled_from(sorted(EXPONENTS))
amounts = st.integers(-LARGEST_MINOR, LARGEST_MINOR)
weight_lists = st.lists(st.integers(0, 10**12), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [("JPY", 0), ("KRW", 0), ("ISK", 0), ("EUR", 2), ("MGA", 2), ("KWD", 3), ("CLF", 4)],
)
def test_a_currency_has_the_decimals_of_iso_4217(currency: str, decimals: int) -> None:
    assert exponent(currency) == decimals


def test_the_list_is_the_active_one() -> None:
    assert len(EXPONENTS) == 165
    assert {"XCG", "ZWG", "SLE", "VED", "XAD"} <= EXPONENTS.keys()
    assert not {"BGN", "HRK", "ANG", "ZWL", "SLL", "CUC", "XAU", "XXX"} & EXPONENTS.keys()


@pytest.mark.parametrize("currency", ["", "eur", "EURO", "XXX", "XAU", "E\0R"])
def test_an_unknown_currency_is_refused_everywhere(currency: str) -> None:
    with pytest.raises(UnknownCurrency):
        exponent(currency)
    with pytest.raises(UnknownCurrency):
        parse("1", currency)
    with pytest.raises(UnknownCurrency):
        Money(1, currency)


@pytest.mark.parametrize("amount", [1.0, Decimal(1), "1", True, None])
def test_an_amount_is_an_integer(amount: object) -> None:
    with pytest.raises(TypeError):
        Money(amount, "EUR")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Money(2, "EUR") * 0.5  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "currency", "amount_minor"),
    [
        ("0", "EUR", 0),
        ("-0.00", "EUR", 0),
        ("9.5", "EUR", 950),
        ("007", "EUR", 700),
        ("-0.05", "EUR", -5),
        ("950", "JPY", 950),
        ("9.5", "KWD", 9500),
        ("0.0001", "CLF", 1),
        ("90071992547409.92", "EUR", LARGEST_MINOR),
    ],
)
def test_decimal_text_becomes_minor_units(text: str, currency: str, amount_minor: int) -> None:
    assert parse(text, currency) == Money(amount_minor, currency)


@pytest.mark.parametrize(
    ("text", "currency", "reason"),
    [
        ("", "EUR", "format"),
        ("1.", "EUR", "format"),
        (".5", "EUR", "format"),
        ("+1", "EUR", "format"),
        ("--1", "EUR", "format"),
        (" 1", "EUR", "format"),
        ("1\n", "EUR", "format"),
        ("1,50", "EUR", "format"),
        ("1,000.00", "EUR", "format"),
        ("1_000", "EUR", "format"),
        ("1e3", "EUR", "format"),
        ("NaN", "EUR", "format"),
        ("Infinity", "EUR", "format"),
        ("٣", "EUR", "format"),
        ("1\0", "EUR", "format"),
        ("1.000", "EUR", "decimals"),
        ("1.0", "JPY", "decimals"),
        ("1.0000", "KWD", "decimals"),
        ("90071992547409.93", "EUR", "size"),
        ("-90071992547409.93", "EUR", "size"),
        ("9" * 10_000, "EUR", "size"),
        ("0." + "0" * 10_000, "EUR", "decimals"),
    ],
)
def test_what_is_no_amount_is_refused_with_its_reason(
    text: str, currency: str, reason: str
) -> None:
    with pytest.raises(InvalidAmount) as refusal:
        parse(text, currency)
    assert refusal.value.reason == reason
    assert len(str(refusal.value)) < 100


@given(amounts, currencies)
def test_text_and_money_are_each_others_inverse(amount_minor: int, currency: str) -> None:
    money = Money(amount_minor, currency)
    assert parse(money.decimal_text(), currency) == money


@given(amounts, currencies)
def test_the_text_is_the_exact_decimal_value(amount_minor: int, currency: str) -> None:
    text = Money(amount_minor, currency).decimal_text()
    assert Decimal(text) == Decimal(amount_minor).scaleb(-EXPONENTS[currency])


@given(st.text(max_size=30), currencies)
def test_any_text_is_an_amount_or_refused(text: str, currency: str) -> None:
    try:
        money = parse(text, currency)
    except InvalidAmount:
        return
    assert Decimal(money.decimal_text()) == Decimal(text)


def test_every_allowed_amount_is_exact_in_json() -> None:
    assert int(float(json.dumps(LARGEST_MINOR))) == LARGEST_MINOR
    assert int(float(json.dumps(LARGEST_MINOR + 1))) != LARGEST_MINOR + 1


def test_equal_currencies_compute() -> None:
    assert Money(5, "EUR") + Money(7, "EUR") == Money(12, "EUR")
    assert Money(5, "EUR") - Money(7, "EUR") == Money(-2, "EUR")
    assert Money(5, "EUR") * 3 == 3 * Money(5, "EUR") == Money(15, "EUR")
    assert -Money(5, "EUR") == Money(-5, "EUR")
    assert Money(1, "EUR")
    assert not Money(0, "EUR")
    assert Money(1, "EUR") < Money(2, "EUR") <= Money(2, "EUR")
    assert Money(2, "EUR") > Money(1, "EUR") >= Money(1, "EUR")
    assert Money(0, "EUR") != Money(0, "USD")
    assert len({Money(1, "EUR"), Money(1, "EUR")}) == 1


@pytest.mark.parametrize(
    "operation",
    ["__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"],
)
def test_other_currencies_and_bare_numbers_do_not_compute(operation: str) -> None:
    compute = getattr(Money(0, "EUR"), operation)
    with pytest.raises(CurrencyMismatch):
        compute(Money(0, "USD"))
    with pytest.raises(TypeError):
        compute(0)


def test_money_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Money(1, "EUR").amount_minor = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("amount_minor", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (-100, [1, 1, 1], [-34, -33, -33]),
        (5, [0, 1, 0], [0, 5, 0]),
        (10, [3, 3, 1], [4, 4, 2]),
        (2, [1, 1, 1, 1], [1, 1, 0, 0]),
        (0, [1, 2], [0, 0]),
        (7, [5], [7]),
        (5, [0, 0], [3, 2]),
        (-5, [0, 0], [-3, -2]),
    ],
)
def test_a_split_gives_the_rest_to_the_largest_remainders(
    amount_minor: int, weights: list[int], parts: list[int]
) -> None:
    assert allocate(amount_minor, weights) == parts


@pytest.mark.parametrize("weights", [[], [1, -1], [-1]])
def test_a_split_needs_weights_that_are_not_negative(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="allocate"):
        allocate(1, weights)


@given(amounts, weight_lists)
def test_the_parts_of_a_split_sum_to_the_whole(amount_minor: int, weights: list[int]) -> None:
    assert sum(allocate(amount_minor, weights)) == amount_minor


@given(amounts, weight_lists.filter(any))
def test_no_part_is_a_unit_away_from_its_exact_share(amount_minor: int, weights: list[int]) -> None:
    for part, weight in zip(allocate(amount_minor, weights), weights, strict=True):
        assert abs(part - Fraction(amount_minor * weight, sum(weights))) < 1


@given(amounts, weight_lists)
def test_a_negative_split_mirrors_the_positive_one(amount_minor: int, weights: list[int]) -> None:
    assert allocate(-amount_minor, weights) == [-part for part in allocate(amount_minor, weights)]


@given(st.integers(0, LARGEST_MINOR), weight_lists)
def test_a_heavier_weight_never_gets_less(amount_minor: int, weights: list[int]) -> None:
    by_weight = sorted(zip(weights, allocate(amount_minor, weights), strict=True))
    assert all(lighter <= heavier for (_, lighter), (_, heavier) in pairwise(by_weight))


@given(st.integers(0, LARGEST_MINOR), st.integers(1, 10**6), st.integers(1, 40))
def test_of_equal_weights_the_earlier_gets_more(amount_minor: int, weight: int, count: int) -> None:
    parts = allocate(amount_minor, [weight] * count)
    assert parts == sorted(parts, reverse=True)


@pytest.mark.parametrize(
    ("amount_minor", "basis_points", "share"),
    [(5, 1000, 1), (-5, 1000, -1), (4, 1000, 0), (-4, 1000, 0), (9_999, 10_000, 9_999), (7, 0, 0)],
)
def test_a_share_rounds_half_away_from_zero(
    amount_minor: int, basis_points: int, share: int
) -> None:
    assert share_half_up(amount_minor, basis_points) == share


@given(amounts, st.integers(0, 10_000))
def test_a_share_is_the_exact_one_rounded_once(amount_minor: int, basis_points: int) -> None:
    exact = Decimal(amount_minor) * basis_points / 10_000
    rounded = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    assert share_half_up(amount_minor, basis_points) == rounded
    assert abs(rounded) <= abs(amount_minor)


@pytest.mark.parametrize(("part", "whole"), [(-1, 3), (4, 3), (1, 0)])
def test_only_a_part_is_prorated(part: int, whole: int) -> None:
    assert prorate_half_up(100, 0, 0) == 0
    with pytest.raises(ValueError, match=f"{part} of {whole}"):
        prorate_half_up(100, part, whole)


def test_a_share_is_never_negative_basis_points() -> None:
    with pytest.raises(ValueError, match="basis points"):
        share_half_up(1, -1)
