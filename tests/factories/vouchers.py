"""Vouchers, and baskets that carry one."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from accounts.models import Customer
from catalog.models import Sku
from core import clock
from delivery.services import quote
from orders.models import Cart, OrderGroup, Voucher
from orders.pricing import VoucherTerms, totals_of
from orders.selectors.basket import basket_lines, basket_prices, parcels_of
from orders.services.place import order_group_place
from orders.services.voucher import cart_voucher_set
from orders.services.voucher_terms import NewVoucher, voucher_create
from tests.factories import TESTER, fresh
from tests.factories.story import BUYER, Basket, fill_cart, make_checkout


def make_voucher(**fields: Any) -> Voucher:
    """A voucher of the platform, 10 % off all goods; with `amount_minor` that many cents instead."""
    given = {"code": fresh("CODE-{}"), "funded_by": "platform", **fields}
    if "kind" not in given:
        terms = {"kind": "fixed", "currency": "EUR"} if "amount_minor" in given else TENTH
        given = {**terms, **given}
    return voucher_create(voucher=NewVoucher(**given), actor=TESTER)


TENTH = {"kind": "percentage", "basis_points": 1000}


def voucher_of(terms: VoucherTerms) -> Voucher:
    """The voucher with these terms, in euros; made where there is none of that code."""
    known = Voucher.objects.filter(code=terms.code).first()
    has_amount = terms.amount_minor or terms.minimum_minor
    return known or make_voucher(**asdict(terms), currency="EUR" if has_amount else "")


def fill_cart_with(
    voucher: Voucher, wants: Sequence[tuple[Sku, int]], customer: Customer | None = None
) -> Basket:
    """A cart that carries it, and the total that its shopper sees."""
    basket = fill_cart(wants, customer)
    cart = cart_voucher_set(cart_id=basket.cart_id, code=voucher.code, actor=BUYER)
    return Basket(basket.cart_id, total_minor(cart))


def total_minor(cart: Cart) -> int:
    """What placing would ask for the cart now."""
    lines = list(basket_lines(cart))
    parcels = parcels_of(lines, cart.currency, {})
    quotes = quote(cart_id=cart.pk, parcels=parcels, at=clock.now())
    terms = cart.voucher.terms if cart.voucher else None
    return totals_of(basket_prices(lines, quotes, voucher=terms)).total_minor


def place_with(
    voucher: Voucher, wants: Sequence[tuple[Sku, int]], customer: Customer | None = None
) -> OrderGroup:
    """A placed group that carries it."""
    return place_basket(fill_cart_with(voucher, wants, customer))


def place_basket(basket: Basket) -> OrderGroup:
    """The group that a filled cart becomes."""
    return order_group_place(cart_id=basket.cart_id, checkout=make_checkout(basket), actor=BUYER)


def used(voucher: Voucher) -> int:
    """What its counter says."""
    return Voucher.objects.values_list("used_count", flat=True).get(pk=voucher.pk)


def counting(voucher: Voucher) -> int:
    """How many groups carry it and have not given it back."""
    return voucher.uses.filter(given_back_at=None).count()
