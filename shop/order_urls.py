"""Addresses from the checkout on."""

from django.urls import path

from shop.views import cancel, checkout, order, refund_account

LINK = "o/<str:number>/<str:key>/"

urlpatterns = [
    path("checkout/", checkout.contact, name="checkout"),
    path("checkout/delivery/", checkout.delivery, name="checkout_delivery"),
    path("checkout/review/", checkout.review, name="checkout_review"),
    path(LINK, order.show, name="order"),
    path(f"{LINK}pay/", order.pay, name="pay"),
    path(f"{LINK}extend/", order.extend, name="order_extend"),
    path(f"{LINK}cancel/", cancel.cancel, name="order_cancel"),
    path(f"{LINK}cancel/<int:position>/", cancel.cancel, name="order_cancel"),
    path(f"{LINK}cancel/<int:position>/withdraw/", cancel.withdraw, name="order_cancel_withdraw"),
    path(
        f"{LINK}refund-account/<int:transfer_id>/",
        refund_account.refund_account,
        name="refund_account",
    ),
    path(f"{LINK}refill/", order.refill, name="order_refill"),
]
