"""`/carts/{id}/vouchers`: a code goes into a cart, tells what it takes off, and comes out again."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from orders.models import Cart, OrderGroup
from orders.services.voucher_terms import voucher_stop
from tests.api.conftest import Caller, Refused, browser, platform_key
from tests.api.walk import ANSWERS, cart_with, done
from tests.factories import TESTER
from tests.factories.story import make_delivering_merchant, make_stocked_sku
from tests.factories.vouchers import make_voucher, used

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_counted() -> Iterator[None]:
    """What was tried before is forgotten."""
    cache.clear()
    yield
    cache.clear()


def enter(caller: Caller, cart_id: str, code: str) -> Any:
    return caller.post(f"/carts/{cart_id}/vouchers", {"code": code})


def test_a_code_in_any_case_takes_its_part_off(platform: Caller) -> None:
    voucher = make_voucher(code="WELCOME-10")
    cart_id = cart_with(platform, make_stocked_sku(), units=2)

    cart = done(enter(platform, cart_id, " welcome-10 "), 201)

    assert cart["voucher"] == {"code": "WELCOME-10", "kind": "percentage", "problem": None}
    assert cart["discount"] == {"amount": 200, "currency": "EUR"}
    assert cart["items"] == {"amount": 2000, "currency": "EUR"}
    assert used(voucher) == 0


def test_it_is_taken_out_again_however_often(platform: Caller) -> None:
    cart_id = cart_with(platform, make_stocked_sku())
    done(enter(platform, cart_id, make_voucher().code), 201)
    for _ in range(2):
        cart = done(platform.delete(f"/carts/{cart_id}/vouchers"))
        assert (cart["voucher"], cart["discount"]["amount"]) == (None, 0)


def test_another_code_takes_the_place_of_the_first(platform: Caller) -> None:
    cart_id = cart_with(platform, make_stocked_sku())
    for voucher in (make_voucher(), make_voucher(amount_minor=300)):
        cart = done(enter(platform, cart_id, voucher.code), 201)
    assert (cart["voucher"]["kind"], cart["discount"]["amount"]) == ("fixed", 300)


@pytest.mark.parametrize("code", ["NOBODYS", "", " ", "ünknown", "a\0b"])
def test_a_code_that_nobody_made_is_refused(platform: Caller, refused: Refused, code: str) -> None:
    cart_id = cart_with(platform, make_stocked_sku())
    answer = enter(platform, cart_id, code)
    assert answer.status_code == 422
    assert Cart.objects.get(pk=cart_id).voucher is None
    if code == "NOBODYS":
        document = refused(answer, 422, "voucher-unknown")
        assert document["errors"] == [
            {
                "pointer": "/voucher",
                "code": "voucher-unknown",
                "message": "We do not recognise this voucher code",
            }
        ]


def test_what_it_is_not_for_is_refused_with_the_reason(platform: Caller, refused: Refused) -> None:
    voucher = make_voucher(amount_minor=500, minimum_minor=3000)
    cart_id = cart_with(platform, make_stocked_sku())
    document = refused(enter(platform, cart_id, voucher.code), 409, "voucher-minimum")
    assert document["detail"] == "Spend 20.00 EUR more to use this voucher"


def test_the_cart_says_of_a_voucher_that_it_does_not_hold_any_more(platform: Caller) -> None:
    voucher = make_voucher()
    cart_id = cart_with(platform, make_stocked_sku())
    done(enter(platform, cart_id, voucher.code), 201)
    voucher_stop(voucher_id=voucher.pk, reason="misprint", actor=TESTER)
    cart = done(platform.get(f"/carts/{cart_id}"))
    assert cart["voucher"]["problem"]["code"] == "voucher-stopped"
    assert cart["discount"]["amount"] == 0


def test_an_order_is_placed_with_it_at_the_total_that_the_checkout_told(platform: Caller) -> None:
    voucher = make_voucher(total_limit=1)
    cart_id = cart_with(platform, make_stocked_sku())
    done(enter(platform, cart_id, voucher.code), 201)
    checkout = done(platform.post("/checkouts", {"cart_id": cart_id}), 201)
    checkout = done(platform.patch(f"/checkouts/{checkout['id']}", ANSWERS))
    assert checkout["total"]["amount"] == 1000 + 500 - 100
    assert checkout["can_complete"]
    told = {"expected_total": checkout["total"]}
    group = done(platform.post(f"/checkouts/{checkout['id']}/complete", told), 201)
    assert OrderGroup.objects.get(pk=group["id"]).discount_minor == 100
    assert used(voucher) == 1


def test_a_checkout_whose_voucher_does_not_hold_tells_so_and_is_refused(
    platform: Caller, refused: Refused
) -> None:
    voucher = make_voucher()
    cart_id = cart_with(platform, make_stocked_sku())
    done(enter(platform, cart_id, voucher.code), 201)
    voucher_stop(voucher_id=voucher.pk, reason="misprint", actor=TESTER)
    checkout = done(platform.post("/checkouts", {"cart_id": cart_id}), 201)
    checkout = done(platform.patch(f"/checkouts/{checkout['id']}", ANSWERS))
    assert [told["code"] for told in checkout["problems"]] == ["voucher-stopped"]
    assert not checkout["can_complete"]
    told = {"expected_total": checkout["total"]}
    answer = platform.post(f"/checkouts/{checkout['id']}/complete", told)
    refused(answer, 409, "voucher-stopped")
    assert not OrderGroup.objects.exists()


def test_a_cart_of_somebody_else_is_not_there(refused: Refused) -> None:
    cart_id = cart_with(platform_key(), make_stocked_sku())
    stranger = browser()
    refused(enter(stranger, cart_id, make_voucher().code), 404, "not-found")
    refused(stranger.delete(f"/carts/{cart_id}/vouchers"), 404, "not-found")
    assert make_delivering_merchant()  # whose key has no scope for carts at all


def test_codes_can_be_guessed_ten_times_for_a_cart_even_by_a_program(
    platform: Caller, refused: Refused
) -> None:
    voucher = make_voucher()
    cart_id = cart_with(platform, make_stocked_sku())
    for number in range(10):
        refused(enter(platform, cart_id, f"GUESS{number}"), 422, "voucher-unknown")
    answer = enter(platform, cart_id, voucher.code)
    document = refused(answer, 429, "too-many-tries")
    assert (document["retryable"], answer["Retry-After"]) == (True, "300")
    assert Cart.objects.get(pk=cart_id).voucher is None
    other = cart_with(platform, make_stocked_sku())
    done(enter(platform, other, voucher.code), 201)


def test_a_browser_that_takes_a_new_cart_for_each_guess_is_stopped_too(refused: Refused) -> None:
    sku = make_stocked_sku()
    for number in range(20):
        visitor = browser()
        refused(enter(visitor, cart_with(visitor, sku), f"GUESS{number}"), 422, "voucher-unknown")
    visitor = browser()
    refused(enter(visitor, cart_with(visitor, sku), "GUESS"), 429, "too-many-tries")


def test_right_codes_and_other_refusals_are_no_guesses(platform: Caller, refused: Refused) -> None:
    right, wrong = make_voucher(), make_voucher(amount_minor=500, minimum_minor=3000)
    cart_id = cart_with(platform, make_stocked_sku())
    for _ in range(11):
        done(enter(platform, cart_id, right.code), 201)
        refused(enter(platform, cart_id, wrong.code), 409, "voucher-minimum")
