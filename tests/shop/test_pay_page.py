"""The pay page: how much, until when, one try at a time, and what to do when one fails."""

import re
from datetime import timedelta

import pytest
from django.test import Client

from core import clock
from core.errors import NotFound
from orders import tasks
from orders.links import group_of_link, link_path
from orders.models import CartLine, OrderGroup
from orders.services.cancel import order_group_cancel
from orders.services.expire import order_group_expire
from payments.channels import base
from payments.channels.base import Answer
from payments.channels.stripe import Stripe
from payments.models import Attempt
from payments.services.collect import attempt_answer_record
from tests.factories import TESTER
from tests.factories.shopper import cart_of, cost, visitor
from tests.factories.story import (
    BUYER,
    CHANNEL,
    capture,
    expire_for_good,
    make_group,
    make_paid_group,
    pay,
    place,
)
from tests.factories.story import make_stocked_sku as stocked

pytestmark = pytest.mark.django_db

BANK_PAGE = "http://bank.example/pay/1"


def page_of(group: OrderGroup) -> str:
    return f"{link_path(group)}pay/"


def look(group: OrderGroup, query: str = "") -> str:
    response = Client().get(page_of(group) + query)
    assert response.status_code == 200
    return response.content.decode()


def press(group: OrderGroup, method: str = "tok_ok") -> Attempt:
    """The shopper has chosen a way to pay."""
    response = Client().post(page_of(group), {"method": method})
    assert (response.status_code, response["Location"]) == (303, page_of(group))
    return Attempt.objects.latest("id")


def answered(attempt: Attempt, status: str, **fields: str) -> None:
    answer = Answer(
        status=status,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        ref=f"ref-{attempt.pk}",
        **fields,
    )
    attempt_answer_record(attempt_id=attempt.pk, answer=answer, actor=CHANNEL)


def test_it_says_how_much_and_until_when() -> None:
    group = make_group()
    html = look(group)
    assert "Pay 15.00 EUR" in html
    assert f"{group.pay_before:%H:%M} UTC" in html
    assert ">30 minutes left<" in html
    clock.advance(timedelta(minutes=29, seconds=30))
    assert ">1 minute left<" in look(group)


def test_it_looks_again_by_itself_without_a_script() -> None:
    group = make_group()
    attempt = press(group)
    assert Client().get(page_of(group))["Refresh"] == f"2; url={page_of(group)}"
    answered(attempt, "processing")
    assert Client().get(page_of(group))["Refresh"] == f"5; url={page_of(group)}"


def test_it_takes_no_choice_away_before_the_deadline() -> None:
    group = make_group()
    seconds, _, _ = Client().get(page_of(group))["Refresh"].partition(";")
    assert 30 * 60 - 20 < int(seconds) <= 30 * 60 + 1


def test_choosing_a_way_to_pay_starts_a_try_that_returns_here() -> None:
    group = make_group()
    attempt = press(group, "tok_3ds")
    assert (attempt.channel, attempt.token) == ("sandbox", "tok_3ds")
    assert attempt.return_url.endswith(f"{page_of(group)}?returned=1")
    assert "We are waiting for your bank. Do not pay again" in look(group)


def test_without_a_choice_it_asks_for_one() -> None:
    group = make_group()
    for sent in ({}, {"method": "tok_nobody"}, {"method": ""}):
        response = Client().post(page_of(group), sent)
        html = response.content.decode()
        assert response.status_code == 422
        assert '<a href="#id_method">Select how you want to pay</a>' in html
        assert 'id="method_error"' in html
    assert not Attempt.objects.exists()


def test_pressed_twice_it_is_one_try() -> None:
    group = make_group()
    press(group)
    press(group)
    assert Attempt.objects.count() == 1


def test_a_bank_that_asks_something_is_one_link_away() -> None:
    group = make_group()
    answered(press(group, "bank"), "requires_action", action_url=BANK_PAGE)
    html = look(group)
    assert f'href="{BANK_PAGE}"' in html
    assert "Continue to your bank" in html
    assert 'name="method"' not in html


def test_coming_back_from_the_bank_decides_nothing() -> None:
    group = make_group()
    answered(press(group), "requires_action", action_url=BANK_PAGE)
    html = look(group, "?returned=1")
    assert "We are waiting for your bank" in html
    assert OrderGroup.objects.get(pk=group.pk).status == "pending_payment"


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("insufficient_funds", "Try another payment method"),
        ("refused", "Try another payment method"),
        ("challenge_failed", "Ask your bank"),
        ("invalid_card", "Check the card number, expiry date and security code"),
        ("out_of_order", "The payment service did not answer"),
    ],
)
def test_a_refusal_says_what_to_do_and_never_why(reason: str, advice: str) -> None:
    group = make_group()
    answered(press(group), "failed", failure_code=reason)
    html = look(group)
    assert advice in html
    assert reason not in html.replace("tok_refused", "").replace("card: refused", "")
    assert "Not accepted" in html
    assert 'name="method"' in html
    press(group)
    assert Attempt.objects.count() == 2


