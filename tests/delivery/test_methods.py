from typing import Any

import pytest

from core.errors import Conflict, Invalid, NotFound
from delivery.models import DeliveryMethod
from delivery.services import method_activate, method_create, method_deactivate
from tests.factories import TESTER, make_merchant
from tests.factories.parcels import make_method

pytestmark = pytest.mark.django_db


def test_a_method_is_in_the_merchants_currency() -> None:
    method = make_method(make_merchant("JPY"), price_minor=500)

    assert (method.currency, method.price_minor, method.active) == ("JPY", 500, True)


def test_a_method_by_weight_has_rates() -> None:
    method = make_method(make_merchant(), "by_weight", rates={2000: 500, 500: 300})

    assert list(method.rates.order_by("pk").values_list("up_to_weight_g", "price_minor")) == [
        (500, 300),
        (2000, 500),
    ]


def test_creating_the_same_method_again_is_quiet() -> None:
    merchant = make_merchant()

    first, second = (
        make_method(merchant, "by_weight", code="post", rates={500: 300}) for _ in range(2)
    )

    assert first == second
    assert first.rates.count() == 1


@pytest.mark.parametrize("other", [{"rates": {500: 301}}, {"name": "Other", "rates": {500: 300}}])
def test_another_method_under_the_same_code_is_refused(other: dict[str, Any]) -> None:
    merchant = make_merchant()
    make_method(merchant, "by_weight", code="post", rates={500: 300})

    with pytest.raises(Conflict, match=r"delivery\.method_exists"):
        make_method(merchant, "by_weight", code="post", **other)


@pytest.mark.parametrize(
    "senseless",
    [
        {"kind": "by_weight"},
        {"kind": "flat", "rates": {500: 300}},
        {"kind": "quoted", "price_minor": 1},
        {"kind": "flat", "price_minor": -1},
        {"kind": "flat", "price_minor": 10**12 + 1},
        {"kind": "by_weight", "rates": {-1: 300}},
        {"kind": "by_weight", "rates": {500: -300}},
        {"kind": "pigeon"},
    ],
)
def test_price_and_rates_must_fit_the_kind(senseless: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match=r"delivery\.method"):
        make_method(make_merchant(), **senseless)

    assert not DeliveryMethod.objects.exists()


def test_an_unknown_merchant_has_no_methods() -> None:
    with pytest.raises(NotFound, match=r"merchant\.unknown"):
        method_create(merchant_id=0, code="post", name="Post", kind="flat", actor=TESTER)


def test_deactivate_then_activate_offers_the_method_as_before() -> None:
    method = make_method(make_merchant())

    for _ in range(2):
        method_deactivate(method_id=method.pk, actor=TESTER)
    assert not DeliveryMethod.objects.get().active

    for _ in range(2):
        method_activate(method_id=method.pk, actor=TESTER)
    assert DeliveryMethod.objects.get().active


def test_an_unknown_method_can_not_be_deactivated() -> None:
    with pytest.raises(NotFound, match=r"delivery\.method_unknown"):
        method_deactivate(method_id=0, actor=TESTER)
