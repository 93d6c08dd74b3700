"""`/products`: what is on sale, as shoppers see it."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.models import Product, ProductImage
from catalog.selectors import published_product, published_products
from core.api import (
    ApiView,
    Id,
    MoneyOf,
    PageQuery,
    Serializer,
    Time,
    id_from,
    not_found,
    operation,
    page,
    page_of,
    position_of,
)

TAG = "products"
# Units of each SKU that one line can have; stock is kept on another floor.
Available = Callable[[Collection[int]], Mapping[int, int]]


class SkuOut(Serializer):
    """What can be put into a cart."""

    id = Id()
    code = serializers.CharField()
    title = serializers.CharField()
    price = MoneyOf("price_minor")
    weight_g = serializers.IntegerField()
    needs_parcel = serializers.BooleanField()


class SkuWithStockOut(SkuOut):
    """The same, with the units that can be had at this moment."""

    available = serializers.SerializerMethodField()

    def get_available(self, sku: Any) -> int:
        units: int = self.context["available"][sku.pk]
        return units


class ImageOut(Serializer):
    """A picture."""

    url = serializers.SerializerMethodField()
    alt = serializers.CharField()

    def get_url(self, picture: ProductImage) -> str:
        return f"{settings.PUBLIC_URL}{picture.image.url}"


class ProductOut(Serializer):
    """A product and its SKUs for sale."""

    id = Id()
    merchant_id = Id()
    category_id = Id(allow_null=True)
    slug = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    published_at = Time()
    images = ImageOut(many=True)
    skus = SkuOut(many=True)


class ProductWithStockOut(ProductOut):
    """The same, with stock."""

    skus = SkuWithStockOut(many=True)


class ProductQuery(PageQuery):
    """Which products."""

    merchant_id = Id(required=False, help_text="Of this merchant alone.")


class Products(ApiView):
    """The list, newest first."""

    scopes = {"GET": "catalog:read"}
    queries = {"GET": ProductQuery}

    @operation("List products", tag=TAG, answer=page(ProductOut), query=ProductQuery)
    def get(self, request: Request) -> Response:
        """What is on sale, newest first."""
        asked = self.queried(request)
        position = position_of(request)
        found = published_products(
            merchant_id=asked.get("merchant_id"),
            after=(datetime.fromisoformat(position[0]), position[1]) if position else None,
            limit=asked["limit"],
        )
        return page_of(
            request,
            rows=found.products,
            after=[found.after[0].isoformat(), found.after[1]] if found.after else None,
            present=lambda rows: ProductOut(rows, many=True).data,
        )


class ProductDetail(ApiView):
    """One product. The composition root says how to know its stock."""

    scopes = {"GET": "catalog:read"}
    available: Available = staticmethod(lambda sku_ids: dict.fromkeys(sku_ids, 0))

    @operation("Get a product", tag=TAG, answer=ProductWithStockOut, problems=[404])
    def get(self, request: Request, product_id: str) -> Response:
        """One product on sale, with the units of each SKU that can be had now."""
        product: Product | None = published_product(id_from(product_id))
        if product is None:
            raise not_found()
        context = {"available": self.available([sku.pk for sku in product.skus.all()])}
        return Response(ProductWithStockOut(product, context=context).data)
