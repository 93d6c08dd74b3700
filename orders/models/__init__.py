"""Tables of the story: the cart, what is made of it when it is placed, and what is told of that."""

from orders.models.cart import Cart, CartLine, CheckoutRecord
from orders.models.mail import Mail
from orders.models.order import Order, OrderGroup, OrderLine

__all__ = ["Cart", "CartLine", "CheckoutRecord", "Mail", "Order", "OrderGroup", "OrderLine"]
