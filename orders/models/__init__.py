"""Tables of the story: the cart, what is made of it when it is placed, and what comes after."""

from orders.models.aftersale import CancelRequest, Note, OrderRefund
from orders.models.cart import Cart, CartLine, CheckoutRecord
from orders.models.line import OrderLine
from orders.models.mail import Mail
from orders.models.order import Order, OrderGroup
from orders.models.voucher import Voucher, VoucherUse

__all__ = [
    "CancelRequest",
    "Cart",
    "CartLine",
    "CheckoutRecord",
    "Mail",
    "Note",
    "Order",
    "OrderGroup",
    "OrderLine",
    "OrderRefund",
    "Voucher",
    "VoucherUse",
]
