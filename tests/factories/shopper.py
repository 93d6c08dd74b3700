"""A visitor of the shop's pages: a browser's session, and the ways through the checkout."""

import gzip
import re
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from catalog.models import Sku
from orders.models import Cart, OrderGroup
from orders.services.cart import cart_line_add, cart_open
from tests.factories.story import BUYER, make_stocked_sku

ANSWERS = {
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "country": "DE",
    "line1": "Am Kai 1",
    "line2": "",
    "city": "Bremen",
    "region": "",
    "postcode": "28195",
    "phone": "",
}


def visitor(wants: Sequence[tuple[Sku, int]] = (), user: User | None = None) -> Client:
    """A browser with these units in its basket; one unit of something without them."""
    client = Client()
    if user:
        client.force_login(user)
    cart = cart_open(customer=None, actor=BUYER)
    for sku, quantity in wants or [(make_stocked_sku(), 1)]:
        cart_line_add(cart_id=cart.pk, sku_id=sku.pk, quantity=quantity, actor=BUYER)
    session = client.session
    session["cart"] = cart.token
    session.save()
    return client


def cart_of(client: Client) -> Cart:
    """The basket of that browser."""
    return Cart.objects.get(token=client.session["cart"])


def answer(client: Client, **answers: str) -> Any:
    """Sends step 1."""
    return client.post("/checkout/", ANSWERS | answers)


def last_step(client: Client) -> dict[str, str]:
    """What the form of the last step would send."""
    html = client.get("/checkout/review/").content.decode()
    return dict(re.findall(r'name="(checkout_token|total_minor|currency)" value="([^"]+)"', html))


def order(client: Client) -> OrderGroup:
    """The order that this browser places, from its first step to its last."""
    answer(client)
    sent = last_step(client)
    client.post("/checkout/review/", sent)
    return OrderGroup.objects.get(checkout_token=sent["checkout_token"])


def cost(client: Client, path: str) -> tuple[int, int]:
    """(statements, bytes as they travel) of looking at a page."""
    with CaptureQueriesContext(connection) as queries:
        response = client.get(path)
    assert response.status_code == 200, (path, response.status_code, response.headers)
    return len(queries), len(gzip.compress(response.content))
