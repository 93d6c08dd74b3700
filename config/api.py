"""The API as a whole: the resources of all apps under `/api/v1`, their document and its page."""

from functools import cache
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import path, re_path
from django.views.decorators.http import require_safe
from django.views.generic import TemplateView
from drf_spectacular.generators import SchemaGenerator

from analytics.session import session_key
from catalog.api import ProductDetail, Products
from core.api.views import Nothing
from delivery.api import ShipmentDetail
from inventory.selectors import available
from orders.api import carts, checkouts, order_groups, orders, payments
from orders.api.shipments import Shipments
from payments import settlement_api as settlement

app_name = "api"


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document; it changes with the code alone."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return schema


@require_safe
def openapi(request: HttpRequest) -> JsonResponse:
    """The document, for programs."""
    return JsonResponse(document())


urlpatterns = [
    path("openapi.json", openapi, name="openapi"),
    path("docs", TemplateView.as_view(template_name="api/docs.html"), name="docs"),
    path("products", Products.as_view(), name="products"),
    path(
        "products/<str:product_id>",
        ProductDetail.as_view(available=available),
        name="product",
    ),
    path("carts", carts.Carts.as_view(), name="carts"),
    path("carts/<str:cart_id>", carts.CartDetail.as_view(), name="cart"),
    path("carts/<str:cart_id>/lines", carts.CartLines.as_view(), name="cart_lines"),
    path(
        "carts/<str:cart_id>/lines/<str:sku_id>", carts.CartLineDetail.as_view(), name="cart_line"
    ),
    path("carts/<str:cart_id>/vouchers", carts.CartVouchers.as_view(), name="cart_vouchers"),
    path("checkouts", checkouts.Checkouts.as_view(), name="checkouts"),
    path("checkouts/<str:checkout_id>", checkouts.CheckoutDetail.as_view(), name="checkout"),
    path(
        "checkouts/<str:checkout_id>/complete",
        checkouts.CheckoutComplete.as_view(session_key=session_key),
        name="checkout_complete",
    ),
    path("order_groups", order_groups.OrderGroups.as_view(), name="order_groups"),
    path(
        "order_groups/<str:group_id>", order_groups.OrderGroupDetail.as_view(), name="order_group"
    ),
    path(
        "order_groups/<str:group_id>/cancel",
        order_groups.OrderGroupCancel.as_view(),
        name="order_group_cancel",
    ),
    path(
        "order_groups/<str:group_id>/extend",
        order_groups.OrderGroupExtend.as_view(),
        name="order_group_extend",
    ),
    path("orders", orders.Orders.as_view(), name="orders"),
    path("orders/<str:order_id>", orders.OrderDetail.as_view(), name="order"),
    path(
        "orders/<str:order_id>/acknowledge",
        orders.OrderAcknowledge.as_view(),
        name="order_acknowledge",
    ),
    path(
        "orders/<str:order_id>/start_packing",
        orders.OrderStartPacking.as_view(),
        name="order_start_packing",
    ),
    path("orders/<str:order_id>/cancel", orders.OrderCancel.as_view(), name="order_cancel"),
    path(
        "orders/<str:order_id>/request_cancel",
        orders.OrderRequestCancel.as_view(),
        name="order_request_cancel",
    ),
    path(
        "orders/<str:order_id>/approve_cancel",
        orders.OrderApproveCancel.as_view(),
        name="order_approve_cancel",
    ),
    path(
        "orders/<str:order_id>/decline_cancel",
        orders.OrderDeclineCancel.as_view(),
        name="order_decline_cancel",
    ),
    path(
        "orders/<str:order_id>/withdraw_cancel",
        orders.OrderWithdrawCancel.as_view(),
        name="order_withdraw_cancel",
    ),
    path("payments", payments.Payments.as_view(), name="payments"),
    path("payments/<str:payment_id>", payments.PaymentDetail.as_view(), name="payment"),
    path("shipments", Shipments.as_view(), name="shipments"),
    path("shipments/<str:shipment_id>", ShipmentDetail.as_view(), name="shipment"),
    path("statements", settlement.StatementList.as_view(), name="statements"),
    path("statements/<str:statement_id>", settlement.StatementDetail.as_view(), name="statement"),
    path(
        "statements/<str:statement_id>/statement.csv",
        settlement.StatementCsv.as_view(),
        name="statement_csv",
    ),
    path("payouts", settlement.PayoutList.as_view(), name="payouts"),
    path("payouts/<str:payout_id>", settlement.PayoutDetail.as_view(), name="payout"),
    path(
        "payouts/<str:payout_id>/approve",
        settlement.PayoutApprove.as_view(),
        name="payout_approve",
    ),
    path("payouts/<str:payout_id>/hold", settlement.PayoutHolding.as_view(), name="payout_hold"),
    re_path("", Nothing.as_view(), name="nothing"),
]
