"""The shop's pages."""

from django.urls import include, path
from django.views.generic import TemplateView

from shop.views import account, cart, catalog, mailbox

app_name = "shop"
urlpatterns = [
    path("", catalog.home, name="home"),
    path("c/<slug:slug>/", catalog.category, name="category"),
    path("search/", catalog.search, name="search"),
    path("p/<slug:slug>/", catalog.product, name="product"),
    path("p/<slug:slug>/add/", catalog.add, name="add"),
    path("m/<slug:slug>/", catalog.merchant, name="merchant"),
    path("basket/", cart.basket, name="basket"),
    path("basket/settle/", cart.settle, name="basket_settle"),
    path("basket/voucher/", cart.voucher_set, name="basket_voucher"),
    path("basket/voucher/remove/", cart.voucher_remove, name="basket_voucher_remove"),
    path("basket/<int:sku_id>/", cart.set_quantity, name="basket_set"),
    path("basket/<int:sku_id>/remove/", cart.remove, name="basket_remove"),
    path("basket/<int:sku_id>/put-back/", cart.put_back, name="basket_put_back"),
    path("account/", account.orders, name="account"),
    path("account/orders/<slug:number>/", account.order, name="account_order"),
    path("account/credit/", account.credit, name="credit"),
    path("account/addresses/", account.addresses, name="addresses"),
    path("account/addresses/new/", account.address_add, name="address_add"),
    path("account/addresses/<int:address_id>/", account.address_edit, name="address_edit"),
    path(
        "account/addresses/<int:address_id>/delete/", account.address_delete, name="address_delete"
    ),
    path(
        "account/addresses/<int:address_id>/default/",
        account.address_default,
        name="address_default",
    ),
    path("help/", TemplateView.as_view(template_name="shop/help.html"), name="help"),
    path("", include("shop.order_urls")),
    path("demo/mailbox/", mailbox.mailbox, name="mailbox"),
    path("demo/mailbox/<int:mail_id>/", mailbox.mail, name="mail"),
    path("demo/mailbox/<int:mail_id>/html/", mailbox.mail_html, name="mail_html"),
]
