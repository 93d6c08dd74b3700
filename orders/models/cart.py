"""The first chapter of an order: what a shopper has put together so far."""

import secrets

from django.db import models
from django.db.models import Q

from accounts.models import Customer
from catalog.models import Sku
from core.sharding import LocalModel


def new_token() -> str:
    """128 random bits that open a guest's cart."""
    return secrets.token_urlsafe(16)


class Cart(LocalModel):
    """A shopper's goods, of several merchants, in one currency; open until it is placed.

    A guest's is opened by its token alone, whoever the guest says to be: anybody may name any
    address. One that is not a guest's belongs to its customer's login.
    """

    token = models.CharField(max_length=32, unique=True, default=new_token)
    customer = models.ForeignKey(Customer, null=True, on_delete=models.PROTECT)
    guest = models.BooleanField(default=True)
    currency = models.CharField(max_length=3, blank=True)
    voucher = models.ForeignKey(
        "orders.Voucher", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    placed_group_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["customer"], condition=Q(placed_group_id=None), name="orders_cart_open"
            )
        ]

    def __str__(self) -> str:
        return f"cart {self.pk}"


class CheckoutRecord(LocalModel):
    """What a shopper has answered so far on the way from cart to order; one per cart.

    Kept on the server, so that going back, refreshing and a second tab lose nothing. `token` opens
    it, and is the checkout token that the group is placed with: sent twice, it is the same order.
    """

    cart = models.OneToOneField(Cart, on_delete=models.CASCADE, related_name="checkout")
    token = models.CharField(max_length=32, unique=True, default=new_token)
    email = models.CharField(max_length=254, blank=True)
    name = models.CharField(max_length=120, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    address = models.JSONField(default=dict)  # line1, line2, city, region, postcode, country
    delivery_methods = models.JSONField(default=dict)  # merchant id → method id, both as text
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"checkout of cart {self.cart_id}"


class CartLine(LocalModel):
    """Some units of a SKU in a cart, with the price that the shopper saw when they were added."""

    cart = models.ForeignKey(Cart, on_delete=models.CASCADE, related_name="lines")
    sku = models.ForeignKey(Sku, on_delete=models.PROTECT)
    quantity = models.IntegerField()
    seen_price_minor = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cart", "sku"], name="orders_cartline_once"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="orders_cartline_quantity"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku_id}"
