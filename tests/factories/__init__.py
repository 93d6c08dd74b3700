"""Small builders of what a test needs, through the services. Other apps' builders stand beside."""

from itertools import count
from typing import Any

from allauth.account.models import EmailAddress

from accounts.actors import system
from accounts.models import Customer, Merchant, User
from accounts.services import NewMerchant, customer_for_email, merchant_activate, merchant_create
from catalog.models import Product, Sku
from catalog.services import NewProduct, NewSku, product_create, product_publish

TESTER = system("test")

_numbers = count(1)


def fresh(pattern: str) -> str:
    """The pattern with a number in it that no other call gets."""
    return pattern.format(next(_numbers))


def make_user(**fields: Any) -> User:
    """A user without a usable password."""
    return User.objects.create_user(**{"email": fresh("user{}@example.com"), **fields})


def prove_address(user: User) -> None:
    """The user has followed the link that was sent to their address."""
    EmailAddress.objects.update_or_create(
        user=user, email=user.email, defaults={"verified": True, "primary": True}
    )


def make_customer(**fields: Any) -> Customer:
    """A customer without a user."""
    return customer_for_email(**{"email": fresh("customer{}@example.com"), **fields})


def make_merchant(currency: str = "EUR", *, active: bool = True, **fields: Any) -> Merchant:
    """A merchant that sells; with `active=False` one in onboarding."""
    slug = fresh("merchant-{}")
    given = {"name": slug, "slug": slug, "country": "DE", "commission_basis_points": 1000, **fields}
    merchant = merchant_create(merchant=NewMerchant(currency=currency, **given), actor=TESTER)
    return merchant_activate(merchant_id=merchant.pk, actor=TESTER) if active else merchant


def make_product(
    merchant: Merchant | None = None,
    *,
    skus: list[NewSku] | None = None,
    published: bool = True,
    **fields: Any,
) -> Product:
    """A product with one SKU of 10.00, or with those given; published unless told otherwise."""
    slug = fresh("product-{}")
    given = {
        "merchant_id": (merchant or make_merchant()).pk,
        "slug": slug,
        "title": slug,
        "skus": [new_sku()] if skus is None else skus,
        **fields,
    }
    product = product_create(product=NewProduct(**given), actor=TESTER)
    return product_publish(product_id=product.pk, actor=TESTER) if published else product


def new_sku(**fields: Any) -> NewSku:
    """What a SKU of 10.00 starts with."""
    return NewSku(**{"code": fresh("sku-{}"), "price_minor": 1000, **fields})


def make_sku(merchant: Merchant | None = None, *, published: bool = True, **fields: Any) -> Sku:
    """A SKU of a product of its own; `pay_within_minutes` is the product's."""
    of_product = {
        name: fields.pop(name)
        for name in ("pay_within_minutes", "category_id", "tax_class_id")
        if name in fields
    }
    product = make_product(merchant, skus=[new_sku(**fields)], published=published, **of_product)
    return product.skus.get()