def test_while_the_order_has_not_heard_of_its_money_nobody_is_asked_to_pay_again() -> None:
    group = make_group()
    capture(press(group))
    html = look(group)
    assert "Do not pay again" in html
    assert "<fieldset" not in html


def test_once_paid_the_order_is_next() -> None:
    group = make_paid_group()
    response = Client().get(page_of(group))
    assert (response.status_code, response["Location"]) == (303, link_path(group))
    assert Client().post(page_of(group), {"method": "tok_ok"}).status_code == 303
    assert Attempt.objects.count() == 1


def test_it_is_too_late_for_a_try_in_the_last_minute() -> None:
    group = make_group()
    clock.advance(timedelta(minutes=29, seconds=30))
    response = Client().post(page_of(group), {"method": "tok_ok"})
    assert response.status_code == 422
    assert "The time to pay is over." in response.content.decode()


def test_after_the_deadline_it_says_so_and_looks_again_until_all_is_released() -> None:
    group = make_group()
    clock.advance(timedelta(minutes=31))
    html = look(group)
    assert f"The time to pay ended at {group.pay_before:%H:%M} UTC" in html
    assert "refill" not in html
    assert "You have not been charged" not in html  # nobody knows that yet
    assert Client().get(page_of(group))["Refresh"].startswith("5;")
    order_group_expire(group_id=group.pk, actor=TESTER)
    assert "Put these items back in my basket" in look(group)
    assert "Refresh" not in Client().get(page_of(group))


def test_where_the_channel_stayed_silent_it_does_not_say_that_nothing_was_charged() -> None:
    group = make_group()
    press(group)
    expire_for_good(group)
    html = look(group)
    assert "You have not been charged" not in html
    assert "If you are charged all the same, the money goes back to you." in html


def test_money_that_came_too_late_leads_to_the_page_that_tells_of_it() -> None:
    group = make_group()
    attempt = press(group)
    clock.advance(timedelta(minutes=31))
    order_group_expire(group_id=group.pk, actor=TESTER)
    answered(attempt, "closed")
    order_group_expire(group_id=group.pk, actor=TESTER)
    capture(attempt)
    assert Client().get(page_of(group))["Location"] == link_path(group)


def test_the_goods_of_an_order_that_ended_go_back_into_the_basket() -> None:
    sku, gone = stocked(units=3), stocked(units=1)
    group = place([(sku, 3), (gone, 1)])
    clock.advance(timedelta(minutes=31))
    order_group_expire(group_id=group.pk, actor=TESTER)
    place([(gone, 1)])

    client = Client()
    assert client.get(f"{link_path(group)}refill/").status_code == 405
    response = client.post(f"{link_path(group)}refill/")
    assert (response.status_code, response["Location"]) == (303, "/basket/")
    assert dict(cart_of(client).lines.values_list("sku_id", "quantity")) == {sku.pk: 3}
    told = [str(message) for message in client.get("/basket/").context["messages"]]
    assert told == [f"{gone.product.title} is sold out. It is not in your basket"]


def test_they_join_what_is_in_the_basket_already() -> None:
    group = make_group()
    order_group_cancel(group_id=group.pk, actor=BUYER, reason="")
    client = visitor()
    client.post(f"{link_path(group)}refill/")
    assert CartLine.objects.filter(cart=cart_of(client)).count() == 2


def test_a_live_order_gives_nothing_back() -> None:
    group = make_group()
    client = Client()
    assert client.post(f"{link_path(group)}refill/")["Location"] == link_path(group)
    assert "cart" not in client.session


def test_a_cancelled_order_is_not_to_be_paid() -> None:
    group = make_group()
    order_group_cancel(group_id=group.pk, actor=BUYER, reason="")
    assert Client().get(page_of(group))["Location"] == link_path(group)


def test_a_wrong_key_opens_nothing() -> None:
    group, other = make_group(), make_group()
    key = link_path(other).split("/")[3]
    with pytest.raises(NotFound):
        group_of_link(number=group.number, key=key)
    for path in ("", "pay/", "cancel/", "refill/"):
        address = f"/o/{group.number}/{key}/{path}"
        assert Client().post(address).status_code in (404, 405)
        assert Client().get(address).status_code in (404, 405)
    assert not Attempt.objects.exists()


def test_the_page_keeps_its_budget() -> None:
    group = make_group(orders=3)
    assert cost(visitor(), page_of(group))[0] <= 5
    answered(press(group), "failed", failure_code="refused")
    statements, size = cost(visitor(), page_of(group))
    assert statements <= 5
    assert size <= 14 * 1024


