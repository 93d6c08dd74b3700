"""What is taxed how: classes and rates are the platform's, the class of a product its merchant's."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.permissions import require_platform
from accounts.rows import insert, valid
from catalog.locks import lock_product, lock_tax_class
from catalog.models import Product, TaxClass, TaxRate
from core.command import command
from core.errors import NotFound
from core.ids import gene
from core.outbox import Fact, emit


@command
def tax_class_create(*, code: str, name: str, actor: Actor) -> TaxClass:
    """Another class of things that are taxed alike.

    Raises Denied, Invalid `taxclass.invalid`, Conflict `tax_class.code_taken`.
    """
    require_platform(actor)
    row = valid(TaxClass(code=code, name=name))
    taken = _("Another tax class has this code.")
    insert([row], code="tax_class.code_taken", taken=taken)
    return row


@command
def tax_rate_set(
    *, tax_class: str, country: str, parts_per_million: int, actor: Actor, region: str = ""
) -> TaxRate:
    """What is placed from now on and goes there is taxed so; what is placed keeps its tax.

    Quiet where it is that already. Locks the class. Emits tax_rate.set. Raises Denied, NotFound
    `tax_class.unknown`, Invalid `taxrate.invalid`.
    """
    require_platform(actor)
    given = TaxRate(
        tax_class=lock_tax_class(tax_class),
        country=country.upper(),
        region=region.strip(),
        parts_per_million=parts_per_million,
    )
    valid(given)
    known = given.tax_class.rates.filter(country=given.country, region__iexact=given.region).first()
    if known is None:
        given.save(force_insert=True)
    elif known.parts_per_million == parts_per_million:
        return known
    else:
        TaxRate.objects.filter(pk=known.pk).update(parts_per_million=parts_per_million)
        given.pk = known.pk
    previous_ppm = known.parts_per_million if known else None
    emit([_fact(given, "tax_rate.set", actor, previous_ppm=previous_ppm)])
    return given


@command
def tax_rate_remove(*, tax_rate_id: int, actor: Actor) -> None:
    """Takes a rate away; quiet where there is none. Emits tax_rate.removed. Raises Denied."""
    require_platform(actor)
    for rate in TaxRate.objects.filter(pk=tax_rate_id):
        fact = _fact(rate, "tax_rate.removed", actor)
        rate.delete()
        emit([fact])


@command
def product_tax_class_set(*, product_id: int, tax_class: str | None, actor: Actor) -> Product:
    """Says which class a product is of; None: the standard one. Quiet where it is that already.

    What is placed keeps its tax. Locks the product. Emits product.tax_class_set. Raises NotFound
    `product.unknown`, `tax_class.unknown`.
    """
    product = lock_product(product_id, actor=actor)
    if tax_class is not None and not TaxClass.objects.filter(pk=tax_class).exists():
        raise NotFound("tax_class.unknown", _("There is no such tax class."), tax_class=tax_class)
    if product.tax_class_id == tax_class:
        return product
    Product.objects.filter(pk=product.pk).update(tax_class_id=tax_class)
    product.tax_class_id = tax_class
    payload = {
        "product_id": str(product.pk),
        "merchant_id": str(product.merchant_id),
        "tax_class": tax_class,
        "actor": str(actor),
    }
    emit([_of("product", product.pk, "product.tax_class_set", payload)])
    return product


def _fact(rate: TaxRate, event_type: str, actor: Actor, **payload: Any) -> Fact:
    told = {
        "tax_class": rate.tax_class_id,
        "country": rate.country,
        "region": rate.region,
        "parts_per_million": rate.parts_per_million,
        "actor": str(actor),
    }
    return _of("tax_rate", rate.pk, event_type, {**told, **payload})


def _of(noun: str, object_id: int, event_type: str, payload: dict[str, Any]) -> Fact:
    return Fact(
        stream=(noun, object_id),
        shard_key=gene(object_id),
        type=event_type,
        object_id=object_id,
        payload=payload,
    )
