"""Store credit in the shop: a tick on the pay page, for its owner alone, and the account's list."""

import pytest
from django.test import Client

from accounts.models import User
from accounts.services import customer_for_user
from orders.links import link_path
from orders.models import OrderGroup
from payments.models import Attempt, Payment
from payments.selectors import credit_minor
from tests.factories import make_user, prove_address
from tests.factories.money import say
from tests.factories.story import (
    deliver_events,
    fresh_row,
    issue_credit,
    make_stocked_sku,
    place,
)

pytestmark = pytest.mark.django_db

TICK = 'name="use_store_credit"'


def logged_in(*, verified: bool = True) -> tuple[Client, User]:
    user, client = make_user(), Client()
    if verified:
        prove_address(user)
    client.force_login(user)
    return client, user


def group_of(user: User, credit: int) -> OrderGroup:
    """Of 15.00, whose customer has that much credit."""
    group = place([(make_stocked_sku(), 1)], customer_for_user(user=user))
    issue_credit(group, credit)
    return group


def page_of(group: OrderGroup) -> str:
    return f"{link_path(group)}pay/"


def left(group: OrderGroup) -> int:
    return credit_minor(
        customer_id=group.customer_id, shard_key=group.shard_key, currency=group.currency
    )


def test_the_owner_ticks_it_and_the_rest_is_paid_as_chosen() -> None:
    client, user = logged_in()
    group = group_of(user, 1200)
    html = client.get(page_of(group)).content.decode()
    assert TICK in html
    assert "Use your store credit (12.00 EUR)" in html
    answer = client.post(page_of(group), {"method": "tok_ok", "use_store_credit": "1"})
    assert answer.status_code == 303
    assert (left(group), Attempt.objects.get().amount_minor) == (0, 300)
    assert "12.00 EUR is paid with your store credit" in client.get(page_of(group)).content.decode()


def test_without_the_tick_it_stays() -> None:
    client, user = logged_in()
    group = group_of(user, 1200)
    client.post(page_of(group), {"method": "tok_ok"})
    assert (left(group), Attempt.objects.get().amount_minor) == (1200, 1500)


def test_credit_that_is_enough_needs_no_method() -> None:
    client, user = logged_in()
    group = group_of(user, 5000)
    assert "you need no other way to pay" in client.get(page_of(group)).content.decode()
    answer = client.post(page_of(group), {"use_store_credit": "1"})
    assert answer.status_code == 303
    waiting = client.get(page_of(group))
    assert TICK not in waiting.content.decode()
    assert waiting["Refresh"].startswith("5;")
    deliver_events()
    assert fresh_row(group).status == "paid"
    assert left(group) == 3500


def test_credit_that_is_not_enough_needs_a_method() -> None:
    client, user = logged_in()
    group = group_of(user, 1499)
    answer = client.post(page_of(group), {"use_store_credit": "1"})
    assert answer.status_code == 422
    assert left(group) == 1499


@pytest.mark.parametrize("visitor", ["guest", "unproved", "another"])
def test_nobody_else_sees_or_spends_it(visitor: str) -> None:
    _, owner = logged_in()
    group = group_of(owner, 5000)
    client = Client()
    if visitor == "another":
        client, _ = logged_in()
    if visitor == "unproved":
        client, stranger = logged_in(verified=False)
        group = group_of(stranger, 5000)
    assert TICK not in client.get(page_of(group)).content.decode()
    client.post(page_of(group), {"method": "tok_ok", "use_store_credit": "1"})
    assert left(group) == 5000
    assert not Payment.objects.filter(tender="store_credit").exists()


def test_after_a_failure_the_tick_is_there_again() -> None:
    client, user = logged_in()
    group = group_of(user, 1200)
    client.post(page_of(group), {"method": "tok_refused", "use_store_credit": "1"})
    say(Attempt.objects.get(), "failed")
    assert "Use your store credit (12.00 EUR)" in client.get(page_of(group)).content.decode()


def test_the_account_shows_balance_and_entries() -> None:
    client, user = logged_in()
    customer_for_user(user=user)
    empty = client.get("/account/credit/").content.decode()
    assert "You have no store credit" in empty
    group = group_of(user, 1200)
    client.post(page_of(group), {"method": "tok_ok", "use_store_credit": "1"})
    issue_credit(group, 250)
    html = client.get("/account/credit/").content.decode()
    for words in ("2.50 EUR", "Given to you", "sorry", "Paid with", "12.00 EUR"):
        assert words in html


def test_the_account_shows_it_to_nobody_else() -> None:
    assert Client().get("/account/credit/").status_code == 302
    client, user = logged_in(verified=False)
    group_of(user, 1200)
    html = client.get("/account/credit/").content.decode()
    assert "Confirm your email address" in html
    assert "12.00" not in html
