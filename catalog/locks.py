"""The locks of this app: the category tree, tax classes, products, SKUs, in this order."""

from django.db import connection
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.permissions import own
from catalog.models import Product, Sku, TaxClass
from core.command import running
from core.errors import NotFound
from core.locks import locked


def lock_category_tree() -> None:
    """Keeps other writers off the tree: two new branches would take the same path."""
    running()
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE catalog_category IN SHARE ROW EXCLUSIVE MODE")


def lock_tax_class(code: str) -> TaxClass:
    """The locked class, so that its rates are one writer's. Raises NotFound."""
    for tax_class in locked(TaxClass.objects.filter(pk=code)):
        return tax_class
    raise NotFound("tax_class.unknown", _("There is no such tax class."), tax_class=code)


def lock_product(product_id: int, *, actor: Actor) -> Product:
    """The locked product. Raises NotFound where there is none, or not for this actor."""
    rows = locked(own(Product.objects.filter(pk=product_id), actor=actor))
    if not rows:
        raise NotFound("product.unknown", _("There is no such product."), id=str(product_id))
    return rows[0]


def lock_sku(sku_id: int, *, actor: Actor) -> Sku:
    """The locked SKU; its product comes along unlocked.

    Raises NotFound where there is none, or not for this actor.
    """
    rows = locked(own(Sku.objects.filter(pk=sku_id), actor=actor).select_related("product"))
    if not rows:
        raise NotFound("sku.unknown", _("There is no such item."), id=str(sku_id))
    return rows[0]
