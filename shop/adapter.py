"""What happens to the visitor's basket when they log in."""

from contextlib import suppress
from typing import Any

from django.http import HttpRequest, HttpResponse

from accounts.adapter import AccountAdapter
from core.errors import NotFound
from orders.services.cart import cart_merge
from shop.session import CART, buyer_of, cart_of, customer_of


class ShopAccountAdapter(AccountAdapter):
    """Brings the guest's goods along."""

    def post_login(self, request: HttpRequest, user: Any, **given: Any) -> HttpResponse:
        """After every login and signup; the session has kept the guest cart's token."""
        bring_cart(request)
        answer: HttpResponse = super().post_login(request, user, **given)
        return answer


def bring_cart(request: HttpRequest) -> None:
    """Puts the guest's cart into the customer's, and remembers the one that is left to use.

    A cart in another currency stays the guest's, and is the one on view until it is placed.
    """
    customer, cart = customer_of(request), cart_of(request)
    if customer is None or cart is None or not cart.guest:
        return
    # Placed by another tab in this moment: there is nothing to bring.
    with suppress(NotFound):
        own = cart_merge(guest_cart_id=cart.pk, customer=customer, actor=buyer_of(request))
        stays_behind = cart.currency and own.currency not in ("", cart.currency)
        if not stays_behind:
            request.session[CART] = own.token
