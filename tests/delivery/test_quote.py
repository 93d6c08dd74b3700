from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.errors import Conflict, Invalid
from delivery.models import DeliveryMethod, DeliveryQuote
from delivery.services import Parcel, Quote, method_deactivate, quote, quote_record
from tests.factories import TESTER, make_merchant
from tests.factories.parcels import make_method, parcel

pytestmark = pytest.mark.django_db

CART = 77
NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


def price(given: Parcel) -> Quote:
    return quote(cart_id=CART, parcels=[given], at=NOW)[given.merchant_id]


def record(method: DeliveryMethod, amount_minor: int = 1234, **more: Any) -> None:
    given: dict[str, Any] = {
        "cart_id": CART,
        "merchant_id": method.merchant_id,
        "method_id": method.pk,
        "valid_until": LATER,
        "actor": TESTER,
        **more,
    }
    quote_record(amount_minor=amount_minor, **given)


def test_a_flat_method_costs_its_price() -> None:
    merchant = make_merchant()
    method = make_method(merchant, price_minor=490, name="Post")

    assert price(parcel(merchant)) == Quote(method.pk, "Post", 490)


@pytest.mark.parametrize(
    ("weight_g", "amount_minor"), [(0, 300), (500, 300), (501, 450), (2000, 450)]
)
def test_weight_finds_the_first_rate_that_carries_it(weight_g: int, amount_minor: int) -> None:
    merchant = make_merchant()
    make_method(merchant, "by_weight", rates={2000: 450, 500: 300})

    assert price(parcel(merchant, weight_g=weight_g)).amount_minor == amount_minor


def test_what_is_heavier_than_the_last_rate_is_not_delivered() -> None:
    merchant = make_merchant()
    make_method(merchant, "by_weight", rates={500: 300})

    with pytest.raises(Invalid, match=r"delivery\.unavailable") as refusal:
        price(parcel(merchant, weight_g=501))

    assert refusal.value.facts == {"merchant_id": str(merchant.pk)}


def test_without_a_choice_the_first_active_method_is_taken() -> None:
    merchant = make_merchant()
    gone = make_method(merchant, position=0)
    make_method(merchant, position=2, price_minor=900)
    first = make_method(merchant, position=1, price_minor=700)
    method_deactivate(method_id=gone.pk, actor=TESTER)

    assert price(parcel(merchant)).method_id == first.pk


def test_a_choice_is_kept_to() -> None:
    merchant = make_merchant()
    make_method(merchant, position=0)
    second = make_method(merchant, position=1, price_minor=900)

    assert price(parcel(merchant, method_id=second.pk)).amount_minor == 900


def test_a_method_that_is_not_offered_any_more_is_refused() -> None:
    merchant = make_merchant()
    method = make_method(merchant)
    method_deactivate(method_id=method.pk, actor=TESTER)

    with pytest.raises(Invalid, match=r"delivery\.method_unknown"):
        price(parcel(merchant, method_id=method.pk))


def test_another_merchants_method_is_refused() -> None:
    merchant = make_merchant()
    make_method(merchant)

    with pytest.raises(Invalid, match=r"delivery\.method_unknown"):
        price(parcel(merchant, method_id=make_method(make_merchant()).pk))


def test_a_merchant_without_methods_does_not_deliver() -> None:
    with pytest.raises(Invalid, match=r"delivery\.unavailable"):
        price(parcel(make_merchant()))


def test_a_price_in_another_currency_is_no_price() -> None:
    merchant = make_merchant("EUR")
    make_method(merchant)

    with pytest.raises(Invalid, match=r"delivery\.unavailable"):
        price(parcel(merchant, currency="USD"))


def test_a_quoted_method_costs_what_the_carrier_said_last_for_this_cart() -> None:
    merchant = make_merchant()
    method = make_method(merchant, "quoted")
    record(method, 1000)
    record(method, 1234)
    record(method, 9999, cart_id=CART + 1)

    assert price(parcel(merchant)).amount_minor == 1234
    assert DeliveryQuote.objects.filter(cart_id=CART).count() == 1


def test_without_a_quote_a_quoted_method_is_unavailable() -> None:
    merchant = make_merchant()
    make_method(merchant, "quoted")

    with pytest.raises(Invalid, match=r"delivery\.unavailable"):
        price(parcel(merchant))


def test_a_quote_ends_at_its_time() -> None:
    merchant = make_merchant()
    record(make_method(merchant, "quoted"), valid_until=NOW)

    with pytest.raises(Conflict, match=r"delivery\.quote_expired"):
        price(parcel(merchant))


@pytest.mark.parametrize("amount_minor", [-1, 10**12 + 1])
def test_a_senseless_amount_is_not_recorded(amount_minor: int) -> None:
    with pytest.raises(Invalid, match=r"delivery\.amount"):
        record(make_method(make_merchant(), "quoted"), amount_minor)


def test_only_quoted_methods_of_the_merchant_are_recorded() -> None:
    flat, foreign = make_method(make_merchant()), make_method(make_merchant(), "quoted")

    with pytest.raises(Invalid, match=r"delivery\.method_unknown"):
        record(flat)
    with pytest.raises(Invalid, match=r"delivery\.method_unknown"):
        record(foreign, merchant_id=flat.merchant_id)

    assert not DeliveryQuote.objects.exists()


@pytest.mark.parametrize("merchants", [1, 6])
def test_any_number_of_merchants_takes_two_queries(
    merchants: int, django_assert_num_queries: Any
) -> None:
    parcels = []
    for number in range(merchants):
        merchant = make_merchant()
        make_method(merchant, "by_weight", rates={5000: 100 + number, 100: 1})
        record(make_method(merchant, "quoted", position=1))
        parcels.append(parcel(merchant))

    with django_assert_num_queries(2):
        found = quote(cart_id=CART, parcels=parcels, at=NOW)

    assert sorted(q.amount_minor for q in found.values()) == [100 + n for n in range(merchants)]
