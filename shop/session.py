"""The visitor: who acts, and which basket is theirs.

`request.session["cart"]` holds the token of a guest's cart, also over the login.
"""

from django.http import HttpRequest

from accounts.actors import Actor, Role
from accounts.models import Customer
from accounts.services import customer_for_user
from core.errors import Conflict
from orders.models import Cart
from orders.selectors.basket_page import open_carts
from orders.services.cart import cart_open

CART = "cart"


def buyer_of(request: HttpRequest) -> Actor:
    """The visitor as an actor: `buyer:user/7`, `buyer:guest`."""
    return Actor(Role.BUYER, f"user/{request.user.pk}" if request.user.pk else "guest")


def cart_token(request: HttpRequest) -> str:
    """The token of the visitor's cart, '' where the session has none."""
    return str(request.session.get(CART, ""))


def cart_of(request: HttpRequest) -> Cart | None:
    """The open cart of the session, or else of the login; nobody else's."""
    return open_carts(token=cart_token(request), user_id=request.user.pk).first()


def cart_for(request: HttpRequest) -> Cart:
    """The visitor's open cart, a new one where there is none; the session keeps its token."""
    cart = cart_of(request)
    if cart is None:
        cart = cart_open(customer=customer_of(request), actor=buyer_of(request))
    request.session[CART] = cart.token
    return cart


def customer_of(request: HttpRequest) -> Customer | None:
    """The customer of the login; None for a guest, and where another login has that customer."""
    if not request.user.is_authenticated:
        return None
    try:
        return customer_for_user(user=request.user)
    except Conflict:
        return None