def test_looking_changes_nothing() -> None:
    group = make_group()
    before = OrderGroup.objects.values().get(pk=group.pk)
    look(group, "?method=tok_ok&returned=1")
    assert OrderGroup.objects.values().get(pk=group.pk) == before
    assert not Attempt.objects.exists()
    assert pay(group).status == "paid"


EXTEND = "Give me 3 more minutes"


def test_more_time_is_offered_in_the_last_five_minutes_without_a_script_too() -> None:
    group = make_group()
    html = look(group)
    assert 'hidden data-shown-after="1' in html  # a script shows it then
    assert '<noscript><meta http-equiv="refresh" content="1' in html
    clock.advance(timedelta(minutes=25, seconds=1))
    html = look(group)
    assert EXTEND in html
    assert "data-shown-after" not in html
    assert "noscript" not in html


def test_three_more_minutes_are_one_button() -> None:
    group = make_group()
    clock.advance(timedelta(minutes=28))
    client = Client()
    response = client.post(f"{link_path(group)}extend/")
    assert (response.status_code, response["Location"]) == (303, page_of(group))
    html = client.get(page_of(group)).content.decode()
    assert "You have 3 more minutes to pay." in html
    assert ">5 minutes left<" in html
    assert client.get(f"{link_path(group)}extend/").status_code == 405


def test_the_button_for_more_time_pressed_twice_spends_one_extension() -> None:
    group = make_group()
    clock.advance(timedelta(minutes=28))
    [seen] = re.findall(r'name="seen" value="([^"]+)"', look(group))
    for _ in range(2):
        Client().post(f"{link_path(group)}extend/", {"seen": seen})
    assert OrderGroup.objects.get().extensions_left == 9
    assert seen not in look(group)


@pytest.mark.parametrize("seen", ["", "yesterday", "2026-13-01T00:00:00+00:00"])
def test_a_page_that_names_no_deadline_gets_its_time_all_the_same(seen: str) -> None:
    group = make_group()
    clock.advance(timedelta(minutes=28))
    Client().post(f"{link_path(group)}extend/", {"seen": seen})
    assert OrderGroup.objects.get().extensions_left == 9


def test_asking_too_early_changes_nothing() -> None:
    group = make_group()
    assert Client().post(f"{link_path(group)}extend/").status_code == 303
    assert OrderGroup.objects.get().pay_before == group.pay_before


def test_in_a_flash_sale_no_time_is_offered_and_the_product_says_so() -> None:
    flash = stocked(pay_within_minutes=15)
    group = place([(flash, 1)])
    clock.advance(timedelta(minutes=12))
    html = look(group)
    assert EXTEND not in html
    assert "This time can’t be extended." in html
    product = Client().get(f"/p/{flash.product.slug}/").content.decode()
    assert "15 minutes from when you place the order. This time can’t be extended" in product


def test_a_transfer_is_named_and_shows_the_day_until_which_it_may_come() -> None:
    group = make_group()
    attempt = press(group, "transfer")
    answered(attempt, "processing", action_url=BANK_PAGE)
    html = look(group)
    assert attempt.channel == "sandbox_transfer"
    assert f"{attempt.expires_at:%-d %B %H:%M} UTC" in html
    assert "minutes left" not in html
    assert "Bank transfer</span>" in html


def test_the_card_at_stripe_is_offered_where_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    group = make_group()
    assert "Stripe" not in look(group)
    assert Client().post(page_of(group), {"method": "card"}).status_code == 422

    monkeypatch.setattr(base, "_channels", dict(base._channels))
    base.register("stripe", Stripe())
    assert "Card, on Stripe’s page" in look(group)
    attempt = press(group, "card")
    assert (attempt.channel, attempt.token) == ("stripe", "")


def test_an_amount_that_a_channel_can_not_take_is_said_in_words() -> None:
    group = make_group()
    answered(press(group), "failed", failure_code="amount_not_possible")
    assert "This amount can’t be paid in this way. Try another payment method" in look(group)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Whom an edge has asked to expire; nobody is asked within a transaction of the request."""
    ids: list[int] = []
    monkeypatch.setattr(tasks.expire_group, "apply_async", lambda args, **_: ids.extend(args))
    return ids


@pytest.mark.parametrize("path", ["pay/", "extend/", "cancel/"])
def test_a_refusal_for_being_late_asks_for_the_expiry(asked: list[int], path: str) -> None:
    group = make_group()
    Client().post(f"{link_path(group)}extend/")  # too early: that is another refusal
    assert asked == []
    clock.advance(timedelta(minutes=31))
    Client().post(f"{link_path(group)}{path}", {"method": "tok_ok", "reason": "mistake"})
    assert asked == [group.pk]


def test_a_broker_that_is_away_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(tasks.expire_group, "apply_async", fail)
    group = make_group()
    clock.advance(timedelta(minutes=31))
    response = Client().post(page_of(group), {"method": "tok_ok"})
    assert "The time to pay is over." in response.content.decode()
